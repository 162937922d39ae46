"""The calibration of series detectors in archives from before levels followed the data.

Scores are divided by the upper 10% point of the F distribution with m and m degrees of freedom, and
a p-value counts held-out rows in units of tau, as if there were m of them plus the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from isthmus.anomaly.series_calibration import SeriesCalibration

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class EarlierCalibration(SeriesCalibration):
    """Turns scores into p-values as earlier versions did."""

    fewest: ClassVar[float] = 5.0
    vague: ClassVar[float] = 0.1

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the p-value of each score, in (0, 1]; NaN where there is none."""
        scaled = scores / self.margin
        above = len(self.scores) - np.searchsorted(self.scores, scaled, side="left")
        counted = (self.tau + above) / (self.tau + len(self.scores))
        values = np.where(above == 0, np.minimum(counted, self.tail_p(scaled)), counted)
        return np.where(np.isnan(scores), np.nan, np.minimum(values, 1.0))

    def threshold(self, rate: float) -> float:
        """Return the score above which a row's p-value is at most `rate`."""
        allowed = rate * (self.tau + len(self.scores)) - self.tau
        if allowed >= 0:
            return self.margin * float(self.scores[-int(allowed) - 1])
        return self.margin * max(float(self.scores[-1]), self.tail_score(rate))
