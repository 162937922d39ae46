"""From scores to alarms: conformal p-values, the alarm threshold and the false discovery rate.

Scores of new rows are compared with those of held-out rows ("calibration"); higher is worse. The
guarantees rest on one assumption: held-out rows and new normal rows are exchangeable.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

_FRACTION = 0.25
"""Fraction of the rows to hold out, if that is enough for the false-alarm rate."""
_LARGEST_FRACTION = 0.5
_LADDER = 2
"""Fewest held-out rows that lie above the threshold, if there are enough rows."""
_MOST = 20_000
"""Limit on the number of held-out rows. More would hardly make the rate more precise."""
_LEAST_SLOPE = 0.2
_FENCE = 3.0
"""Distance above the upper quartile, in interquartile ranges, from which a score is "far out"."""


def calibration_size(n: int, rate: float) -> int:
    """Return how many of `n` rows to hold out for a given false-alarm rate.

    If there are enough rows, ``rate * (held_out + 1)`` is an integer, so the false-alarm rate is
    exactly `rate` and not below it.
    """
    wanted = min(max(_FRACTION * n, _LADDER / rate), _LARGEST_FRACTION * n, _MOST)
    whole = math.floor(rate * (wanted + 1) + 1e-9)
    exact = round(whole / rate) - 1 if whole else wanted
    return max(1, math.floor(min(exact, _LARGEST_FRACTION * n)))


def p_values(scores: Scores, calibration: Scores) -> Scores:
    """Return conformal p-values, (n,), in (0, 1] (Vovk et al., 2005; Laxhammar, 2014).

    The p-value is ``(1 + held-out rows that score as high or higher) / (1 + held-out rows)``. For
    a normal row it is at most `alpha` with probability at most `alpha`, whatever the score.

    Parameters
    ----------
    scores : array of shape (n,)
        Scores of new rows.
    calibration : array of shape (m,)
        Scores of held-out normal rows, in ascending order.
    """
    below = np.searchsorted(calibration, scores, side="left")
    above = 1 + len(calibration) - below
    values: Scores = above.astype(np.float64) / (1 + len(calibration))
    return values


def is_enough(held_out: int, rate: float) -> bool:
    """Return whether `held_out` rows are enough for p-values as small as `rate`."""
    return math.floor(rate * (held_out + 1) + 1e-9) >= 1


def threshold(calibration: Scores, rate: float) -> float:
    """Return the score above which a row's p-value is at most `rate`.

    With too few held-out rows, no p-value is that small. The threshold is then extrapolated beyond
    the largest score, with an exponential tail of twice the fitted slope. The rate is not
    guaranteed in that case, but errs on the side of too few alarms.

    Parameters
    ----------
    calibration : array of shape (m,)
        Scores of held-out normal rows, in ascending order.
    rate : float
        The false-alarm rate.
    """
    return float(thresholds(calibration, np.array([rate]))[0])


def thresholds(calibration: Scores, rates: Scores) -> Scores:
    """Return what `threshold` does for each of several rates, (k,)."""
    expected = rates * (len(calibration) + 1)
    whole = np.floor(expected + 1e-9).astype(np.intp)
    beyond = calibration[-1] - tail_slope(calibration) * np.log(expected)
    return np.where(whole >= 1, calibration[-np.clip(whole, 1, len(calibration))], beyond)


def tail_slope(calibration: Scores) -> float:
    """Return how much the threshold rises beyond the largest score while a rate falls by e."""
    upper = np.quantile(calibration, 0.75)
    slope = (calibration[-1] - upper) / math.log(max(2.0, 0.25 * (len(calibration) + 1)))
    return float(2 * max(slope, _LEAST_SLOPE))


def discoveries(values: Scores, rate: float) -> NDArray[np.bool_]:
    """Return which p-values to reject so that the false discovery rate is at most `rate`.

    Uses the procedure of Benjamini and Hochberg (1995), which remains valid for conformal p-values
    that share held-out rows (Bates et al., 2023, "Testing for outliers with conformal p-values").

    Parameters
    ----------
    values : array of shape (n,)
        p-values.
    rate : float
        The highest expected fraction of false discoveries among those rejected.
    """
    ordered = np.sort(values)
    passing = np.flatnonzero(ordered <= rate * np.arange(1, len(ordered) + 1) / len(ordered))
    if len(passing) == 0:
        return np.zeros(len(values), dtype=bool)
    rejected: NDArray[np.bool_] = values <= ordered[passing[-1]]
    return rejected


def far_out(scores: Scores, fence: float = _FENCE) -> NDArray[np.bool_]:
    """Return which scores of a contaminated set are above a fence of Tukey's (1977), (n,).

    A fence is so many interquartile ranges above the upper quartile. Scores above the outer one,
    the default, are "far out".
    """
    low, high = np.quantile(scores, [0.25, 0.75])
    far: NDArray[np.bool_] = scores > high + fence * (high - low)
    return far
