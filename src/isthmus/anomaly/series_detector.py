"""The detector of sensor series, which `AnomalyDetector` becomes by ``window=``.

`AnomalyDetector` calls::

    fitted = fit_series(S, autoencoder, window, seed)  # series_fit.py; estimator, frozen or None
    fitted.autoencoder, fitted.sensors, fitted.window
    fitted.anomaly_score(S)  # (n,), NaN where no window covers; S may be an iterator of arrays
    fitted.p_values(scores)  # of what anomaly_score returned
    fitted.threshold(rate)  # alarm where a score is above it
    fitted.explain(S)  # of the kind and shape of S; rows sum to anomaly_score
    fitted.expected(S)  # the same, in the units of S
    fitted.intervals(S, rate)  # Intervals
    online = Online(fitted)  # online.py: online.score_next(row), online.reset()
    to_arrays(fitted), from_arrays(autoencoder, window, arrays)  # series_archive.py

See `levels` for the score, and `blocks` for what a false alarm rate means of rows that depend on
their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.anomaly.intervals import Interval, Intervals, responsible, spans
from isthmus.anomaly.series_score import describe
from isthmus.core.errors import SchemaMismatch
from isthmus.data.sensor_series import SensorSeries, as_series, framed
from isthmus.data.windows import per_timestamp, pieces, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from isthmus.anomaly.series_calibration import SeriesCalibration
    from isthmus.anomaly.series_score import SeriesScore
    from isthmus.core.types import Floats
    from isthmus.data.sensor_series import SeriesChunk

_BLOCK_CELLS = 1 << 21
"""Of the windows that are scored at a time: 8 MiB."""
_FARTHEST = 1e6
"""In standard deviations; beyond, a value is as odd as can be, and sums stay finite."""


class SensorScaling(NamedTuple):
    """Means and deviations of the sensors, in their units, each (sensors,), in float64."""

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SeriesDetector:
    """A fitted detector of one series' anomalies; `fit_series` makes it.

    Parameters
    ----------
    autoencoder : fitted isthmus estimator
        Of windows (window, sensors) of standardised rows.
    window : int
        Rows of a window.
    sensors : tuple of str
        The columns' names.
    scaling : Scaling
        By which rows are standardised.
    levels : Levels
        What is usual of windows.
    calibration, online : Calibration
        Of scores of rows, and of single windows, which is all that a new row has online.
    """

    autoencoder: Any
    window: int
    sensors: tuple[str, ...]
    scaling: SensorScaling
    levels: SeriesScore
    calibration: SeriesCalibration
    online: SeriesCalibration

    @property
    def longest_silence(self) -> int:
        """Rows for which a sensor may be missing and is filled in."""
        return longest_silence(self.window)

    def anomaly_score(self, S: Any) -> NDArray[np.float64]:
        """Return how odd each row of a series is, (n,), at least 0, about 1 for usual rows.

        It is the mean score of the windows that cover the row; NaN where none does, as between
        gaps that are closer to each other than a window.

        Parameters
        ----------
        S : DataFrame, Arrow table, array, or iterator of these
            As `fit_series` takes it; an iterator gives consecutive rows, evenly spaced. Memory is
            needed for the scores and for some windows at a time.
        """
        return self._per_timestamp(S, lambda block: self.contributions(block).sum(axis=1), ())

    def explain(self, S: Any) -> Any:
        """Return what each sensor adds to each row's score, in the kind and shape of `S`.

        A row's sum is its score. A table's times stay.
        """
        shares = self._per_timestamp(S, self.contributions, (len(self.sensors),))
        return shares if isinstance(S, Iterator) else framed(shares, self.checked(S), S)

    def expected(self, S: Any) -> Any:
        """Return what the autoencoder makes of each row, in the kind, shape and units of `S`.

        It is the mean over the windows that cover the row; NaN where none does.
        """
        series = self.checked(S)
        total, count = np.zeros(series.values.shape), np.zeros((len(series), 1))
        for start, block in self._windows(series.chunks()):
            made = reconstructed(self.autoencoder, block)
            for offset in range(self.window):
                rows = slice(start + offset, start + offset + len(made))
                total[rows] += made[:, offset]
                count[rows] += 1
        with np.errstate(invalid="ignore"):
            means = total / count
        return framed(means * self.scaling.scale + self.scaling.centre, series, S)

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the p-values of rows' scores, NaN where there is none."""
        return self.calibration.p_values(scores)

    def threshold(self, rate: float) -> float:
        """Return the score above which to raise an alarm.

        Parameters
        ----------
        rate : float
            The fraction of timestamps that may be false alarms, in the long run and at most, as
            long as the series behaves as it did when it was learned. It says nothing of how alarms
            cluster: false ones come in runs of about a window.
        """
        return self.calibration.threshold(rate)

    def intervals(self, S: Any, rate: float) -> Intervals:
        """Return when there are alarms at a false alarm rate.

        Those with at most half a window between them are one.
        """
        series = self.checked(S)
        scores = self.anomaly_score(S)
        around = self.window + self.longest_silence
        made = []
        for span in spans(scores, self.threshold(rate), self.window // 2):
            start = max(0, span.first - around)
            near = series.part(start, span.last + 1 + around)
            shares = self._per_timestamp(near, self.contributions, (len(self.sensors),))
            made.append(
                Interval(
                    start=series.time(span.first),
                    end=series.time(span.last),
                    peak=series.time(span.peak),
                    score=float(scores[span.peak]),
                    sensors=responsible(shares[span.first - start :][: span.rows], self.sensors),
                    rows=(span.first, span.last),
                )
            )
        return Intervals(made)

    def contributions(self, block: Floats) -> NDArray[np.float64]:
        """Return what each sensor adds to the score of standardised windows, (k, sensors)."""
        return self.levels.contributions(
            describe(block, block - reconstructed(self.autoencoder, block))
        )

    def checked(self, S: Any) -> SensorSeries:
        """Return the series with its sensors in the order of `fit_series`.

        Raises
        ------
        InvalidData, SchemaMismatch
            It is none, or its sensors are others.
        """
        series = S if isinstance(S, SensorSeries) else as_series(S)
        names = series.sensors
        if names == self.sensors or (not series.named and len(names) == len(self.sensors)):
            return series
        if sorted(names) == sorted(self.sensors):
            order = [names.index(name) for name in self.sensors]
            return SensorSeries(series.values[:, order], series.times, self.sensors)
        raise SchemaMismatch(
            "the series",
            expected=f"the sensors {', '.join(self.sensors)}"[:300],
            received=", ".join(names)[:300],
            remedy="pass the sensors that fit was given",
        )

    def _per_timestamp(
        self, S: Any, function: Callable[[Floats], NDArray[np.float64]], shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Return for each row the mean of what `function` makes of the windows that cover it."""
        rows, found = 0, []

        def counted() -> Iterator[SeriesChunk]:
            nonlocal rows
            for part in S if isinstance(S, Iterator) else (S,):
                for chunk in self.checked(part).chunks():
                    rows += len(chunk.rows)
                    yield chunk

        for start, block in self._windows(counted()):
            found.append((start, function(block)))
        placed = np.full((rows, *shape), np.nan)
        for start, values in found:
            placed[start : start + len(values)] = values
        return per_timestamp(placed, self.window)

    def _windows(self, chunks: Iterable[SeriesChunk]) -> Iterator[tuple[int, Floats]]:
        for start, block in standardised_windows(chunks, self.window, self.scaling):
            yield start, np.ascontiguousarray(block)


def reconstructed(autoencoder: Any, block: Floats) -> Floats:
    """Encode and decode standardised windows, (k, window, sensors)."""
    # Behind what a recurrent network takes for a series' end it gives NaN.
    return np.nan_to_num(np.asarray(autoencoder.reconstruct(block), dtype=np.float32))


def longest_silence(window: int) -> int:
    """Return for how many rows a sensor may be missing: a tenth of a window."""
    return max(1, window // 10)


def standardised(rows: NDArray[Any], scaling: SensorScaling) -> Floats:
    """Return rows (k, sensors) in units of the sensors' deviations."""
    return np.clip((rows - scaling.centre) / scaling.scale, -_FARTHEST, _FARTHEST).astype(
        np.float32
    )


def standardised_windows(
    chunks: Iterable[SeriesChunk], window: int, scaling: SensorScaling
) -> Iterator[tuple[int, Floats]]:
    """Yield windows of standardised rows, some at a time, and the first one's first row.

    They are views, (k, window, sensors).
    """
    found = pieces(chunks, longest_silence(window))
    scaled = (piece._replace(rows=standardised(piece.rows, scaling)) for piece in found)
    size = max(1, _BLOCK_CELLS // (window * len(scaling.centre)))
    for start, values in windows(scaled, window):
        for first in range(0, len(values), size):
            yield start + first, values[first : first + size]
