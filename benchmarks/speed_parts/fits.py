"""Parts dense and conv: seconds per epoch of the same networks in every library."""

import sys
from collections.abc import Mapping
from typing import Any

from speed_parts import harness
from speed_parts.harness import Contestant, Goal, Options, Section

sys.path.insert(0, str(harness.WORKERS))
from nets import NETS, flops_per_row

BATCH = 256
JAX, TENSORFLOW, TORCH = "Keras on JAX", "Keras on TensorFlow", "Keras on PyTorch"
PLAIN = "PyTorch"
DENSE = {"784-32-784": 1.3, "784-128-64-32": 1.3, "784-500-300-100-2": 1.2}
"""Network -> required ratio of the time of Keras on JAX to that of isthmus."""
CONV = ("conv-upsampling", "conv-transpose")


def dense(options: Options) -> Section:
    """Measure the dense networks on 60,000 rows."""
    section = Section(
        "Dense networks",
        [
            f"MNIST, the same initial weights, Adam at 0.001, batches of {BATCH}, cross-entropy. "
            "GFLOP/s counts the matrix products of the layers: forward, gradient of the weights, "
            "gradient of the input (not for the first layer). The fraction is GFLOP/s divided by "
            "the machine's rate for float32 matrix products, measured in the same rounds with JAX.",
        ],
    )
    rows, epochs = (10_000, 3) if options.quick else (60_000, 4)
    for net in list(DENSE)[: 1 if options.quick else None]:
        results = _measure(section, net, rows, epochs, options)
        seconds = results["seconds"]
        section.goals += [
            harness.at_least(f"{net}, {JAX}", DENSE[net], harness.ratio(seconds, JAX)),
            *(_twice(net, peer, seconds) for peer in _peers(options) if peer != JAX),
        ]
        if net == "784-500-300-100-2":
            share = results["share"]
            percent = None if share is None else 100 * share
            section.goals.append(
                harness.at_least(f"{net}, fraction of the matrix product's rate", 70, percent, "%")
            )
    return section


def conv(options: Options) -> Section:
    """Measure the convolutional networks on 12,800 rows."""
    section = Section(
        "Convolutional networks",
        [
            f"MNIST, the same initial weights, Adam at 0.001, batches of {BATCH}; cross-entropy "
            "for upsampling, squared error for transposed convolutions. isthmus and Keras train "
            "the same Keras models."
        ],
    )
    rows, epochs = (2_560, 2) if options.quick else (12_800, 3)
    for net in CONV[: 1 if options.quick else None]:
        seconds = _measure(section, net, rows, epochs, options)["seconds"]
        section.goals += [
            _twice(net, TENSORFLOW, seconds),
            harness.at_least(f"{net}, {JAX}", 6, harness.ratio(seconds, JAX)),
        ]
    return section


def _peers(options: Options) -> tuple[str, ...]:
    return (JAX, TENSORFLOW) if options.quick else (JAX, TENSORFLOW, TORCH, PLAIN)


def _twice(net: str, peer: str, seconds: Mapping[str, float]) -> Goal:
    return harness.at_least(f"{net}, {peer}", 2, harness.ratio(seconds, peer))


def _measure(
    section: Section, net: str, rows: int, epochs: int, options: Options
) -> dict[str, Any]:
    job = {"data": options.data, "net": net, "rows": rows, "batch": BATCH, "epochs": epochs}
    product = Contestant("matrix product", "matrix_rate.py", {"size": 4096, "times": 4})
    peers = {
        JAX: Contestant(JAX, "keras_fit.py", job),
        TENSORFLOW: Contestant(TENSORFLOW, "keras_fit.py", job, "tensorflow", "tensorflow"),
        TORCH: Contestant(TORCH, "keras_fit.py", job, "torch", "torch"),
        PLAIN: Contestant(PLAIN, "torch_fit.py", job, "torch"),
    }
    ours = Contestant("isthmus", "isthmus_fit.py", job)
    everyone = [product, ours, *(peers[name] for name in _peers(options))]
    answers = harness.in_turn(everyone, options.repeats, section.failures)
    rates = answers.pop("matrix product", None)
    rate = harness.middle(rates, "gflops") if rates else None
    seconds = {name: harness.after_first(got) for name, got in answers.items()}
    work = flops_per_row(NETS[net]) * rows / 1e9
    losses = {name: harness.median(a["loss"][-1] for a in got) for name, got in answers.items()}
    tests = {name: harness.middle(got, "test_loss") for name, got in answers.items()}
    section.lines += ["", f"**{net}**, {rows:,} rows, {work:.0f} GFLOP per epoch", ""]
    if rate:
        section.lines[-2] += f"; matrix product {rate:.0f} GFLOP/s"
    section.lines += harness.table(
        ["", "s / epoch", "ratio", "GFLOP/s", "fraction", f"loss, epoch {epochs}", "test loss"],
        [
            [
                name,
                f"{s:.3f}",
                "" if name == "isthmus" else harness.times(harness.ratio(seconds, name)),
                f"{work / s:.0f}",
                f"{work / s / rate:.0%}" if rate else "",
                harness.beside(losses[name], losses.get("isthmus")),
                harness.beside(tests[name], tests.get("isthmus")),
            ]
            for name, s in seconds.items()
        ],
    )
    epoch = seconds.get("isthmus")
    return {"seconds": seconds, "share": work / epoch / rate if epoch and rate else None}
