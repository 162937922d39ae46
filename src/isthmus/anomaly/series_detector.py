"""The fitted detector for a sensor series, used by `AnomalyDetector` with ``window=``.

See `series_score` for the score, `series_calibration` for what a false-alarm rate means when rows
depend on their neighbours, and `series_training` for fitting.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from isthmus.anomaly.absent_sensors import MOST_ABSENT, absent_in, completed, warn_of_absent
from isthmus.anomaly.alarm_threshold import AlarmThreshold, check_one_for_each, thresholds
from isthmus.anomaly.intervals import Interval, Intervals, merged_alarms, responsible_sensors
from isthmus.anomaly.series_archive import SeriesParts, read_parts
from isthmus.anomaly.series_score import Level, SeriesScore, window_statistics
from isthmus.anomaly.series_stream import SeriesStream, StreamSettings
from isthmus.anomaly.series_windows import (
    SensorScaling,
    gathered,
    reconstructed,
    standardised_windows,
)
from isthmus.core.errors import DataWarning, SchemaMismatch
from isthmus.core.finite_outputs import require_finite
from isthmus.data.sensor_series import SensorSeries, as_series, in_container_of
from isthmus.data.time_grid import usual_step
from isthmus.data.time_order import TimeOrder
from isthmus.data.windows import per_timestamp
from isthmus.estimators.learned_checks import contradicted
from isthmus.persistence.prefixes import outside_prefixes, with_prefix, without_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import StoredDetector
    from isthmus.anomaly.series_calibration import SeriesCalibration
    from isthmus.anomaly.series_stream import StreamUpdate
    from isthmus.core.types import Floats, RowNumbers
    from isthmus.data.time_grid import PlacedSeries, TimeGrid

_STREAM = "stream/"
"""The prefix of the arrays of a stream in an archive, which are absent if none has begun."""


@dataclass(frozen=True, eq=False)
class SeriesDetector:
    """A fitted detector of anomalies in a series; implements `FittedDetector`.

    Parameters
    ----------
    autoencoder : fitted isthmus estimator
        Takes windows (window, sensors) of standardised rows.
    window : int
        Rows per window.
    sensors : tuple of str
        Names of the sensors that were learned.
    columns : tuple of str
        Names of all columns of numbers, in the order of `fit`; some may have had no values.
    grid : TimeGrid
        Places the rows of a series in time.
    scaling : SensorScaling
        Standardises the rows.
    window_score : SeriesScore
        Scores windows.
    calibration, window_calibration : SeriesCalibration
        Calibrated on the scores of rows, and on those of single windows.
    """

    is_series: ClassVar[bool] = True

    autoencoder: Any
    window: int
    sensors: tuple[str, ...]
    columns: tuple[str, ...]
    grid: TimeGrid
    scaling: SensorScaling
    window_score: SeriesScore
    calibration: SeriesCalibration
    window_calibration: SeriesCalibration

    def prepare(self, S: Any, estimator: Any) -> Any:  # noqa: ARG002
        """Return `as_fitted(S)`, or an iterator unchanged because it can be read only once."""
        return S if isinstance(S, Iterator) else self.as_fitted(S)

    def score(self, rows: Any) -> NDArray[np.float64]:
        """Return the anomaly score of each row of a series, (n,), at least 0, usually about 1.

        A row's score is the mean score of the windows that cover it. It is NaN where none does,
        for example between two gaps that are less than a window apart, where more than half of the
        sensors are missing, and in rows without any measurement.

        Parameters
        ----------
        rows : series, or iterator of consecutive parts of one
            Anything `as_fitted` accepts. Only the scores and a few windows are held in memory.
        """
        return self._scores(self._place(rows))

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the p-values of rows' scores, NaN where there is no score."""
        return self.calibration.p_values(scores)

    def threshold(self, rate: float) -> float:
        """Return the score above which to raise an alarm.

        Parameters
        ----------
        rate : float
            The largest fraction of timestamps that may be false alarms in the long run, while the
            series behaves as in training. It says nothing about clustering: false alarms come in
            runs of about a window.
        """
        return self.calibration.threshold(rate)

    def thresholds(
        self, scores: NDArray[np.float64], rate: float, rows: Any = None
    ) -> NDArray[np.float64]:
        """Return the threshold for each of the scores of successive rows, (n,).

        It begins with `threshold`, and follows slow changes (`alarm_threshold`). If `rows` have
        times, these are the order; otherwise the scores are in order.
        """
        ticks = rows.ticks() if isinstance(rows, SensorSeries) else None
        order = None
        if ticks is not None:
            _, order = TimeOrder(self.grid.step or usual_step(ticks)).sort(ticks)
        if order is None:
            return self.thresholds_of_units(scores, rate)
        check_one_for_each(scores, len(order))
        found = np.empty(len(scores))
        found[order] = self.thresholds_of_units(scores[order], rate)
        return found

    def thresholds_of_units(
        self, scores: NDArray[np.float64], rate: float, begins: RowNumbers | tuple[()] = ()
    ) -> NDArray[np.float64]:
        """Return `thresholds` that start afresh at the first row of each further unit, (n,).

        Parameters
        ----------
        scores : array of float64, shape (n,)
            Those of the rows of one unit after the other.
        rate : float
            As in `threshold`.
        begins : array of int, optional
            Which rows are the first ones of another unit.
        """
        start, calibration = self.threshold(rate), self.calibration
        if not self.window_score.step:
            return np.full(len(scores), start)
        return thresholds(scores, start, rate, calibration.tau, calibration.spread, begins)

    def explain(self, rows: Any, like: Any) -> Any:
        """Return what each sensor contributes to each row's score, in the container of `like`.

        Each row sums to its score. A table keeps its times.
        """
        parts = self._row_contributions(self._place(rows))
        return parts if isinstance(rows, Iterator) else in_container_of(parts, rows, like, rest=0.0)

    def expected(self, rows: Any, like: Any) -> Any:
        """Return the reconstruction of each row, in the container and units of `like`.

        This is the mean over the windows that cover the row, NaN where none does.
        """
        series = self.as_fitted(rows)
        placed = self._place(series)
        parts = []
        for start, block in self._windows(placed):
            block = completed(self.autoencoder, np.ascontiguousarray(block))
            made = reconstructed(self.autoencoder, block)
            sums = np.zeros((len(made) + self.window - 1, series.width))
            for offset in range(self.window):
                sums[offset : offset + len(made)] += made[:, offset]
            parts.append((start, len(made), sums))
        total, count = np.zeros((placed.slots, series.width)), np.zeros((placed.slots, 1))
        for start, many, sums in parts:
            total[start : start + len(sums)] += sums
            for offset in range(self.window):
                count[start + offset : start + offset + many] += 1
        with np.errstate(invalid="ignore"):
            means = placed.per_row(total / count)
        return in_container_of(means * self.scaling.scale + self.scaling.centre, series, like)

    def intervals(self, rows: Any, rate: float) -> Intervals:
        """Return the intervals of alarms at a false-alarm rate.

        Alarms with at most half a window between them are merged.
        """
        series = self.as_fitted(rows)
        placed = self._place(series)
        scores = self._scores(placed)
        order, places = placed.in_order(), placed.places(apart=self.window)
        scores, places, slots = scores[order], places[order], placed.slot_of_rows()[order]
        limits = self.thresholds(scores, rate)
        spans = merged_alarms(scores, limits, self.calm, places=places)
        parts = self._span_contributions(
            self._place(series), [(slots[s.first], slots[s.last]) for s in spans]
        )
        intervals = []
        for span, part in zip(spans, parts, strict=True):
            first, last, peak = (int(order[row]) for row in (span.first, span.last, span.peak))
            intervals.append(
                Interval(
                    start=series.time(first),
                    end=series.time(last),
                    peak=series.time(peak),
                    score=float(scores[span.peak]),
                    sensors=responsible_sensors(part, self.sensors),
                    rows=(first, last),
                )
            )
        return Intervals(intervals)

    def update(self, row: Any, time: Any, rate: float) -> StreamUpdate:
        """Take the next row of the stream, and return what is known of the series after it.

        Parameters
        ----------
        row : array of shape (columns,), or mapping of str to number
        time : datetime, timedelta or None
        rate : float
            The false-alarm rate, of which the first row's counts.
        """
        stream = self.__dict__.get("_stream")
        if stream is None:
            stream = SeriesStream.beginning_with(self._stream_settings(rate), time)
        update: StreamUpdate = stream.update(row, time)
        self.__dict__["_stream"] = stream  # now that the first row was valid
        return update

    def reset(self) -> None:
        """Forget the stream."""
        self.__dict__.pop("_stream", None)

    @property
    def calm(self) -> int:
        """The most rows between two alarms that are one interval."""
        return self.window // 2

    def contributions(
        self, block: Floats, level: Level, begins: RowNumbers | tuple[()] = ()
    ) -> NDArray[np.float64]:
        """Return each sensor's contribution to the scores of the next windows, (k, sensors).

        A sensor that is missing in a window contributes nothing to its score. All are NaN if more
        than half of the sensors are missing.

        Parameters
        ----------
        block : array of shape (k, window, sensors)
            Standardised windows; NaN where a sensor is missing.
        level : Level
            The level of the statistics in the windows before.
        begins : array of int, optional
            Which windows are the first ones of another unit.
        """
        absent = absent_in(block)
        enough = absent.mean(axis=1) <= MOST_ABSENT
        parts = np.full(absent.shape, np.nan)
        if enough.any():
            block = completed(self.autoencoder, block if enough.all() else block[enough])
            residuals = block - reconstructed(self.autoencoder, block)
            seen = np.cumsum(enough)
            parts[enough] = level.of_units(
                window_statistics(block, residuals),
                absent[enough],
                [int(seen[first] - enough[first]) for first in begins],
            )
            require_finite(parts[enough], "the anomaly score", first_row=None)
        return parts

    def as_fitted(self, S: Any) -> SensorSeries:
        """Return the series with its sensors in the order of `fit`.

        Raises
        ------
        InvalidData, SchemaMismatch
            It is not a series, or it has other sensors.
        """
        series = S if isinstance(S, SensorSeries) else as_series(S, self.columns)
        names = series.sensors
        if not series.named and len(names) == len(self.columns):
            names = self.columns
        if set(self.sensors) <= set(names) <= set(self.columns):
            return series.pick(np.array([names.index(name) for name in self.sensors]))
        raise SchemaMismatch(
            "the series",
            expected=f"the sensors {', '.join(self.columns)}"[:300],
            received=", ".join(series.sensors)[:300],
            remedy="pass the same sensors as in fit",
        )

    def set_attributes(self, estimator: Any) -> None:
        """Set the fitted attributes that `AnomalyDetector` documents for series."""
        estimator.sensors_, estimator.n_features_in_ = self.sensors, len(self.columns)
        estimator.longest_gap_, estimator.window_ = self.grid.longest_gap, self.window

    def check_settings(
        self,
        *,
        window: Any,
        group: Any,
        longest_gap: Any,
        contaminated: bool,  # noqa: ARG002
    ) -> None:
        """Check window and longest gap; a series may contain a few anomalies in any mode."""
        if group is not None:
            raise contradicted("group", group, None)
        if window not in ("auto", self.window):
            raise contradicted("window", window, self.window)
        if longest_gap is not None and longest_gap != self.grid.longest_gap:
            raise contradicted("longest_gap", longest_gap, self.grid.longest_gap)

    def own_schema(self) -> None:
        """Return None: the sensors and their scaling are stored as arrays."""
        return

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything learned except the autoencoder, and the state of the stream."""
        parts = SeriesParts(*(getattr(self, name) for name in SeriesParts._fields))
        stream = self.__dict__.get("_stream")
        state = {} if stream is None else stream.to_arrays()
        return {**parts.to_arrays(), **with_prefix(state, _STREAM)}

    @classmethod
    def from_archive(cls, stored: StoredDetector) -> Self:
        """Rebuild the detector from an archive.

        Raises
        ------
        InvalidArchive
            The archive does not contain such a detector.
        """
        own = outside_prefixes(stored.arrays, _STREAM)
        detector = cls(stored.autoencoder, *read_parts(replace(stored, arrays=own)))
        state = without_prefix(stored.arrays, _STREAM)
        if state:
            settings_at = detector._stream_settings
            detector.__dict__["_stream"] = SeriesStream.from_arrays(settings_at, state)
        return detector

    def _stream_settings(self, rate: float) -> StreamSettings:
        calibration, follows = self.calibration, bool(self.window_score.step)
        tau = calibration.tau if follows else math.inf
        start = self.threshold(rate)
        return StreamSettings(
            window=self.window,
            calm=self.calm,
            columns=self.columns,
            sensors=self.sensors,
            grid=self.grid,
            scaling=self.scaling,
            level=Level(self.window_score, self.window),
            contributions=self.contributions,
            threshold=AlarmThreshold(start, rate, tau, calibration.spread),
            rate=rate,
        )

    def _place(self, S: Any) -> PlacedSeries:
        """Return a series, or the consecutive parts of one, on the grid."""
        parts = S if isinstance(S, Iterator) else (S,)
        return self.grid.place(self.as_fitted(part) for part in parts)

    def _scores(self, placed: PlacedSeries) -> NDArray[np.float64]:
        return self._per_row(placed, lambda parts: parts.sum(axis=1), ())

    def _row_contributions(self, placed: PlacedSeries) -> NDArray[np.float64]:
        return self._per_row(placed, lambda parts: parts, (len(self.sensors),))

    def _span_contributions(
        self, placed: PlacedSeries, spans: Sequence[tuple[int, int]]
    ) -> list[NDArray[np.float64]]:
        """Return each sensor's mean contribution in spans of slots, (sensors,) for each.

        Both ends of a span are included.
        """
        if not spans:
            return []
        before = self.window - 1
        held = [np.full((b - a + self.window, len(self.sensors)), np.nan) for a, b in spans]
        with warnings.catch_warnings():  # given for the scores already
            warnings.simplefilter("ignore", DataWarning)
            for starts, parts in self._window_contributions(placed):
                for rows, (first, last) in zip(held, spans, strict=True):
                    a, b = np.searchsorted(starts, [first - before, last + 1])
                    rows[starts[a:b] - first + before] = parts[a:b]
        return [np.nanmean(per_timestamp(rows, self.window)[before:], axis=0) for rows in held]

    def _window_contributions(
        self, placed: PlacedSeries
    ) -> Iterator[tuple[RowNumbers, NDArray[np.float64]]]:
        """Yield the first slots of windows, (k,), and their contributions, (k, sensors)."""
        level, before = Level(self.window_score, self.window), 0
        for starts, block in gathered(self._windows(placed)):
            begins = placed.begins()
            begins = begins[(begins >= before) & (begins <= starts[-1])]
            before = int(starts[-1]) + 1
            yield starts, self.contributions(block, level, np.searchsorted(starts, begins))

    def _per_row(
        self,
        placed: PlacedSeries,
        function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        shape: tuple[int, ...],
    ) -> NDArray[np.float64]:
        """Return for each row the mean of `function` of the windows that cover it."""
        results = [(at, function(parts)) for at, parts in self._window_contributions(placed)]
        by_slot = np.full((placed.slots, *shape), np.nan)
        for starts, values in results:
            by_slot[starts] = values
        return placed.per_row(per_timestamp(by_slot, self.window))

    def _windows(self, placed: PlacedSeries) -> Iterator[tuple[int, Floats]]:
        absent = np.zeros(len(self.sensors), dtype=np.int64)
        for start, block in standardised_windows(placed, self.window, self.scaling, partial=True):
            absent += absent_in(block).sum(axis=0)
            yield start, block
        placed.warn()
        # So many windows contain the shortest gap that is not filled; fewer are at the ends.
        silent = absent >= self.grid.longest_gaps + self.window
        warn_of_absent(silent, self.sensors, self.grid.longest_gap)
