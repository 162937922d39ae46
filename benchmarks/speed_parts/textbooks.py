"""Complete runs of the textbooks' recipes: run once, and stored next to the environments.

Only the final figure is stored. The time is measured again in each run of the benchmark.
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
    """Backend of the complete run. The time is that of the faster backend."""


RECIPES = {
    "dense-32": Textbook(50, "jax"),
    "deep-tanh-2": Textbook(10, "jax"),
    "conv-upsampling": Textbook(10, "tensorflow"),  # its tutorial gives no number of epochs
    "denoising": Textbook(50, "tensorflow"),
    "variational": Textbook(30, "tensorflow"),
}
QUICK_EPOCHS, QUICK_ROWS = 5, 10_000


def contestant(name: str, backend: str, epochs: int, rows: int, options: Options) -> Contestant:
    job = {"data": options.data, "recipe": name, "rows": rows, "epochs": epochs}
    environment = "own" if backend == "jax" else backend
    return Contestant(f"textbook on {backend}", "textbook.py", job, environment, backend)


def size(name: str, options: Options) -> tuple[int, int]:
    """Return the number of epochs and rows of the recipe."""
    return (QUICK_EPOCHS, QUICK_ROWS) if options.quick else (RECIPES[name].epochs, 60_000)


def figure(name: str, options: Options) -> float:
    """Return the final test figure of a recipe, from the stored run or from a new one."""
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
            f"{name}: complete run of the textbook, once, {epochs} epochs "
            f"(separately: scripts/bench textbooks --only {name})"
        )
        answer = harness.run(contestant(name, backend, epochs, rows, options))
        kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
        kept[key] = answer["figure"]
        KEPT.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return float(kept[key])
