"""Run the libraries, each in its own process, one after the other, and format the results."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import python_of

WORKERS = Path(__file__).resolve().parents[1] / "workers"
AGREE = 0.03
"""Largest relative difference between two losses that the tables do not show."""


@dataclass(frozen=True)
class Options:
    data: str
    repeats: int
    quick: bool


@dataclass(frozen=True)
class Contestant:
    """One program to run.

    Attributes
    ----------
    name : str
        Name in the tables. The others are compared with "isthmus".
    worker : str
        A file in benchmarks/workers.
    job : mapping
        Job of the worker.
    environment, backend : str
        Name of the Python environment, and the backend of Keras.
    settings : mapping
        Environment variables.
    """

    name: str
    worker: str
    job: Mapping[str, Any]
    environment: str = "own"
    backend: str = "jax"
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    what: str
    wanted: str
    measured: str
    met: bool


def at_least(what: str, wanted: float, measured: float | None, unit: str = "×") -> Goal:
    """Return a goal for a figure that should be large; None means that it was not measured."""
    return _goal(what, "≥", wanted, measured, unit, lambda m: m >= wanted)


def at_most(what: str, wanted: float, measured: float | None, unit: str) -> Goal:
    """Return a goal for a figure that should be small; None means that it was not measured."""
    return _goal(what, "≤", wanted, measured, unit, lambda m: m <= wanted)


def _goal(
    what: str,
    sign: str,
    wanted: float,
    measured: float | None,
    unit: str,
    holds: Callable[[float], bool],
) -> Goal:
    shown = "not measured" if measured is None else f"{measured:.3g} {unit}"
    return Goal(what, f"{sign} {wanted:g} {unit}", shown, measured is not None and holds(measured))


@dataclass
class Section:
    """Result of a part: Markdown lines, goals and failures."""

    title: str
    lines: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class WorkerFailed(Exception):
    """A worker ended with an error. The message is the end of its standard error."""


def run(contestant: Contestant) -> dict[str, Any]:
    """Run a worker and return its answer."""
    began = time.perf_counter()
    job = json.dumps(dict(contestant.job))
    done = subprocess.run(
        [python_of(contestant.environment), str(WORKERS / contestant.worker), job],
        env=environment_of(contestant.backend, contestant.settings),
        capture_output=True,
        text=True,
        check=False,
    )
    say(f"{contestant.name:24} {time.perf_counter() - began:6.1f} s  {_short(contestant.job)}")
    if done.returncode:
        message = " ".join(done.stderr.strip().splitlines()[-1:]) or f"exit {done.returncode}"
        raise WorkerFailed(message)
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def environment_of(backend: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a process: the current ones without JAX's cache settings.

    OpenMP threads sleep while they wait, unless OMP_WAIT_POLICY is set. On a machine with other
    load, spinning made PyTorch's epochs ten times as long, which would favour isthmus.
    """
    variables = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION_CACHE")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    variables |= {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    variables.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return variables | dict(settings)


def in_turn(
    contestants: Sequence[Contestant], repeats: int, failures: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Run all contestants one after the other, and repeat the round.

    A contestant that fails is left out of later rounds, and of the result if no run succeeded. Its
    error message is added to `failures`.
    """
    answers: dict[str, list[dict[str, Any]]] = {c.name: [] for c in contestants}
    failed: set[str] = set()
    for _ in range(repeats):
        for contestant in contestants:
            if contestant.name in failed:
                continue
            try:
                answers[contestant.name].append(run(contestant))
            except WorkerFailed as error:
                failed.add(contestant.name)
                failures.append(f"{contestant.name}: {error}")
                say(f"FAILED {contestant.name}: {error}")
    return {name: got for name, got in answers.items() if got}


def median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


def after_first(answers: Sequence[Mapping[str, Any]]) -> float:
    """Return the median seconds per epoch over all rounds, without the first epoch of each run."""
    return median(s for a in answers for s in a["epoch_seconds"][1:] or a["epoch_seconds"])


def middle(answers: Sequence[Mapping[str, Any]], name: str) -> float:
    return median(a[name] for a in answers)


def ratio(seconds: Mapping[str, float], peer: str, ours: str = "isthmus") -> float | None:
    """Return the peer's time divided by ours, or None if one of the two has no result."""
    if peer not in seconds or ours not in seconds:
        return None
    return seconds[peer] / seconds[ours]


def times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} ×"


def beside(loss: float, ours: float | None) -> str:
    """Format a loss, with its relative difference from ours if that exceeds `AGREE`."""
    text = f"{loss:.4f}"
    if ours and abs(loss / ours - 1) > AGREE:
        text += f" (**{loss / ours - 1:+.0%}**)"
    return text


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table: first column left-aligned, the others right-aligned."""
    marks = ["---", *["--:"] * (len(columns) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (columns, marks, *rows)]


def say(message: str) -> None:
    print(f"  {message}", file=sys.stderr, flush=True)


def _short(job: Mapping[str, Any]) -> str:
    return " ".join(f"{k}={v}" for k, v in job.items() if k not in ("data", "folder"))
