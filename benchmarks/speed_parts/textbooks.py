"""Whole runs of the textbooks' recipes: made once, kept beside the environments.

Only their final figure is kept. Their time is measured anew in each run of the harness.
"""

import json
from typing import Any, NamedTuple

from environments import FOLDER
from speed_parts import harness, machine
from speed_parts.harness import Contestant, Options

KEPT = FOLDER / "textbooks.json"


class Textbook(NamedTuple):
    epochs: int
    backend: str
    """On which the whole run is made; the time is that of the faster backend."""


RECIPES = {
    "dense-32": Textbook(50, "jax"),
    "deep-tanh-2": Textbook(10, "jax"),
    "conv-upsampling": Textbook(10, "tensorflow"),  # its document names no number
    "denoising": Textbook(50, "tensorflow"),
    "variational": Textbook(30, "tensorflow"),
}
QUICK_EPOCHS, QUICK_ROWS = 5, 10_000


def contestant(name: str, backend: str, epochs: int, rows: int, options: Options) -> Contestant:
    job = {"data": options.data, "recipe": name, "rows": rows, "epochs": epochs}
    environment = "own" if backend == "jax" else backend
    return Contestant(f"textbook on {backend}", "textbook.py", job, environment, backend)


def size(name: str, options: Options) -> tuple[int, int]:
    """Return the epochs and rows of the recipe."""
    return (QUICK_EPOCHS, QUICK_ROWS) if options.quick else (RECIPES[name].epochs, 60_000)


def figure(name: str, options: Options) -> float:
    """Return the test figure with which a recipe ends, from the kept run or from one made now."""
    epochs, rows = size(name, options)
    backend = RECIPES[name].backend
    libraries = {"jax": ("jax", "keras"), "tensorflow": ("tensorflow-cpu", "keras")}[backend]
    environment = "own" if backend == "jax" else backend
    key = ", ".join(
        [name, f"{epochs} epochs", f"{rows} rows", machine.versions(environment, libraries)]
    )
    kept: dict[str, Any] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    if key not in kept:
        harness.say(
            f"{name}: the textbook's whole run, once: {epochs} epochs "
            f"(alone: scripts/bench textbooks --only {name})"
        )
        answer = harness.run(contestant(name, backend, epochs, rows, options))
        kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
        kept[key] = answer["figure"]
        KEPT.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return float(kept[key])
