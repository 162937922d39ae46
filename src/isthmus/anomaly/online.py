"""Scores a series row by row, as the rows arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly.series_windows import SensorScaling, longest_gap, standardised_rows
from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from isthmus.core.types import Floats


class OnlineScorer:
    """Keeps the last window of a series and scores it with each new row.

    A row's score is that of the window that ends with it, because later windows are not available
    yet. Not thread-safe.

    Parameters
    ----------
    window : int
        Rows per window.
    scaling : SensorScaling
        Standardises rows.
    contributions : callable
        Maps standardised windows, (k, window, sensors), to each sensor's contribution to their
        scores, (k, sensors).
    """

    def __init__(
        self,
        window: int,
        scaling: SensorScaling,
        contributions: Callable[[Floats], NDArray[np.float64]],
    ) -> None:
        self._window, self._scaling, self._contributions = window, scaling, contributions
        sensors = len(scaling.centre)
        # Each row is stored twice, a window apart, so the last window is always contiguous.
        self._rows = np.zeros((2 * window, sensors), dtype=np.float32)
        self._missing_for = np.zeros(sensors, dtype=int)
        self.reset()

    def reset(self) -> None:
        """Forget all rows, for example after a gap."""
        self._seen = 0
        self._missing_for[:] = 0

    def score_next(self, row: Any) -> float:
        """Score the next row; NaN until a window is full.

        Parameters
        ----------
        row : array of shape (sensors,)
            In the units of the series. A sensor that is NaN keeps its last value for a tenth of a
            window; after that, a new window begins when all sensors are back.

        Raises
        ------
        InvalidData
            The row has the wrong shape, or a value that is infinite or not numeric.
        """
        values = self._checked(row)
        scaled = standardised_rows(values, self._scaling)
        missing = np.isnan(values)
        if missing.any() and not self._filled(scaled, missing):
            self.reset()
            return float("nan")
        self._missing_for[~missing] = 0
        width = self._window
        place = self._seen % width
        self._rows[place] = self._rows[place + width] = scaled
        self._seen += 1
        if self._seen < width:
            return float("nan")
        window = self._rows[None, place + 1 : place + 1 + width]
        return float(self._contributions(window).sum())

    def _filled(self, scaled: NDArray[np.float32], missing: NDArray[np.bool_]) -> bool:
        """Fill missing values with the last ones; return False if that is not allowed."""
        self._missing_for[missing] += 1
        if not self._seen or self._missing_for.max() > longest_gap(self._window):
            return False
        scaled[missing] = self._rows[(self._seen - 1) % self._window][missing]
        return True

    def _checked(self, row: Any) -> NDArray[np.float64]:
        sensors = len(self._scaling.centre)
        try:
            values = np.asarray(row, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.shape != (sensors,) or np.isinf(values).any():
            raise InvalidData(
                "a row",
                expected=f"{sensors} finite numbers, with NaN for missing values",
                received=repr(row)[:200],
                remedy="pass one value for each sensor, in the order used in fit",
            )
        return values
