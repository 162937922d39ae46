"""Run the recipes on MNIST: compare figures with the claims, and losses with plain Keras.

usage: scripts/bench recipes [--only dense-32,...] [--epochs N] [--rows N] [--seeds 3]
                             [--data mnist.npz] [--parity]

Without --epochs, each recipe is trained as in its tutorial, which takes hours for the convolutional
ones on two cores. Both tables are Markdown, on standard output.
"""

import argparse
from pathlib import Path
from typing import Any

from isthmus.recipes.catalogue import RECIPES
from speed_parts import harness
from speed_parts.harness import Contestant, WorkerFailed

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"
HOLDS = {True: "holds", False: "**does not hold**", None: ""}
WITHIN = 0.01
"""Largest relative difference between the losses of isthmus and plain Keras that is not marked."""


def figures(names: list[str], epochs: int | None, data: str) -> list[str]:
    rows = []
    for name in names:
        wanted = epochs or RECIPES[name].epochs
        job = {"data": data, "recipe": name, "by": "recipe", "epochs": wanted, "seed": 0}
        try:
            answer = harness.run(Contestant(name, "recipe_run.py", job))
        except WorkerFailed as error:
            rows.append([name, str(wanted), f"failed: {error}", "", "", ""])
            continue
        for place, (figure, text, claim, holds) in enumerate(answer["figures"]):
            first = [name, str(wanted)] if place == 0 else ["", ""]
            rows.append([*first, figure, text, claim, HOLDS[holds]])
    columns = ["recipe", "epochs", "figure", "measured", "the tutorial's claim", "result"]
    return harness.table(columns, rows)


def parity(names: list[str], arguments: Any) -> list[str]:
    rows = []
    for name in names:
        if RECIPES[name].system is None:
            continue
        wanted = arguments.epochs or RECIPES[name].epochs
        losses = {by: _losses(name, by, wanted, arguments) for by in ("isthmus", "keras")}
        if not all(losses.values()):
            continue
        ours, theirs = (harness.median(losses[by]) for by in ("isthmus", "keras"))
        apart = ours / theirs - 1
        text = f"{apart:+.2%}" if abs(apart) <= WITHIN else f"**{apart:+.2%}**"
        spread = f"{min(losses['keras']):.5g} to {max(losses['keras']):.5g}"
        rows.append([name, str(wanted), f"{ours:.5g}", f"{theirs:.5g}", text, spread])
    columns = [
        "recipe",
        "epochs",
        "isthmus",
        "plain Keras",
        "difference",
        "range of Keras over seeds",
    ]
    return harness.table(columns, rows)


def _losses(name: str, by: str, epochs: int, arguments: Any) -> list[float]:
    common = {"data": arguments.data, "recipe": name, "by": by, "epochs": epochs}
    found = []
    for seed in range(arguments.seeds):
        job = {**common, "rows": arguments.rows, "seed": seed}
        try:
            found.append(harness.run(Contestant(f"{name}, {by}", "recipe_run.py", job))["loss"])
        except WorkerFailed as error:
            harness.say(f"FAILED {name} by {by}: {error}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(RECIPES), help="comma-separated recipes")
    parser.add_argument("--epochs", type=int, help="epochs, instead of the tutorials' numbers")
    parser.add_argument(
        "--rows", type=int, help="training rows in the comparison with Keras; default: all"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, help="seeds per recipe, for isthmus and for Keras"
    )
    parser.add_argument("--data", default=str(SHARED), help="mnist.npz")
    parser.add_argument(
        "--parity", action="store_true", help="only the comparison with plain Keras"
    )
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    for name in names:
        if name not in RECIPES:
            parser.error(f"--only: unknown recipe {name} (choose from {', '.join(RECIPES)})")
    if not arguments.parity:
        print("\n".join(figures(names, arguments.epochs, arguments.data)), "\n", flush=True)
    print("\n".join(parity(names, arguments)), flush=True)


if __name__ == "__main__":
    main()
