"""Scores a series row by row, as the rows arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly.series_windows import SensorScaling, standardised_rows
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
    longest_gaps : array of int, shape (sensors,)
        In how many rows in succession a missing sensor keeps its last value.
    columns : int
        The number of columns of a row.
    picked : array of int, shape (sensors,)
        Which of them are the sensors.
    """

    def __init__(
        self,
        window: int,
        scaling: SensorScaling,
        contributions: Callable[[Floats], NDArray[np.float64]],
        longest_gaps: NDArray[np.int64],
        *,
        columns: int,
        picked: NDArray[np.intp],
    ) -> None:
        self._window, self._scaling, self._contributions = window, scaling, contributions
        self._longest_gaps, self._columns, self._picked = longest_gaps, columns, picked
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
            In the units of the series. A sensor that is NaN keeps its last value for
            `longest_gap_` rows, or as many of its own steps if it is measured less often. After
            that, scores are those of the other sensors. If all are NaN for so long, a new window
            begins when one is back.

        Raises
        ------
        InvalidData
            The row has the wrong shape, or a value that is infinite or not numeric.
        """
        values = self._checked(row)
        scaled = standardised_rows(values, self._scaling)
        missing = np.isnan(values)
        self._missing_for = np.where(missing, self._missing_for + 1, 0)
        self._hold(scaled, missing)
        if np.isnan(scaled).all():
            self.reset()
            return float("nan")
        width = self._window
        place = self._seen % width
        self._rows[place] = self._rows[place + width] = scaled
        self._seen += 1
        if self._seen < width or missing.all():
            return float("nan")
        window = self._rows[None, place + 1 : place + 1 + width]
        return float(self._contributions(window).sum())

    def _hold(self, scaled: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
        """Replace missing values with the last ones, where that is allowed."""
        held = missing & (self._missing_for <= self._longest_gaps)
        if self._seen and held.any():
            scaled[held] = self._rows[(self._seen - 1) % self._window][held]

    def _checked(self, row: Any) -> NDArray[np.float64]:
        try:
            values = np.asarray(row, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.shape != (self._columns,) or np.isinf(values).any():
            raise InvalidData(
                "a row",
                expected=f"{self._columns} finite numbers, with NaN for missing values",
                received=repr(row)[:200],
                remedy="pass one value for each sensor, in the order used in fit",
            )
        return np.asarray(values[self._picked])
