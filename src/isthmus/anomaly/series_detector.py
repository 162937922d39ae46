"""The fitted detector for a sensor series, used by `AnomalyDetector` with ``window=``.

See `series_score` for the score, `series_calibration` for what a false-alarm rate means when rows
depend on their neighbours, and `series_training` for fitting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from isthmus.anomaly.intervals import Interval, Intervals, merged_alarms, responsible_sensors
from isthmus.anomaly.online import OnlineScorer
from isthmus.anomaly.series_calibration import SeriesCalibration
from isthmus.anomaly.series_score import STATISTICS, SeriesScore, window_statistics
from isthmus.anomaly.series_windows import (
    SensorScaling,
    gathered,
    longest_gap,
    reconstructed,
    standardised_windows,
)
from isthmus.core.errors import InvalidArchive, SchemaMismatch
from isthmus.core.finite_outputs import require_finite
from isthmus.data.sensor_series import SensorSeries, as_series, in_container_of
from isthmus.data.windows import per_timestamp
from isthmus.estimators.learned_checks import contradicted
from isthmus.persistence import strict_json
from isthmus.persistence.array_checks import check_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import StoredDetector
    from isthmus.core.types import Floats, RowNumbers
    from isthmus.data.sensor_series import SeriesChunk


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
        Column names.
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
        for example between two gaps that are less than a window apart.

        Parameters
        ----------
        rows : series, or iterator of consecutive parts of one
            Anything `as_fitted` accepts. Only the scores and a few windows are held in memory.
        """
        return self._per_timestamp(rows, lambda block: self.contributions(block).sum(axis=1), ())

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
        parts = self._row_contributions(rows)
        return parts if isinstance(rows, Iterator) else in_container_of(parts, rows, like)

    def expected(self, rows: Any, like: Any) -> Any:
        """Return the reconstruction of each row, in the container and units of `like`.

        This is the mean over the windows that cover the row, NaN where none does.
        """
        series = self.as_fitted(rows)
        total, count = np.zeros(series.values.shape), np.zeros((len(series), 1))
        for starts, block in self._windows(series.chunks()):
            made = reconstructed(self.autoencoder, block)
            for offset in range(self.window):
                total[starts + offset] += made[:, offset]
                count[starts + offset] += 1
        with np.errstate(invalid="ignore"):
            means = total / count
        return in_container_of(means * self.scaling.scale + self.scaling.centre, series, like)

    def intervals(self, rows: Any, rate: float) -> Intervals:
        """Return the intervals of alarms at a false-alarm rate.

        Alarms with at most half a window between them are merged.
        """
        series = self.as_fitted(rows)
        scores = self.score(series)
        around = self.window + longest_gap(self.window)
        intervals = []
        for span in merged_alarms(scores, self.threshold(rate), self.window // 2):
            start = max(0, span.first - around)
            near = self._row_contributions(series.part(start, span.last + 1 + around))
            own = near[span.first - start :][: span.rows]
            intervals.append(
                Interval(
                    start=series.time(span.first),
                    end=series.time(span.last),
                    peak=series.time(span.peak),
                    score=float(scores[span.peak]),
                    sensors=responsible_sensors(own, self.sensors),
                    rows=(span.first, span.last),
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
        """Return each sensor's contribution to the scores of windows, (k, sensors)."""
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
        series = S if isinstance(S, SensorSeries) else as_series(S)
        names = series.sensors
        if names == self.sensors or (not series.named and len(names) == len(self.sensors)):
            return series
        if sorted(names) == sorted(self.sensors):
            order = [names.index(name) for name in self.sensors]
            return replace(series, values=series.values[:, order], sensors=self.sensors)
        raise SchemaMismatch(
            "the series",
            expected=f"the sensors {', '.join(self.sensors)}"[:300],
            received=", ".join(names)[:300],
            remedy="pass the same sensors as in fit",
        )

    def set_attributes(self, estimator: Any) -> None:
        """Set the fitted attributes that `AnomalyDetector` documents for series."""
        estimator.sensors_, estimator.n_features_in_ = self.sensors, len(self.sensors)

    def check_settings(self, *, window: Any, group: Any, contaminated: bool) -> None:  # noqa: ARG002
        """Check the window; a series may contain a few anomalies in any mode."""
        if window != self.window:
            raise contradicted("window", window, self.window)
        if group is not None:
            raise contradicted("group", group, None)

    def own_schema(self) -> None:
        """Return None: the sensors and their scaling are stored as arrays."""
        return

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything learned except the autoencoder."""
        names = json.dumps(self.sensors).encode()
        return {
            "sensors": np.frombuffer(names, dtype=np.uint8),
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
        check_arrays(
            arrays,
            {
                "sensors": ("uint8", (None,)),
                "centre": per_sensor,
                "scale": per_sensor,
                "usual": statistics,
                "change": statistics,
                "scores": ("float64", (None,)),
                "window_scores": ("float64", (None,)),
                "taus": ("float64", (2,)),
            },
        )
        names = strict_json.parse(arrays["sensors"].tobytes(), "the sensors' names")
        _check_values(arrays, names)
        tau, window_tau = map(float, arrays["taus"])
        return cls(
            stored.autoencoder,
            window,
            tuple(names),
            SensorScaling(arrays["centre"], arrays["scale"]),
            SeriesScore(arrays["usual"], arrays["change"]),
            SeriesCalibration(arrays["scores"], tau),
            SeriesCalibration(arrays["window_scores"], window_tau),
        )

    @cached_property
    def _online(self) -> OnlineScorer:
        return OnlineScorer(self.window, self.scaling, self.contributions)

    def _row_contributions(self, rows: Any) -> NDArray[np.float64]:
        return self._per_timestamp(rows, self.contributions, (len(self.sensors),))

    def _per_timestamp(
        self, S: Any, function: Callable[[Floats], NDArray[np.float64]], shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Return for each row the mean of `function` over the windows that cover it."""
        rows, results = 0, []

        def counted() -> Iterator[SeriesChunk]:
            nonlocal rows
            for part in S if isinstance(S, Iterator) else (S,):
                for chunk in self.as_fitted(part).chunks():
                    rows += len(chunk.rows)
                    yield chunk

        for starts, block in self._windows(counted()):
            results.append((starts, function(block)))
        placed = np.full((rows, *shape), np.nan)
        for starts, values in results:
            placed[starts] = values
        return per_timestamp(placed, self.window)

    def _windows(self, chunks: Iterable[SeriesChunk]) -> Iterator[tuple[RowNumbers, Floats]]:
        return gathered(standardised_windows(chunks, self.window, self.scaling))


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


def _check_values(arrays: Mapping[str, np.ndarray], names: Any) -> None:
    positive = all((arrays[name] > 0).all() for name in ("scale", "change", "taus"))
    ordered = all((np.diff(arrays[name]) >= 0).all() for name in ("scores", "window_scores"))
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not (positive and ordered and named and len(names) == len(arrays["centre"])):
        raise InvalidArchive(
            "the archive's series detector",
            expected="positive scales, scores in ascending order and a name for each sensor",
            received="other values",
        )
