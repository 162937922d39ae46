"""Compares the outputs of an exported graph with those of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.errors import IsthmusError
from isthmus.export.graph import missing_extra

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLERANCE = 1e-5
"""Largest difference, relative to the largest number of the row if that is more than 1."""


class Expected(NamedTuple):
    """An output as Python computes it."""

    values: Any
    """(n, ...), numbers, booleans or text."""
    unit: Any = 1.0
    """What counts as 1 in the tolerance; broadcast against the values."""
    step: float = 0.0
    """Numbers may also differ by this: they are rounded, and may be rounded differently."""


def check_parity(
    content: bytes,
    inputs: Mapping[str, Any],
    expected: Mapping[str, Expected],
    at_once: int | None = None,
) -> None:
    """Run a graph in ONNX Runtime, so many rows at once, and compare its outputs.

    Raises
    ------
    IsthmusError
        An output differs.
    MissingExtra
        ONNX Runtime is not installed.
    """
    found = _run(open_session(content), list(expected), inputs, at_once)
    for name, here in zip(expected, found, strict=True):
        require_same(f"export, output {name!r}", here, expected[name])


def require_same(
    what: str, here: Any, there: Expected, remedy: str = "please report the model's settings"
) -> None:
    """Raise IsthmusError, about `what`, if an output differs beyond the tolerance."""
    worst = difference(here, there)
    if worst:
        raise IsthmusError(
            what,
            expected="the same as in Python",
            received=worst,
            remedy=f"nothing was written; {remedy}",
        )


def open_session(content: bytes) -> Any:
    """Open a graph in ONNX Runtime, on the CPU; raises MissingExtra."""
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_extra(error) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _run(
    session: Any, names: list[str], inputs: Mapping[str, Any], at_once: int | None
) -> list[Any]:
    if at_once is None:
        return list(session.run(names, dict(inputs)))
    rows = len(next(iter(inputs.values())))
    parts = [
        session.run(names, {name: cells[start : start + at_once] for name, cells in inputs.items()})
        for start in range(0, rows, at_once)
    ]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def difference(here: Any, there: Expected) -> str:
    """Describe the largest difference; empty if there is none beyond the tolerance."""
    wanted = np.asarray(there.values).reshape(here.shape)
    if wanted.dtype.kind not in "fiu" or here.dtype.kind not in "fiu":
        same = (here == wanted).reshape(len(here), -1).all(axis=1)
        return "" if same.all() else f"another value in row {int(np.argmin(same))}"
    flat, goal = (part.reshape(len(part), -1).astype(np.float64) for part in (here, wanted))
    unit = np.broadcast_to(np.asarray(there.unit, np.float64), wanted.shape).reshape(goal.shape)
    with np.errstate(invalid="ignore"):
        largest = np.nan_to_num(np.abs(goal) / unit).max(axis=1, initial=1.0, keepdims=True)
        away = np.abs(flat - goal)
    away = np.where(np.isnan(flat) & np.isnan(goal) | (flat == goal), 0.0, away)
    wrong = ~(away <= TOLERANCE * largest * unit + there.step)
    if not wrong.any():
        return ""
    row, column = np.argwhere(wrong)[0]
    return f"{flat[row, column]:.9g} instead of {goal[row, column]:.9g}, row {row}"
