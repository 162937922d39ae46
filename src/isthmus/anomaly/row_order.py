"""Whether the order of training rows matters: whether the last rows differ from those before.

Conformal p-values are valid for rows that are exchangeable with the held-out rows, which are drawn
at random from all training rows. If these change from the first to the last, as in a file that is
sorted or a process that drifts, later rows need not be like any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import kstwobign

if TYPE_CHECKING:
    from isthmus.core.types import Floats

_LAST = 0.2
"""Fraction of the rows that is compared with the others."""
_CELLS = 1_000_000
_ROWS = (200, 4_000)
"""Fewest and most rows to compare."""
_ALPHA = 1e-3
_EFFECT = 0.3
"""Smallest distance between two distribution functions that is worth a warning. In large data
smaller ones are significant too, but they change the false-alarm rate little."""


class OrderEffect(NamedTuple):
    """The column that differs most between the last rows and the others."""

    column: int
    """Its place in the matrix."""
    distance: float
    """The Kolmogorov-Smirnov statistic: the largest distance of the distribution functions."""


def order_effect(matrix: Floats) -> OrderEffect | None:
    """Return the largest difference between the last fifth of rows and the rest; None if small.

    The two-sample Kolmogorov-Smirnov test of each column, with Bonferroni's correction.

    Parameters
    ----------
    matrix : array of shape (n, d)
        Rows in the order in which the user passed them.
    """
    fewest, most = _ROWS
    count = min(most, max(fewest, _CELLS // matrix.shape[1]))
    step = max(1, len(matrix) // count)
    rows = matrix[::step]
    late = np.arange(len(rows)) >= len(rows) - int(_LAST * len(rows))
    early_rows, late_rows = len(rows) - late.sum(), late.sum()
    if late_rows < 2:
        return None
    distances = _distances(rows, late)
    column = int(distances.argmax())
    size = np.sqrt(early_rows * late_rows / len(rows))
    p_value = matrix.shape[1] * kstwobign.sf(size * distances[column])
    if p_value >= _ALPHA or distances[column] < _EFFECT:
        return None
    return OrderEffect(column, float(distances[column]))


def _distances(rows: Floats, late: np.ndarray) -> np.ndarray:
    """Return the Kolmogorov-Smirnov statistic of each column, (d,)."""
    order = np.argsort(rows, axis=0)
    values = np.take_along_axis(rows, order, axis=0)
    is_late = late[order]
    gap = np.cumsum(is_late, axis=0) / late.sum() - np.cumsum(~is_late, axis=0) / (~late).sum()
    # Equal values step together: only the last of each run counts.
    last = np.ones(values.shape, dtype=bool)
    last[:-1] = values[1:] != values[:-1]
    found: np.ndarray = np.where(last, np.abs(gap), 0.0).max(axis=0)
    return found
