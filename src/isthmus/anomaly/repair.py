"""Finds a few cells whose change makes a row normal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.cell_density import CellModel
    from isthmus.anomaly.contributions import ScoreModel
    from isthmus.core.types import Floats

_CANDIDATES = 3
"""The least likely cells of a row that are tried."""


@dataclass(frozen=True)
class Repair:
    """Rows with a few cells changed to the values that the rest of the row suggests."""

    matrix: Floats
    """(n, d), standardised."""
    changed: NDArray[np.bool_]
    """(n, columns), which cells were."""
    order: NDArray[np.intp]
    """(n, k), the columns changed, first the one that mattered most; -1 where none was needed."""
    before: NDArray[np.float64]
    """(n,), scores of the rows as they came."""
    after: NDArray[np.float64]
    """(n,), and repaired."""


def repair_rows(
    fitted: ScoreModel, cells: CellModel, matrix: Floats, k: int, *, threshold: float = 0.0
) -> Repair:
    """Change up to `k` cells of each row, one after the other, so that its score falls.

    Each time, the three least likely cells are tried with the value that the other cells suggest,
    those changed before left out. The first change that makes the row normal is taken, otherwise
    the first that lowers its score: the largest drop might come from a cell that compensates for
    the fault of another. A row is left once its score is at most
    `threshold`, or no such change lowers it.

    Parameters
    ----------
    fitted : ScoreModel
        Whose score is to fall.
    cells : CellModel
        Of normal rows.
    matrix : array of shape (n, d)
        Standardised rows.
    k : int
        Cells to change at most, from 1.
    threshold : float
        Above it, a score is an alarm.
    """
    rows = np.array(matrix, dtype=np.float32)
    before = np.asarray(fitted.score(rows), dtype=np.float64)
    after = before.copy()
    k = min(k, len(cells.columns))
    changed = np.zeros((len(rows), len(cells.columns)), dtype=bool)
    order = np.full((len(rows), k), -1, dtype=np.intp)
    for turn in range(k):
        open_rows = np.flatnonzero(
            (after > threshold) & (order[:, turn - 1] >= 0 if turn else True)
        )
        if not len(open_rows):
            break
        column, values, score = _chosen(
            fitted, cells, rows[open_rows], changed[open_rows], after[open_rows], threshold
        )
        found = column >= 0
        at, column = open_rows[found], column[found]
        rows[at], after[at] = values[found], score[found]
        changed[at, column], order[at, turn] = True, column
    return Repair(rows, changed, order, before, after)


def _chosen(
    fitted: ScoreModel,
    cells: CellModel,
    rows: Floats,
    changed: NDArray[np.bool_],
    scores: NDArray[np.float64],
    threshold: float,
) -> tuple[NDArray[np.intp], Floats, NDArray[np.float64]]:
    """Return for each row the column to change or -1, the row with it changed, and its score."""
    surprise = np.where(changed, -np.inf, cells.surprise(rows, changed))
    expected = cells.expected(rows, changed)
    tried = np.argsort(-surprise, axis=1, kind="stable")[:, :_CANDIDATES]
    column = np.full(len(rows), -1, dtype=np.intp)
    best, lowest = rows.copy(), scores.copy()
    for candidate in tried.T:
        swapped = cells.column_of == candidate[:, None]
        values = np.where(swapped, expected, rows)
        score = np.asarray(fitted.score(values), dtype=np.float64)
        fresh = ~np.take_along_axis(changed, candidate[:, None], axis=1)[:, 0]
        normal = (score <= threshold) & (lowest > threshold)
        better = fresh & (normal | ((column < 0) & (score < lowest)))
        column[better], lowest[better] = candidate[better], score[better]
        best[better] = values[better]
    return column, best, lowest
