"""Scores a series row by row, as it is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly.series_detector import SeriesDetector, standardised
from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Online:
    """Keeps the last window of a series, and scores it with each new row.

    A row's score online is that of the window that ends with it, since those that would follow are
    not known yet; `SeriesDetector.online` calibrates it. Not for several threads at once.

    Parameters
    ----------
    detector : SeriesDetector
        Fitted.
    """

    def __init__(self, detector: SeriesDetector) -> None:
        self._detector = detector
        width, sensors = detector.window, len(detector.sensors)
        # Written twice, a window apart, so that the last window always lies in one piece.
        self._rows = np.zeros((2 * width, sensors), dtype=np.float32)
        self._silent = np.zeros(sensors, dtype=int)
        self.reset()

    def reset(self) -> None:
        """Forget the rows, as after a gap."""
        self._seen = 0
        self._silent[:] = 0

    def score_next(self, row: Any) -> float:
        """Take the next row and return its score, NaN until a window is full.

        Parameters
        ----------
        row : array of shape (sensors,)
            In units of the series that was learned. A sensor that is NaN keeps its last value for
            a tenth of a window; thereafter, a new window is begun when all sensors are back.

        Raises
        ------
        InvalidData
            It has another shape, or a value that is infinite or no number.
        """
        values = self._checked(row)
        scaled = standardised(values, self._detector.scaling)
        missing = np.isnan(values)
        if missing.any() and not self._filled(scaled, missing):
            self.reset()
            return float("nan")
        self._silent[~missing] = 0
        width = self._detector.window
        place = self._seen % width
        self._rows[place] = self._rows[place + width] = scaled
        self._seen += 1
        if self._seen < width:
            return float("nan")
        window = self._rows[None, place + 1 : place + 1 + width]
        return float(self._detector.contributions(window).sum())

    def _filled(self, scaled: NDArray[np.float32], missing: NDArray[np.bool_]) -> bool:
        """Fill what is missing with the last values; tell whether that may be done."""
        self._silent[missing] += 1
        if not self._seen or self._silent.max() > self._detector.longest_silence:
            return False
        scaled[missing] = self._rows[(self._seen - 1) % self._detector.window][missing]
        return True

    def _checked(self, row: Any) -> NDArray[np.float64]:
        sensors = len(self._detector.sensors)
        try:
            values = np.asarray(row, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.shape != (sensors,) or np.isinf(values).any():
            raise InvalidData(
                "a row",
                expected=f"{sensors} finite numbers, NaN where one is missing",
                received=repr(row)[:200],
                remedy="pass one value for each sensor, in the order of fit",
            )
        return values
