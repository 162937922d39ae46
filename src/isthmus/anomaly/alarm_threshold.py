"""The threshold of a series' alarms, which keeps the false-alarm rate while the data change slowly.

The logarithm of the threshold follows the alarms, as the quantile tracking of conformal prediction
does: it moves up by ``step * (1 - rate)`` for each row with an alarm, and down by ``step * rate``
for each row without. If all alarms counted, the fraction of alarms among T rows would differ from
`rate` by at most ``(range + step) / (step * T)``, whatever the data do, where `range` bounds the
logarithms of the scores (Angelopoulos, Candes and Tibshirani, 2023, "Conformal PID Control for Time
Series Prediction", Proposition 1).

So that faults do not raise the threshold, an alarm counts only if it is like a false one: the
logarithm of its highest score is at most `_CLEAR` standard deviations above that of the threshold,
and it is over after `_LONGEST` times the time in which scores are correlated. The guarantee is
about these alarms.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import RowNumbers

_STEP = 1.0
"""How far an alarm as long as the scores' correlation time moves the logarithm."""
_CLEAR = 2.5
_LONGEST = 2.0
_DOWN, _UP = 1.5, 3.0
"""Largest moves from the start, in logarithms: after a week at rest, a series would otherwise raise
alarms at anything."""


class AlarmThreshold:
    """The threshold as rows arrive.

    Parameters
    ----------
    start : float
        The threshold for the first row, above 0.
    rate : float
        The fraction of rows that may be false alarms.
    tau : float
        Number of rows that are worth one independent row.
    spread : float
        Standard deviation of the logarithms of normal rows' scores.

    Attributes
    ----------
    step : float
        How far a row with an alarm moves the logarithm.
    most_rows, clear : float
        The longest alarm that counts, and its highest score relative to the threshold.
    lowest, most : float
        Limits of the logarithm.
    """

    def __init__(self, start: float, rate: float, tau: float, spread: float) -> None:
        self.step, self.rate, self.most_rows = _STEP / tau, rate, _LONGEST * tau
        self.clear = math.exp(_CLEAR * spread)
        self._log = math.log(start)
        self.lowest, self.most = self._log - _DOWN, self._log + _UP
        self._rows, self._highest = 0, 0.0

    def at_next(self, score: float) -> float:
        """Return the threshold for the next row, and take its score (NaN for none) into account."""
        threshold = math.exp(self._log)
        if score > threshold:
            self._rows += 1
            self._highest = max(self._highest, score / threshold)
        elif score <= threshold:
            self._close()
            self._log = max(self.lowest, self._log - self.step * self.rate)
        return threshold

    def state(self) -> tuple[float, float, float]:
        """Return what `restore` takes."""
        return self._log, float(self._rows), self._highest

    def restore(self, log: float, rows: float, highest: float) -> None:
        """Go on after the last row of another threshold, given its `state`."""
        self._log = min(max(log, self.lowest), self.most)
        self._rows, self._highest = int(rows), highest

    def _close(self) -> None:
        if self._rows and self._highest <= self.clear and self._rows <= self.most_rows:
            moved = self._log + self.step * (1 - self.rate) * self._rows
            self._log = min(self.most, moved)
        self._rows, self._highest = 0, 0.0


def check_one_for_each(scores: NDArray[np.float64], rows: int) -> None:
    """Raise InvalidData unless there is one score for each of so many rows."""
    if scores.shape != (rows,):
        raise InvalidData(
            "scores",
            expected=f"one for each row, shape ({rows},)",
            received=f"shape {scores.shape}",
            remedy="pass the rows that have these scores",
        )


def thresholds(
    scores: NDArray[np.float64],
    start: float,
    rate: float,
    tau: float,
    spread: float,
    begins: RowNumbers | tuple[()] = (),
) -> NDArray[np.float64]:
    """Return the threshold for each of the scores of successive rows, (n,).

    Parameters
    ----------
    scores : array of float64, shape (n,)
        NaN where there is no score.
    start, rate, tau, spread : float
        As in `AlarmThreshold`.
    begins : array of int, optional
        Which rows are the first ones of another unit, where the threshold starts afresh.
    """
    found = np.empty(len(scores))
    for first, stop in pairwise([0, *begins, len(scores)]):
        threshold = AlarmThreshold(start, rate, tau, spread)
        found[first:stop] = [threshold.at_next(score) for score in scores[first:stop].tolist()]
    return found
