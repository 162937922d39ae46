"""Part peers: other libraries' autoencoders with the same architecture, epochs and batch size."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from speed_parts import harness
from speed_parts.harness import Contestant, Options, Section


class Peer(NamedTuple):
    name: str
    worker: str
    environment: str
    kind: str
    """Name of the peer in isthmus_peer.py."""
    job: Mapping[str, Any]
    quick: Mapping[str, Any]
    goal: float | None


_DIGITS = {"rows": 10_000, "batch": 64, "epochs": 10}
_TABLE = {"rows": 10_000, "columns": 30, "batch": 32, "epochs": 10}
_FEWER = {"rows": 2_000, "epochs": 3}
PEERS = (
    Peer("PyOD AutoEncoder", "pyod_fit.py", "pyod", "pyod", _TABLE, _FEWER, 5),
    Peer(
        *("pythae AE", "pythae_fit.py", "pythae", "ae"),
        *({**_DIGITS, "model": "ae", "latent": 16}, _FEWER, None),
    ),
    Peer(
        *("pythae VAE", "pythae_fit.py", "pythae", "vae"),
        *({**_DIGITS, "model": "vae", "latent": 16}, _FEWER, 5),
    ),
    Peer(
        *("scikit-learn MLPRegressor", "sklearn_fit.py", "own", "sklearn"),
        *({**_DIGITS, "batch": 256, "hidden": [128, 32, 128]}, _FEWER, None),
    ),
)


def peers(options: Options) -> Section:
    """Measure complete fits, including compilation, and seconds per epoch."""
    section = Section(
        "Other libraries' autoencoders",
        [
            "isthmus gets the layers of the peer's default network, or 784-128-32-128-784 for "
            "scikit-learn, with the same number of epochs, the same batch size and Adam at 0.001. "
            "The time of `fit` is measured in a fresh process and includes compilation. PyOD's "
            "`fit` scores the training rows, so the time of isthmus there includes that too. PyOD "
            "uses a synthetic table of 10,000 rows and 30 columns in batches of 32, the others "
            "10,000 digits of MNIST. PyOD adds a weight decay of 0.00001. The error is the mean "
            "squared error on the training rows after the last epoch.",
            "",
        ],
    )
    rows: list[list[str]] = []
    for peer in PEERS:
        if options.quick and peer.kind != "pyod":
            continue
        rows += _measure(section, peer, options)
    section.lines += harness.table(
        ["", "fit", "ratio", "s / epoch", "ratio", "mean squared error"], rows
    )
    return section


def _measure(section: Section, peer: Peer, options: Options) -> list[list[str]]:
    job = {**peer.job, **(peer.quick if options.quick else {}), "data": options.data}
    ours = f"isthmus as {peer.name}"
    contestants = [
        Contestant(ours, "isthmus_peer.py", {**job, "peer": peer.kind}),
        Contestant(peer.name, peer.worker, job, peer.environment),
    ]
    answers = harness.in_turn(contestants, options.repeats, section.failures)
    fits = {name: harness.middle(got, "fit_seconds") for name, got in answers.items()}
    epochs = {name: harness.after_first(got) for name, got in answers.items()}
    errors = {name: harness.middle(got, "figure") for name, got in answers.items()}
    whole = harness.ratio(fits, peer.name, ours)
    if peer.goal is not None:
        section.goals.append(
            harness.at_least(f"{peer.name}, whole fit in a fresh process", peer.goal, whole)
        )
    rows = []
    for name in answers:
        ratios = ["", ""]
        if name == peer.name:
            ratios = [harness.times(whole), harness.times(harness.ratio(epochs, name, ours))]
        rows.append(
            [
                name,
                f"{fits[name]:.2f} s",
                ratios[0],
                f"{epochs[name]:.3f}",
                ratios[1],
                harness.beside(errors[name], errors.get(ours)),
            ]
        )
    return rows
