"""The anomaly score of a window, which tolerates slow drift of a sensor.

Each sensor of a window of standardised rows has three statistics (`window_statistics`): its mean,
the mean of its residual, and the logarithm of its residual's energy. Each is compared with its mean
over held-out windows, in units of how much it changes there from one window to a later one. A
sensor that drifts changes a lot, so it must deviate more than others to be unusual. The measure of
change is the variogram of geostatistics (Matheron, 1963), averaged over lags from one window to a
quarter of the series.

The autoencoder follows sensors that move slowly together, even beyond the training data, and only
what does not fit remains in its residual. So drift does not raise an alarm where a distance to the
training rows would, and neither does common movement.
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
"""Longest lag, as a fraction of the held-out windows."""
_LEAST_ENERGY = 1e-4
"""Floor of the residual's energy, in variances of the sensor: below it is noise of the network."""
_LEAST_CHANGE = 1e-3
"""Floor of a statistic's squared change, so that a constant sensor is not infinitely sensitive."""


def window_statistics(windows: Floats, residuals: Floats) -> NDArray[np.float64]:
    """Return the statistics of windows, (k, 3, sensors).

    Parameters
    ----------
    windows, residuals : arrays of shape (k, window, sensors)
        Standardised rows, and their difference from the reconstruction.
    """
    width = windows.shape[1]
    energy = np.einsum("kws,kws->ks", residuals, residuals, dtype=np.float32) / width
    return np.stack(
        [windows.mean(axis=1), residuals.mean(axis=1), np.log(energy + _LEAST_ENERGY)], axis=1
    ).astype(np.float64)


@dataclass(frozen=True, eq=False)
class SeriesScore:
    """The mean and variability of the statistics of normal windows.

    Parameters
    ----------
    centre : array of float64, shape (3, sensors)
        Mean of each statistic.
    change : array of float64, shape (3, sensors)
        Half the mean squared change of each statistic: its variance, if it does not drift.
    """

    centre: NDArray[np.float64]
    change: NDArray[np.float64]

    @classmethod
    def fit(cls, statistics: NDArray[np.float64], width: int) -> Self:
        """Fit to the statistics, (n, 3, sensors), of consecutive windows of `width` rows."""
        longest = max(1, int(_LONGEST_LAG * (len(statistics) + width)))
        lags = np.unique(np.linspace(min(width, longest), longest, _LAGS).astype(int))
        squares = [
            np.square(statistics[lag:] - statistics[:-lag]).mean(axis=0)
            for lag in lags
            if lag < len(statistics)
        ]
        return cls(statistics.mean(axis=0), np.maximum(np.mean(squares, axis=0) / 2, _LEAST_CHANGE))

    def contributions(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each sensor's contribution to the scores, (k, 3, sensors) -> (k, sensors).

        The sum over sensors is the score: the mean squared deviation of the statistics in units of
        their change, about 1 for windows like the training windows.
        """
        squares = np.square(statistics - self.centre) / self.change
        return np.asarray(squares.sum(axis=1) / self.centre.size)
