"""What is odd about a window: a score that slow drift of a sensor does not raise.

Of each sensor in a window of standardised rows, three numbers are taken, see `describe`: its level,
the level of what the autoencoder leaves over, and the logarithm of the energy of what it leaves
over. Each is compared with its mean over held-out windows, in units of how much it changes there
from one window to another some way on. A sensor that wanders changes much, so it must go further
than others to be odd; one that comes back to its level need not. That is the variogram of
geostatistics (Matheron, 1963), averaged over lags from one window to a quarter of the series.

The autoencoder follows sensors that move together and slowly, even to where it has not been, and
leaves over what does not fit them; so it forgives drift where a distance to the training rows
would not, and sees through common movement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats

STATISTICS = 3
_LAGS = 8
_LONGEST_LAG = 0.25
"""Share of the held-out windows."""
_LEAST_ENERGY = 1e-4
"""Of what is left over, in variances of the sensor: less is the network's own noise."""
_LEAST_CHANGE = 1e-3
"""Squared, of a statistic: a constant sensor must not be infinitely sensitive."""


def describe(windows: Floats, left: Floats) -> NDArray[np.float64]:
    """Return the statistics of windows, (k, 3, sensors).

    Parameters
    ----------
    windows, left : arrays of shape (k, window, sensors)
        Standardised rows, and the same minus their reconstruction.
    """
    width = windows.shape[1]
    energy = np.einsum("kws,kws->ks", left, left, dtype=np.float32) / width
    return np.stack(
        [windows.mean(axis=1), left.mean(axis=1), np.log(energy + _LEAST_ENERGY)], axis=1
    ).astype(np.float64)


@dataclass(frozen=True, eq=False)
class SeriesScore:
    """What is usual of the statistics.

    Parameters
    ----------
    centre : array of float64, shape (3, sensors)
        Their means.
    change : array of float64, shape (3, sensors)
        Half the mean square by which they change: for what does not wander, the variance.
    """

    centre: NDArray[np.float64]
    change: NDArray[np.float64]

    @classmethod
    def of(cls, described: NDArray[np.float64], width: int) -> Self:
        """Learn from consecutive windows' statistics, (n, 3, sensors), of `width` rows each."""
        longest = max(1, int(_LONGEST_LAG * (len(described) + width)))
        lags = np.unique(np.linspace(min(width, longest), longest, _LAGS).astype(int))
        squares = [
            np.square(described[lag:] - described[:-lag]).mean(axis=0)
            for lag in lags
            if lag < len(described)
        ]
        return cls(described.mean(axis=0), np.maximum(np.mean(squares, axis=0) / 2, _LEAST_CHANGE))

    def contributions(self, described: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each sensor adds to each window's score, (k, 3, sensors) -> (k, sensors).

        The sum over sensors is the score: the mean of the squared statistics in units of their
        change, about 1 for windows like those that it was learned from.
        """
        squares = np.square(described - self.centre) / self.change
        return np.asarray(squares.sum(axis=1) / self.centre.size)
