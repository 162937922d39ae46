"""Chooses the window of a series where the user does not.

A window is a sixteenth of the rows of `fit`: enough windows remain to learn from and to calibrate
on. It has at least `_SHORT` rows, if these are at most an eighth, and at most `_LONG`. Where the
series repeats itself, it is the nearest multiple of the period.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.anomaly.autocovariance import autocovariance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.data.sensor_series import SensorSeries

_PART, _LARGEST_PART = 16, 8
_SHORT, _LONG = 50, 250
_FEWEST = 4
_LEAST_CORRELATION, _LEAST_RISE, _NEARLY = 0.3, 0.2, 0.9
"""Of a peak, its rise from the lowest correlation before it, and its part of the highest peak: the
correlation of noise with a memory falls with small peaks that are no period."""
_APART = 1.25
"""Peaks closer to each other than by this factor are one, split by noise."""
_MOST_ROWS = 20_000
"""Rows from which the period is found."""


def chosen_window(series: SensorSeries) -> int:
    """Return a window, in rows."""
    count = len(series)
    window = max(_FEWEST, min(max(count // _PART, min(_SHORT, count // _LARGEST_PART)), _LONG))
    repeats = period(np.asarray(series.values[:_MOST_ROWS], dtype=np.float64), 2 * window)
    return window if repeats is None else max(1, round(window / repeats)) * repeats


def period(rows: NDArray[np.float64], longest: int) -> int | None:
    """Return the period of a series (n, sensors) in rows, at most `longest`; None without one.

    It is the shortest lag at which the sensors' mean autocorrelation has a peak that is nearly as
    high as the highest.
    """
    filled = [_filled(column) for column in rows.T if np.isfinite(column).any()]
    scaled = [column / column.std() for column in filled if column.std() > 0]
    if not scaled:
        return None
    count, lags = len(rows), min(longest + 2, len(rows))
    products = np.mean([autocovariance(column)[:lags] for column in scaled], axis=0)
    correlation = products / np.arange(count, count - lags, -1)
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:]))
    rise = correlation - np.minimum.accumulate(correlation)
    peaks = peaks[(correlation[peaks] > _LEAST_CORRELATION) & (rise[peaks] > _LEAST_RISE)]
    peaks = peaks[peaks >= _FEWEST]
    if not len(peaks):
        return None
    first = peaks[(correlation[peaks] >= _NEARLY * correlation[peaks].max()).argmax()]
    near = peaks[(peaks >= first) & (peaks < _APART * first)]
    return int(near[correlation[near].argmax()])


def _filled(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a sensor's values, (n,), without their mean and with missing cells interpolated."""
    places, seen = np.arange(len(column)), np.isfinite(column)
    filled = np.interp(places, places[seen], column[seen])
    return np.asarray(filled - filled.mean())
