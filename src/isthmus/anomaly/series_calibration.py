"""From the scores of held-out rows of a series to p-values and a threshold.

Neighbouring rows share windows and a series has memory, so neither rows nor windows are
exchangeable. n rows are worth m = n / tau independent ones, where tau is the integrated
autocorrelation time of the scores. Therefore

- each score is first divided by a margin, because m observations predict the next m only roughly.
  The margin is the upper quartile of the F distribution with m and m degrees of freedom: 2.4 for 3
  observations, 1.3 for 30, with limit 1;
- a p-value is the fraction of held-out rows above a score, if these are worth more than 1.5
  independent ones;
- where they are not, the logarithms of scores are assumed to be normal, and the p-value is that of
  Student's t prediction from m observations, but at least this fraction.

In the long run, while the series behaves as before, the fraction of false alarms among timestamps
is at most the requested rate in three fits of four; `alarm_threshold` corrects it as rows arrive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from scipy import stats

from isthmus.anomaly.autocovariance import autocovariance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import RowNumbers

_COUNTED = 1.5
"""Fewest independent observations above a score for their fraction to be used as it is."""
SMALLEST = 1e-12
"""Scores are clipped here, because logarithms of smaller ones are meaningless."""
_HIGHEST = 500.0
"""Highest logarithm of a threshold; no score exceeds its exponential."""
_LAST_CORRELATION = 0.05
"""The first autocorrelation below this and all later ones are treated as noise."""


@dataclass(frozen=True, eq=False)
class SeriesCalibration:
    """Turns scores into p-values by comparing them with held-out scores.

    Parameters
    ----------
    scores : array of float64, shape (n,)
        Held-out scores, in ascending order.
    tau : float
        Number of rows that are worth one independent row, at least the window.
    """

    fewest: ClassVar[float] = 3.0
    """Least number of observations; with fewer, there would hardly ever be an alarm."""
    vague: ClassVar[float] = 0.25
    """Probability that the next observations vary more than the margin allows for."""

    scores: NDArray[np.float64]
    tau: float

    @classmethod
    def fit(
        cls,
        scores: NDArray[np.float64],
        shortest: int,
        begins: RowNumbers | tuple[()] = (),
        *,
        for_same_rows: bool = False,
    ) -> Self:
        """Calibrate on the scores of consecutive rows.

        Parameters
        ----------
        scores : array of float64, shape (n,)
            Held-out scores, in order of time; in a fleet, unit after unit.
        shortest : int
            tau is at least this.
        begins : array of int, optional
            Which rows are the first ones of another unit.
        for_same_rows : bool
            Whether the rows to judge are those that the scores are of. Then nothing is predicted,
            and the margin is made up for.
        """
        logs = np.log(np.maximum(scores, SMALLEST))
        fitted = cls(np.sort(scores), max(float(shortest), correlation_time(logs, begins)))
        return replace(fitted, scores=fitted.scores / fitted.margin) if for_same_rows else fitted

    @property
    def observations(self) -> float:
        """Effective number of independent observations, at least `fewest`."""
        return max(self.fewest, len(self.scores) / self.tau)

    @property
    def margin(self) -> float:
        """What scores are divided by before they are compared."""
        return float(stats.f.isf(self.vague, self.observations, self.observations))

    @property
    def spread(self) -> float:
        """Standard deviation of the logarithms of the held-out scores."""
        return float(np.log(np.maximum(self.scores, SMALLEST)).std())

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the p-value of each score, in (0, 1]; NaN where there is none."""
        scaled = scores / self.margin
        above = len(self.scores) - np.searchsorted(self.scores, scaled, side="left")
        counted = above / len(self.scores)
        few = np.maximum(counted, np.minimum(self.tail_p(scaled), self.enough))
        values = np.where(counted < self.enough, few, counted)
        return np.where(np.isnan(scores), np.nan, np.minimum(values, 1.0))

    def threshold(self, rate: float) -> float:
        """Return the score above which a row's p-value is at most `rate`."""
        score = float(self.scores[max(0, len(self.scores) - 1 - int(rate * len(self.scores)))])
        if rate < self.enough:
            score = max(score, self.tail_score(rate))
        return self.margin * max(score, SMALLEST)

    def tail_p(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return p-values, (n,), of scores divided by the margin, if log scores are normal."""
        centre, spread, m = self.tail
        with np.errstate(invalid="ignore"):
            distance = (np.log(np.maximum(scaled, SMALLEST)) - centre) / spread
            return np.asarray(np.maximum(stats.t.sf(distance, m - 1), np.finfo(float).tiny))

    def tail_score(self, rate: float) -> float:
        """Return the score with a `tail_p` of `rate`."""
        centre, spread, m = self.tail
        return float(np.exp(min(centre + stats.t.isf(rate, m - 1) * spread, _HIGHEST)))

    @property
    def enough(self) -> float:
        """Smallest fraction of held-out scores that is a p-value as it is."""
        return _COUNTED / self.observations

    @property
    def tail(self) -> tuple[float, float, float]:
        """Centre, scale and number of observations for predicting a new log score."""
        logs, m = np.log(np.maximum(self.scores, SMALLEST)), self.observations
        # m / (m - 1) makes the variance unbiased; 1 + 1 / m adds the uncertainty of the mean.
        spread = float(logs.std()) * np.sqrt(m / (m - 1) * (1 + 1 / m))
        return float(logs.mean()), max(spread, 1e-6), m


def correlation_time(values: NDArray[np.float64], begins: RowNumbers | tuple[()] = ()) -> float:
    """Return the integrated autocorrelation time of a sequence, in rows; at least 1.

    Parameters
    ----------
    values : array of float64, shape (n,)
        The sequence, or several, one after the other.
    begins : array of int, optional
        Where another sequence begins. Values of different sequences are not compared: if the first
        sequences are a little lower than the last ones, correlation would seem to have no end.
    """
    centred = values - values.mean()
    if len(values) < 2 or not centred.any():
        return 1.0
    bounds = [0, *begins, len(values)]
    correlation = np.zeros(max(np.diff(bounds)))
    for first, stop in pairwise(bounds):
        correlation[: stop - first] += autocovariance(centred[first:stop])
    correlation /= correlation[0]
    last = int((correlation < _LAST_CORRELATION).argmax()) or len(correlation)
    return max(1.0, 1.0 + 2.0 * float(correlation[1:last].sum()))
