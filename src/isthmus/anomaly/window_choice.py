"""Chooses the window of a series where the user does not.

A window is a sixteenth of the rows of `fit`: enough windows remain to learn from and to calibrate
on. It has at least `_SHORT` rows, if these are at most an eighth, and at most `_LONG`. Where the
series repeats itself, it is the nearest multiple of the period.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.data.sensor_series import SensorSeries

_PART, _LARGEST_PART = 16, 8
_SHORT, _LONG = 50, 250
_FEWEST = 4
_LEAST_CORRELATION = 0.3
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

    It is the lag of the highest peak of the sensors' mean autocorrelation.
    """
    seen = np.isfinite(rows)
    mean = np.where(seen, rows, 0.0).sum(axis=0) / np.maximum(1, seen.sum(axis=0))
    filled = np.where(seen, rows - mean, 0.0)
    spread = filled.std(axis=0)
    filled = filled[:, spread > 0] / spread[spread > 0]
    if not filled.size:
        return None
    spectrum = np.square(np.abs(np.fft.rfft(filled, 2 * len(filled), axis=0))).mean(axis=1)
    correlation = np.fft.irfft(spectrum)[: longest + 2]
    correlation = (
        correlation
        / correlation[0]
        * len(filled)
        / np.arange(len(filled), 0, -1)[: len(correlation)]
    )
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:]))
    peaks = peaks[(peaks >= _FEWEST) & (correlation[peaks] > _LEAST_CORRELATION)]
    return int(peaks[correlation[peaks].argmax()]) if len(peaks) else None
