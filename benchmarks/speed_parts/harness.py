"""Contestants, each in a process of its own, in turn; what a part of the harness returns."""

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
"""Losses of contestants may differ by this share before the table says so."""


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
        In the tables; "isthmus" is what others are compared with.
    worker : str
        A file in benchmarks/workers.
    job : mapping
        What the worker is told.
    environment, backend : str
        Whose libraries, and which backend Keras takes.
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
    """Return a goal for a figure that should be large; None is one that was not measured."""
    return _goal(what, "≥", wanted, measured, unit, lambda m: m >= wanted)


def at_most(what: str, wanted: float, measured: float | None, unit: str) -> Goal:
    """Return a goal for a figure that should be small; None is one that was not measured."""
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
    """A part's contribution: Markdown, goals, and what failed in it."""

    title: str
    lines: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class WorkerFailed(Exception):
    """A worker ended with an error; the message is the end of what it said."""


def run(contestant: Contestant) -> dict[str, Any]:
    """Run a worker to its end and return its answer."""
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
    """Return the variables of a process: as here, without caches that were set up by hand.

    OpenMP's threads wait asleep unless told otherwise: where other work runs too, spinning made
    PyTorch's epochs ten times as long, which would flatter us.
    """
    variables = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION_CACHE")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    variables |= {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    variables.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return variables | dict(settings)


def in_turn(
    contestants: Sequence[Contestant], repeats: int, failures: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Run all contestants one after another, the whole round repeated.

    One that fails is left out of later rounds, and of the answer if it never came through; what
    it said is added to `failures`.
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
    """Return the median seconds of an epoch, over rounds, without each run's first epoch."""
    return median(s for a in answers for s in a["epoch_seconds"][1:] or a["epoch_seconds"])


def middle(answers: Sequence[Mapping[str, Any]], name: str) -> float:
    return median(a[name] for a in answers)


def ratio(seconds: Mapping[str, float], peer: str, ours: str = "isthmus") -> float | None:
    """Return how many times longer a peer takes; None where one of the two did not come through."""
    if peer not in seconds or ours not in seconds:
        return None
    return seconds[peer] / seconds[ours]


def times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} ×"


def beside(loss: float, ours: float | None) -> str:
    """Write a loss, and by how much it differs from ours where that is not noise."""
    text = f"{loss:.4f}"
    if ours and abs(loss / ours - 1) > AGREE:
        text += f" (**{loss / ours - 1:+.0%}**)"
    return text


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table: the first column to the left, the others right."""
    marks = ["---", *["--:"] * (len(columns) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (columns, marks, *rows)]


def say(message: str) -> None:
    print(f"  {message}", file=sys.stderr, flush=True)


def _short(job: Mapping[str, Any]) -> str:
    return " ".join(f"{k}={v}" for k, v in job.items() if k not in ("data", "folder"))
