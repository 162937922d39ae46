"""Seconds per epoch beside Keras on JAX and TensorFlow, and seconds to the textbook's quality.

usage: scripts/bench foundation [--data FILE] [--repeats 3] [--epochs 4]

Every contestant runs in a process of its own, in turn, the whole round repeated; the figures are
medians. An epoch's time leaves out the first one, which compiles; the times to quality leave out
nothing of `fit`. DATA is an npz file with x_train and x_test of 28 x 28 pixels, 0 to 255.
"""

import argparse
import json
import os
import statistics
import subprocess
from importlib.metadata import version
from pathlib import Path

from environments import python_of

HERE = Path(__file__).resolve().parent
NETS = ("784-32-784", "784-500-300-100-2")
TEXTBOOK_BCE = 0.2125


def run(worker: str, *arguments: object, environment: str = "own", backend: str = "jax") -> dict:
    settings = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    settings.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [python_of(environment), str(HERE / "workers" / worker), *map(str, arguments)],
        env=settings,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{worker} {arguments} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def epoch_table(data: str, repeats: int, epochs: int) -> None:
    print("| network | isthmus | Keras on JAX | Keras on TensorFlow | ratios | losses |")
    print("|---|--:|--:|--:|--:|---|")
    for net in NETS:
        rounds = [
            (
                run("isthmus_fit.py", data, net, 256, epochs),
                run("keras_fit.py", data, net, 256, epochs, "adam"),
                run(
                    "keras_fit.py",
                    *(data, net, 256, epochs, "adam"),
                    environment="tensorflow",
                    backend="tensorflow",
                ),
            )
            for _ in range(repeats)
        ]
        seconds = [
            statistics.median(s for r in contestant for s in r["epoch_seconds"][1:])
            for contestant in zip(*rounds, strict=True)
        ]
        losses = " / ".join(f"{r['loss'][-1]:.4f}" for r in rounds[0])
        ratios = " / ".join(f"{s / seconds[0]:.2f} ×" for s in seconds[1:])
        times = " | ".join(f"{s:.3f} s" for s in seconds)
        print(f"| {net} | {times} | {ratios} | {losses} |", flush=True)


def quality_table(data: str, repeats: int) -> None:
    rounds = [
        (
            run("keras_fit.py", data, NETS[1], 128, 10, "textbook"),
            run("isthmus_quality.py", data, "auto"),
        )
        for _ in range(repeats)
    ]
    textbook = statistics.median(r[0]["fit_seconds"] for r in rounds)
    mark = min(TEXTBOOK_BCE, *(r[0]["test_bce"] for r in rounds))
    reached = statistics.median(
        next(t for t, v in zip(r[1]["clock"], r[1]["val_loss"], strict=True) if v < mark)
        for r in rounds
    )
    budget = sum(t < textbook / 5 for t in rounds[0][1]["clock"])
    print("\n| run | seconds of fit | test BCE |")
    print("|---|--:|--:|")
    print(
        f"| textbook deep recipe, Keras on JAX, 10 epochs | {textbook:.1f} "
        f"| {statistics.median(r[0]['test_bce'] for r in rounds):.4f} |"
    )
    print(f"| isthmus defaults, until its validation BCE is below {mark:.4f} | {reached:.1f} | |")
    if budget:
        short = run("isthmus_quality.py", data, budget)
        print(
            f"| isthmus, epochs={budget}, all of fit | {short['fit_seconds']:.1f} "
            f"| {short['test_bce']:.4f} |"
        )
    print(
        f"| isthmus defaults to their end | "
        f"{statistics.median(r[1]['fit_seconds'] for r in rounds):.1f} "
        f"| {statistics.median(r[1]['test_bce'] for r in rounds):.4f} |"
    )
    print(f"\nTime to the textbook's quality: {textbook / reached:.1f} × faster")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=str(HERE.parents[1] / "shared" / "data" / "mnist.npz"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("jax", "keras", "numpy"))
    print(f"{os.cpu_count()} cores, {libraries}; medians of {options.repeats} rounds\n")
    epoch_table(options.data, options.repeats, options.epochs)
    quality_table(options.data, options.repeats)


if __name__ == "__main__":
    main()
