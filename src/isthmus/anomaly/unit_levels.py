"""Makes the anomaly scores of units comparable, so that one threshold holds for all of them.

A unit that is noisier, or less like the others, has higher scores without being anomalous. Its
scores are divided by its level, so that its threshold is its own: the fleet's times the level. The
level is estimated from the unit's training rows, as far as they suffice to tell it from the fleet's
(`unit_shrinkage`); a unit that was not in `fit` has level 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.anomaly.unit_shrinkage import UnitShrinkage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import RowNumbers
    from isthmus.data.fleet import Fleet

_SMALLEST = 1e-12
"""Scores are clipped here, because logarithms of smaller ones are meaningless."""


def fitted_levels(fleet: Fleet, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the level of each unit, (units,): about 1.

    Parameters
    ----------
    fleet : Fleet
        The units.
    scores : array of shape (n,)
        The score of each row, before it is divided by a level; NaN where there is none.
    """
    units, logs = fleet.unit_of_rows, np.log(np.maximum(scores, _SMALLEST))
    halves = _means(logs, fleet.half_of_rows, 2 * len(fleet.names))
    whole = _means(logs, units, len(fleet.names))[:, None]
    shrinkage = UnitShrinkage.fit(whole, halves.reshape(-1, 2, 1), fleet.counts)
    found = shrinkage.estimates(whole, fleet.counts) - shrinkage.centre
    return np.asarray(np.exp(found[:, 0]))


def _means(logs: NDArray[np.float64], part: RowNumbers, parts: int) -> NDArray[np.float64]:
    """Return the mean of each part, (parts,); NaN for a part without a score."""
    known = np.isfinite(logs)
    with np.errstate(invalid="ignore"):
        return np.bincount(part[known], logs[known], parts) / np.bincount(
            part[known], minlength=parts
        )
