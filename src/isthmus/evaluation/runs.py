"""Runs of rows: labelled anomalies and alarms as first and last rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Runs = NDArray[np.int64]
"""(k, 2), the first and the last row of each run; in order, and without overlaps."""


class RunOverlaps(NamedTuple):
    """For each run, which of the other runs share rows with it."""

    first: NDArray[np.int64]
    """(k,), the number of the first such run; meaningless if there is none."""
    many: NDArray[np.int64]
    """(k,), how many such runs there are."""


def runs(flags: NDArray[np.bool_]) -> Runs:
    """Return the runs of True in flags (n,)."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    found: Runs = edges.reshape(-1, 2)
    found[:, 1] -= 1
    return found


def flags_of(ranges: Runs, n: int) -> NDArray[np.bool_]:
    """Return n flags that are True in the runs."""
    steps = np.zeros(n + 1, dtype=np.int64)
    np.add.at(steps, ranges[:, 0], 1)
    np.add.at(steps, ranges[:, 1] + 1, -1)
    inside: NDArray[np.bool_] = np.cumsum(steps[:-1]) > 0
    return inside


def overlaps(ranges: Runs, others: Runs) -> RunOverlaps:
    """Return which of the other runs share rows with each run."""
    first = np.searchsorted(others[:, 1], ranges[:, 0], side="left")
    stop = np.searchsorted(others[:, 0], ranges[:, 1], side="right")
    return RunOverlaps(first, stop - first)
