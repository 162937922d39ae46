"""Whether the order of training rows matters: whether the last rows differ from those before.

Conformal p-values are valid for rows that are exchangeable with the held-out rows, which are drawn
at random from all training rows. If these change from the first to the last, as in a file that is
sorted or a process that drifts, later rows need not be like any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import betabinom

from isthmus.anomaly.nearest_neighbours import NearestNeighbours
from isthmus.anomaly.standardization import symlog

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats

# Chosen on the normal rows of sixteen of ADBench's tables, in the order of their files: these
# values find the four tables on which later rows raise the most false alarms, and none of the
# same tables shuffled.
_LAST = 0.2
"""Fraction of the rows that is compared with the others."""
_ROWS = 2_000
"""About as many rows are compared."""
_NEIGHBOURS = 3
_NO_POINT = -1
"""A row that equals a reference row is another row: it is not left out."""
_TAIL = 0.2
"""Fraction of earlier rows that count as far away."""
_EFFECT = 0.3
"""Fraction of last rows that must be far away, and how improbable that is without an effect."""
_ALPHA = 1e-3


class OrderEffect(NamedTuple):
    """How the last rows differ from those before."""

    far: float
    """The fraction of them that is farther from other rows than four fifths of earlier rows."""
    column: int
    """The column of the matrix whose distribution differs most."""


def order_effect(matrix: Floats) -> OrderEffect | None:
    """Compare the last fifth of rows with those before; None if they are alike.

    Every other earlier row is a reference. The distance of the last rows to their nearest
    reference rows is compared with that of the remaining earlier rows; the number of last rows
    beyond one of their quantiles is beta-binomial if the order does not matter.

    Parameters
    ----------
    matrix : array of shape (n, d)
        Standardised rows in the order in which the user passed them.
    """
    rows = symlog(matrix[:: max(1, len(matrix) // _ROWS)])
    last = len(rows) - int(_LAST * len(rows))
    reference, earlier, late = rows[:last:2], rows[1:last:2], rows[last:]
    if not len(late) or len(earlier) < 1 / _TAIL:
        return None
    points = NearestNeighbours(reference)
    near, distant = (
        points.find(part, _NEIGHBOURS, np.full(len(part), _NO_POINT)).distances.mean(axis=1)
        for part in (earlier, late)
    )
    beyond = int(_TAIL * len(near))
    count = int((distant > np.sort(near)[-beyond - 1]).sum())
    p_value = betabinom.sf(count - 1, len(late), beyond + 1, len(near) - beyond)
    if p_value >= _ALPHA or count < _EFFECT * len(late):
        return None
    return OrderEffect(count / len(late), int(_distances(rows, last).argmax()))


def _distances(rows: Floats, last: int) -> NDArray[np.float64]:
    """Return the Kolmogorov-Smirnov statistic of each column: rows from `last` on, and before."""
    order = np.argsort(rows, axis=0)
    values = np.take_along_axis(rows, order, axis=0)
    is_late = order >= last
    gap = np.cumsum(is_late, axis=0) / (len(rows) - last) - np.cumsum(~is_late, axis=0) / last
    # Equal values step together: only the last of each run counts.
    ends = np.ones(values.shape, dtype=bool)
    ends[:-1] = values[1:] != values[:-1]
    found: NDArray[np.float64] = np.where(ends, np.abs(gap), 0.0).max(axis=0)
    return found
