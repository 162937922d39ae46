"""Finds the few cells that have to change to make a row normal."""

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
"""How many of a row's least likely cells are tried."""


@dataclass(frozen=True)
class Repair:
    """Rows with a few cells changed to the values that the rest of the row suggests."""

    matrix: Floats
    """(n, d), standardised."""
    changed: NDArray[np.bool_]
    """(n, columns), True for changed cells."""
    order: NDArray[np.intp]
    """(n, k), the changed columns in the order of the changes; -1 where there was no change."""
    before: NDArray[np.float64]
    """(n,), scores before the repair."""
    after: NDArray[np.float64]
    """(n,), scores after it."""


def repair_rows(
    fitted: ScoreModel, cells: CellModel, matrix: Floats, k: int, *, threshold: float = 0.0
) -> Repair:
    """Change up to `k` cells of each row, one after the other, to lower its score.

    In each round, the three least likely cells are set to their expected values given the
    unchanged cells, one at a time. The first change that makes the row normal is kept, otherwise
    the first that lowers its score. The largest drop is not used, because it might come from a
    cell that compensates for the fault of another. A row is done when its score is at most
    `threshold`, or when no such change lowers it.

    Parameters
    ----------
    fitted : ScoreModel
        The score to lower.
    cells : CellModel
        Cell densities of normal rows.
    matrix : array of shape (n, d)
        Standardised rows.
    k : int
        Most cells to change per row, at least 1.
    threshold : float
        A score above it raises an alarm.
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
        improved = column >= 0
        at, column = open_rows[improved], column[improved]
        rows[at], after[at] = values[improved], score[improved]
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
    """Return for each row the column to change (or -1), the changed row, and its score."""
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
