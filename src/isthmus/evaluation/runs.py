"""Runs of rows: labelled anomalies and alarms as first and last rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from isthmus.core.types import RowNumbers

Runs = NDArray[np.int64]
"""(k, 2), the first and the last row of each run; in order, and without overlaps."""


class RunOverlaps(NamedTuple):
    """For each run, which of the other runs share rows with it."""

    first: NDArray[np.int64]
    """(k,), the number of the first such run; meaningless if there is none."""
    many: NDArray[np.int64]
    """(k,), how many such runs there are."""


def runs(flags: NDArray[np.bool_], starts: RowNumbers | None = None) -> Runs:
    """Return the runs of True in flags (n,).

    Parameters
    ----------
    flags : array of bool, shape (n,)
    starts : array of int, optional
        Rows in which another unit begins: no run contains such a row and the one before.
    """
    first, last = flags.copy(), flags.copy()
    first[1:] &= ~flags[:-1]
    last[:-1] &= ~flags[1:]
    if starts is not None:
        inner = starts[(starts > 0) & (starts < len(flags))]
        first[inner], last[inner - 1] = flags[inner], flags[inner - 1]
    return np.stack([np.flatnonzero(first), np.flatnonzero(last)], axis=1)


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
