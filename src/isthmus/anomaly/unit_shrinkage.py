"""How far a figure of each unit of a fleet is trusted, rather than the fleet's.

A unit's mean of n rows differs from the fleet's because units differ, with a variance B, and by
chance, with a variance V / n. The best linear estimate of what the unit's mean really is lies
between the two: the fleet's plus B / (B + V / n) of the difference (Efron and Morris, 1973). Units
that are alike thus share one figure, however few rows they have; units that differ have their own.

V is estimated from the difference between the two halves of each unit in time, so that it includes
what rows that depend on each other, and slow drift, add. B is what is left of the variance between
the units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import RowNumbers

    Float64s = NDArray[np.float64]

_MEDIAN_OF_SQUARE = 0.4549364231195724
"""The median of the square of a standard normal variable."""


@dataclass(frozen=True, eq=False)
class UnitShrinkage:
    """The mean of figures over units, how much units differ, and how much is chance.

    Parameters
    ----------
    centre : array of float64, shape (figures,)
        The mean over the units.
    between : array of float64, shape (figures,)
        The variance between units, B.
    within : array of float64, shape (figures,)
        The variance of one unit by chance, times its number of rows, V.
    """

    centre: Float64s
    between: Float64s
    within: Float64s

    @classmethod
    def fit(cls, values: Float64s, halves: Float64s, counts: RowNumbers) -> Self:
        """Fit to the figures of units.

        Parameters
        ----------
        values : array of shape (units, figures)
            NaN where a unit has none.
        halves : array of shape (units, 2, figures)
            Those of the first and the second half of each unit.
        counts : array of int, shape (units,)
            The rows of each unit.
        """
        rows = counts[:, None].astype(np.float64)
        known = np.isfinite(values)
        many = np.maximum(known.sum(axis=0), 1)
        centre = np.where(known, values, 0.0).sum(axis=0) / many
        squares = np.square(halves[:, 0] - halves[:, 1]) / 4 * rows
        within = _medians(squares) / _MEDIAN_OF_SQUARE
        spread = np.where(known, np.square(values - centre), 0.0).sum(axis=0) / np.maximum(
            many - 1, 1
        )
        chance = np.where(known, within / rows, 0.0).sum(axis=0) / many
        return cls(centre, np.maximum(spread - chance, 0.0), within)

    def of_figures(self, places: RowNumbers) -> UnitShrinkage:
        """Return the shrinkage of some of the figures."""
        return UnitShrinkage(self.centre[places], self.between[places], self.within[places])

    def estimates(self, values: Float64s, counts: RowNumbers) -> Float64s:
        """Return the figures that are used for units, (units, figures).

        Parameters
        ----------
        values, counts
            As in `fit`, of the same units or others; the fleet's where there is no figure.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            trust = self.between / (self.between + self.within / counts[:, None])
        # 0 / 0: units that are all alike, and have no variation.
        return self.centre + np.nan_to_num(trust) * np.nan_to_num(values - self.centre)


def _medians(values: Float64s) -> Float64s:
    """Return the median of each column, 0 where all are NaN."""
    ordered = np.sort(values, axis=0)  # NaN last
    known = np.isfinite(values).sum(axis=0)
    middle = np.stack([np.maximum(known - 1, 0) // 2, known // 2])
    picked = np.take_along_axis(ordered, np.minimum(middle, len(values) - 1), axis=0)
    return np.where(known > 0, picked.mean(axis=0), 0.0)
