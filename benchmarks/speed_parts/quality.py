"""Part quality: seconds until the test figure is as good as that of a textbook's complete recipe.

The textbook's time is the number of its epochs times the median time of one epoch, on the faster of
two backends, without compilation. The time of isthmus is that of `fit`, including compilation and
scaling, with the smallest number of epochs after which the test figure is as good.
"""

from typing import Any, NamedTuple

from speed_parts import harness, textbooks
from speed_parts.harness import Contestant, Options, Section

BUDGETS = (1, 2, 3, 5, 8, 12, 20)
WANTED = 5
UNITS = {"variational": "784 MSE + KL"}


class Found(NamedTuple):
    """The smallest sufficient number of epochs, or None, and the answers of its runs."""

    epochs: int | None
    answers: list[dict[str, Any]]


def quality(options: Options) -> Section:
    """Measure the time to quality of each recipe."""
    section = Section(
        "Time to the textbook's quality",
        [
            "The textbook's time is the number of its epochs times the median time of one epoch, "
            "on the faster of Keras on JAX and Keras on TensorFlow, without compilation. The time "
            "of isthmus is that of `fit`, including compilation and scaling, with the smallest "
            f"number of epochs (of {', '.join(map(str, BUDGETS))}) whose test figure is as good. "
            "Its settings are the defaults, except for the code size, the task, the architecture, "
            "and one hidden layer of 128 for dense-32. The figure is the test cross-entropy; for "
            "the variational recipe, it is 784 MSE + KL at the posterior mean.",
            "",
        ],
    )
    rows = []
    for name in ["dense-32"] if options.quick else textbooks.RECIPES:
        try:
            rows.append(_measure(section, name, options))
        except harness.WorkerFailed as error:
            section.failures.append(f"{name}: {error}")
            section.goals.append(harness.at_least(f"time to quality, {name}", WANTED, None))
    section.lines += harness.table(
        ["", "textbook", "its figure", "epochs of isthmus", "isthmus", "its figure", "ratio"], rows
    )
    return section


def _measure(section: Section, name: str, options: Options) -> list[str]:
    target = textbooks.figure(name, options)
    epochs, rows = textbooks.size(name, options)
    some = 2 if rows < 60_000 or name in ("dense-32", "deep-tanh-2") else 1
    # Epochs with convolutions are long enough to be timed on a sixth of the rows.
    part = rows if some == 2 else rows // 6
    seconds = {}
    for backend in ("jax", "tensorflow"):
        contestant = textbooks.contestant(name, backend, 1 + some, part, options)
        got = harness.in_turn([contestant], options.repeats, section.failures)
        if got:
            seconds[backend] = harness.after_first(got[contestant.name]) * rows / part * epochs
    fastest = min(seconds, key=seconds.__getitem__)
    found = _search(name, target, rows, options)
    ours = harness.middle(found.answers, "fit_seconds")
    times = seconds[fastest] / ours if found.epochs else None
    section.goals.append(harness.at_least(f"time to quality, {name}", WANTED, times))
    return [
        name,
        f"{seconds[fastest]:.1f} s ({fastest}, {epochs} epochs)",
        f"{target:.4f}",
        str(found.epochs or f"more than {BUDGETS[-1]}"),
        f"{ours:.1f} s",
        f"{harness.middle(found.answers, 'figure'):.4f}",
        harness.times(times) or "not reached",
    ]


def _search(name: str, target: float, rows: int, options: Options) -> Found:
    """Return the smallest number of epochs whose median figure over seeds reaches the target."""
    answers: list[dict[str, Any]] = []
    for epochs in BUDGETS:
        answers = [_ours(name, epochs, rows, 0, options)]
        if answers[0]["figure"] > target:
            continue
        answers += [_ours(name, epochs, rows, seed, options) for seed in range(1, options.repeats)]
        if harness.middle(answers, "figure") <= target:
            return Found(epochs, answers)
    return Found(None, answers)


def _ours(name: str, epochs: int, rows: int, seed: int, options: Options) -> dict[str, Any]:
    job = {"data": options.data, "recipe": name, "rows": rows, "epochs": epochs, "seed": seed}
    return harness.run(Contestant("isthmus", "isthmus_recipe.py", job))
