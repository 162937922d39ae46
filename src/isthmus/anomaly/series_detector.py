"""The fitted detector for a sensor series, used by `AnomalyDetector` with ``window=``.

See `series_score` for the score, `series_calibration` for what a false-alarm rate means when rows
depend on their neighbours, and `series_training` for fitting.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from isthmus.anomaly.absent_sensors import (
    absent_in,
    completed,
    of_present_sensors,
    warn_of_absent,
)
from isthmus.anomaly.intervals import Interval, Intervals, merged_alarms, responsible_sensors
from isthmus.anomaly.online import OnlineScorer
from isthmus.anomaly.series_calibration import SeriesCalibration
from isthmus.anomaly.series_gaps import default_gap
from isthmus.anomaly.series_score import STATISTICS, SeriesScore, window_statistics
from isthmus.anomaly.series_windows import SensorScaling, reconstructed, standardised_windows
from isthmus.core.errors import DataWarning, InvalidArchive, SchemaMismatch
from isthmus.core.finite_outputs import require_finite
from isthmus.data.sensor_series import SensorSeries, as_series, in_container_of
from isthmus.data.time_grid import TimeGrid
from isthmus.data.windows import per_timestamp
from isthmus.estimators.learned_checks import contradicted
from isthmus.persistence import strict_json
from isthmus.persistence.array_checks import check_arrays
from isthmus.persistence.prefixes import with_prefix, without_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import StoredDetector
    from isthmus.core.types import Floats
    from isthmus.data.time_grid import PlacedSeries

_GRID, _COLUMNS = "grid/", "columns"
"""The prefix of the grid's arrays in an archive, and the name of the array of columns. An archive
has none of them if rows are evenly spaced, every column is a sensor and the longest gap is the
default, as in older versions."""


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
        Calibrated on the scores of rows, and on those of single windows for online scoring.
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
        placed = self._place(rows)
        return self._per_row(placed, lambda block: self.contributions(block).sum(axis=1), ())

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
            made = reconstructed(self.autoencoder, completed(self.autoencoder, block))
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
        scores = self._per_row(placed, lambda block: self.contributions(block).sum(axis=1), ())
        order, places = placed.in_order(), placed.places(apart=self.window)
        scores, places = scores[order], places[order]
        around = 2 * self.window
        intervals = []
        for span in merged_alarms(scores, self.threshold(rate), self.window // 2, places=places):
            start, stop = np.searchsorted(
                places, [places[span.first] - around, places[span.last] + around]
            )
            near = self._contributions_near(series.part(order[start:stop]))
            own = near[span.first - start :][: span.rows]
            first, last, peak = (int(order[row]) for row in (span.first, span.last, span.peak))
            intervals.append(
                Interval(
                    start=series.time(first),
                    end=series.time(last),
                    peak=series.time(peak),
                    score=float(scores[span.peak]),
                    sensors=responsible_sensors(own, self.sensors),
                    rows=(first, last),
                )
            )
        return Intervals(intervals)

    def score_next(self, row: Any) -> float:
        """Score the next row, (sensors,); NaN until a window is full."""
        return self._online.score_next(row)

    def reset(self) -> None:
        """Forget the rows passed to `score_next`."""
        self._online.reset()

    def contributions(self, block: Floats) -> NDArray[np.float64]:
        """Return each sensor's contribution to the scores of windows, (k, sensors).

        A sensor that is missing in a window contributes nothing to its score. All are NaN if more
        than half of the sensors are missing.
        """
        return of_present_sensors(block, self.autoencoder, self._contributions)

    def _contributions(self, block: Floats) -> NDArray[np.float64]:
        residuals = block - reconstructed(self.autoencoder, block)
        parts = self.window_score.contributions(window_statistics(block, residuals))
        require_finite(parts, "the anomaly score", first_row=None)
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
        estimator.longest_gap_ = self.grid.longest_gap

    def check_settings(
        self,
        *,
        window: Any,
        longest_gap: Any,
        contaminated: bool,  # noqa: ARG002
    ) -> None:
        """Check window and longest gap; a series may contain a few anomalies in any mode."""
        if window != self.window:
            raise contradicted("window", window, self.window)
        if longest_gap is not None and longest_gap != self.grid.longest_gap:
            raise contradicted("longest_gap", longest_gap, self.grid.longest_gap)

    def own_schema(self) -> None:
        """Return None: the sensors and their scaling are stored as arrays."""
        return

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything learned except the autoencoder."""
        return {
            **self._grid_arrays(),
            "sensors": _as_bytes(self.sensors),
            "centre": self.scaling.centre,
            "scale": self.scaling.scale,
            "usual": self.window_score.centre,
            "change": self.window_score.change,
            "scores": self.calibration.scores,
            "window_scores": self.window_calibration.scores,
            "taus": np.array([self.calibration.tau, self.window_calibration.tau]),
        }

    @classmethod
    def from_archive(cls, stored: StoredDetector) -> Self:
        """Rebuild the detector from an archive.

        Raises
        ------
        InvalidArchive
            The archive does not contain such a detector.
        """
        arrays, window = stored.arrays, _archived_window(stored)
        shape = stored.autoencoder.schema_.sample_shape
        per_sensor, statistics = ("float64", (shape[1],)), ("float64", (STATISTICS, shape[1]))
        grid, arrays = _archived_grid(arrays, window, shape[1])
        check_arrays(
            arrays,
            {
                "sensors": ("uint8", (None,)),
                _COLUMNS: ("uint8", (None,)),
                "centre": per_sensor,
                "scale": per_sensor,
                "usual": statistics,
                "change": statistics,
                "scores": ("float64", (None,)),
                "window_scores": ("float64", (None,)),
                "taus": ("float64", (2,)),
            },
        )
        names, columns = (
            strict_json.parse(arrays[name].tobytes(), "the sensors' names")
            for name in ("sensors", _COLUMNS)
        )
        _check_values(arrays, names, columns)
        tau, window_tau = map(float, arrays["taus"])
        return cls(
            stored.autoencoder,
            window,
            tuple(names),
            tuple(columns),
            grid,
            SensorScaling(arrays["centre"], arrays["scale"]),
            SeriesScore(arrays["usual"], arrays["change"]),
            SeriesCalibration(arrays["scores"], tau),
            SeriesCalibration(arrays["window_scores"], window_tau),
        )

    @cached_property
    def _online(self) -> OnlineScorer:
        picked = np.array([self.columns.index(name) for name in self.sensors])
        return OnlineScorer(
            self.window,
            self.scaling,
            self.contributions,
            self.grid.longest_gaps,
            columns=len(self.columns),
            picked=picked,
        )

    def _grid_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the grid and the columns, unless they are the default."""
        plain = self.grid.is_evenly_spaced and self.grid.longest_gap == default_gap(self.window)
        if plain and self.columns == self.sensors:
            return {}
        return {_COLUMNS: _as_bytes(self.columns), **with_prefix(self.grid.to_arrays(), _GRID)}

    def _place(self, S: Any) -> PlacedSeries:
        """Return a series, or the consecutive parts of one, on the grid."""
        parts = S if isinstance(S, Iterator) else (S,)
        return self.grid.place(self.as_fitted(part) for part in parts)

    def _row_contributions(self, placed: PlacedSeries) -> NDArray[np.float64]:
        return self._per_row(placed, self.contributions, (len(self.sensors),))

    def _contributions_near(self, part: SensorSeries) -> NDArray[np.float64]:
        """Return the contributions of some rows, without the warnings given for all."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            return self._row_contributions(self.grid.place([part]))

    def _per_row(
        self,
        placed: PlacedSeries,
        function: Callable[[Floats], NDArray[np.float64]],
        shape: tuple[int, ...],
    ) -> NDArray[np.float64]:
        """Return for each row the mean of `function` over the windows that cover it."""
        results = [(start, function(block)) for start, block in self._windows(placed)]
        by_slot = np.full((placed.slots, *shape), np.nan)
        for start, values in results:
            by_slot[start : start + len(values)] = values
        return placed.per_row(per_timestamp(by_slot, self.window))

    def _windows(self, placed: PlacedSeries) -> Iterator[tuple[int, Floats]]:
        absent = np.zeros(len(self.sensors), dtype=np.int64)
        for start, block in standardised_windows(placed, self.window, self.scaling, partial=True):
            absent += absent_in(block).sum(axis=0)
            yield start, np.ascontiguousarray(block)
        placed.warn()
        # So many windows contain the shortest gap that is not filled; fewer are at the ends.
        silent = absent >= self.grid.longest_gaps + self.window
        warn_of_absent(silent, self.sensors, self.grid.longest_gap)


def _as_bytes(names: tuple[str, ...]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(names).encode(), dtype=np.uint8)


def _archived_grid(
    arrays: Mapping[str, np.ndarray], window: int, sensors: int
) -> tuple[TimeGrid, dict[str, np.ndarray]]:
    """Return the archive's grid, and its other arrays with that of the columns."""
    stored = without_prefix(arrays, _GRID)
    others = {n: array for n, array in arrays.items() if not n.startswith(_GRID)}
    if stored:
        return TimeGrid.from_arrays(stored, sensors), others
    if "sensors" in others:
        others.setdefault(_COLUMNS, others["sensors"])
    return TimeGrid.evenly_spaced(default_gap(window), sensors), others


def _archived_window(stored: StoredDetector) -> int:
    """Return the archive's window after checking it against the autoencoder."""
    window, shape = stored.window, stored.autoencoder.schema_.sample_shape
    if type(window) is not int or window < 2:
        raise InvalidArchive("the archive's window", expected="an integer of at least 2")
    if len(shape) != 2 or shape[0] != window:
        raise InvalidArchive(
            "the archive's autoencoder",
            expected=f"an autoencoder for windows of {window} rows",
            received=f"samples of shape {shape}",
        )
    return window


def _check_values(arrays: Mapping[str, np.ndarray], names: Any, columns: Any) -> None:
    positive = all((arrays[name] > 0).all() for name in ("scale", "change", "taus"))
    ordered = all((np.diff(arrays[name]) >= 0).all() for name in ("scores", "window_scores"))
    named = all(
        isinstance(each, list) and all(isinstance(name, str) for name in each)
        for each in (names, columns)
    )
    if not (
        positive
        and ordered
        and named
        and len(names) == len(arrays["centre"])
        and set(names) <= set(columns)
    ):
        raise InvalidArchive(
            "the archive's series detector",
            expected="positive scales, scores in ascending order and a name for each sensor",
            received="other values",
        )
