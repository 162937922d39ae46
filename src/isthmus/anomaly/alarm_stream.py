"""The alarms of a series as its rows are settled, with hysteresis.

An alarm begins with a row whose score is above the threshold, and ends when more rows than `calm`
have been at or below it. So one fault is one alarm, with the same bounds as one of
`intervals.merged_alarms` for the whole series.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.anomaly.intervals import Interval, responsible_sensors
from isthmus.data.stream_slots import STREAM, StreamRow, as_array, ints_of, rows_of, values_of
from isthmus.persistence.array_checks import unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from isthmus.anomaly.alarm_threshold import AlarmThreshold
    from isthmus.anomaly.stream_scores import SettledSlot

    Float64s = NDArray[np.float64]


class SettledRow(NamedTuple):
    """A row of a stream with its final score.

    Parameters
    ----------
    row : int
        Its number, counted from the beginning of the stream.
    time
        Its time; its number if the stream has no times.
    score : float
        What `AnomalyDetector.anomaly_score` gives for it in the whole series.
    threshold : float
        What `AnomalyDetector.thresholds_of` gives for it. A score above it raises an alarm.
    """

    row: int
    time: Any
    score: float
    threshold: float


@dataclass(frozen=True)
class _OpenAlarm:
    """An alarm that has not ended.

    Parameters
    ----------
    first, last, peak : StreamRow
        Its first row, the last one above the threshold, and the one with the highest score.
    score : float
        The highest score.
    shares, count
        The sum of the contributions to the scores of its slots, (sensors,), and their number.
    since, count_since
        The same for the slots since the last row above the threshold.
    calm : int
        Number of slots since that row.
    """

    first: StreamRow
    last: StreamRow
    peak: StreamRow
    score: float
    shares: Float64s
    count: int
    since: Float64s
    count_since: int
    calm: int

    def raised(self, row: StreamRow, score: float) -> _OpenAlarm:
        """Return the alarm with a further row above the threshold."""
        peak, highest = (row, score) if score > self.score else (self.peak, self.score)
        return replace(self, last=row, peak=peak, score=highest)

    def with_slot(self, parts: Float64s | None, *, alarmed: bool) -> _OpenAlarm:
        """Return the alarm with the contributions to the score of a further slot."""
        since = self.since if parts is None else self.since + parts
        count = self.count_since + (parts is not None)
        if not alarmed:
            return replace(self, since=since, count_since=count, calm=self.calm + 1)
        return replace(
            self,
            shares=self.shares + since,
            count=self.count + count,
            since=np.zeros_like(since),
            count_since=0,
            calm=0,
        )


class AlarmChange(NamedTuple):
    """What a settled slot changes."""

    rows: list[SettledRow]
    began: Interval | None
    """The alarm that begins in it, so far."""
    ended: Interval | None
    """The alarm that ends with it."""


class AlarmStream:
    """Opens and closes alarms.

    Parameters
    ----------
    threshold : AlarmThreshold
        The threshold of the next row.
    calm : int
        An alarm ends after more slots than this without a row above the threshold.
    sensors : tuple of str
        The names of the sensors.
    time_of : callable
        Returns the time of a row.
    """

    def __init__(
        self,
        threshold: AlarmThreshold,
        calm: int,
        sensors: tuple[str, ...],
        time_of: Callable[[StreamRow], Any],
    ) -> None:
        self._threshold, self._calm = threshold, calm
        self._sensors, self._time_of = sensors, time_of
        self._alarm: _OpenAlarm | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is an alarm that has not ended."""
        return self._alarm is not None

    def take(self, settled: SettledSlot) -> AlarmChange:
        """Take the next slot, whose score is final."""
        parts, before = settled.contributions, self._alarm
        score = float("nan") if parts is None else float(parts.sum())
        rows, alarmed = [], False
        for row in settled.slot.rows:
            own = score if row.measured else float("nan")
            threshold = self._threshold.at_next(own)
            rows.append(SettledRow(row.number, self._time_of(row), own, threshold))
            if own > threshold:
                alarmed = True
                self._raise(row, own)
        if self._alarm is not None:
            self._alarm = self._alarm.with_slot(parts, alarmed=alarmed)
        began = self._interval() if before is None else None
        over = self._alarm is not None and self._alarm.calm > self._calm
        return AlarmChange(rows, began, self.close() if over else None)

    def close(self) -> Interval | None:
        """End the alarm, if there is one, and return it."""
        ended, self._alarm = self._interval(), None
        return ended

    def _raise(self, row: StreamRow, score: float) -> None:
        if self._alarm is None:
            none = np.zeros(len(self._sensors))
            self._alarm = _OpenAlarm(row, row, row, score, none, 0, none, 0, 0)
        self._alarm = self._alarm.raised(row, score)

    def _interval(self) -> Interval | None:
        """Return the alarm so far, up to the last row above the threshold."""
        alarm = self._alarm
        if alarm is None:
            return None
        start, end, peak = map(self._time_of, (alarm.first, alarm.last, alarm.peak))
        sensors = responsible_sensors(alarm.shares / max(1, alarm.count), self._sensors)
        rows = (alarm.first.number, alarm.last.number)
        return Interval(start, end, peak, alarm.score, sensors, rows)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state for an archive; arrays of an alarm are empty if none is open."""
        alarm = self._alarm
        each = [] if alarm is None else [alarm]
        return {
            "threshold": np.array(self._threshold.state()),
            "alarm_rows": as_array([row for a in each for row in (a.first, a.last, a.peak)]),
            "alarm_score": np.array([a.score for a in each], dtype=np.float64),
            "alarm_shares": np.array([s for a in each for s in (a.shares, a.since)]).reshape(
                2 * len(each), len(self._sensors)
            ),
            "alarm_counts": np.array(
                [n for a in each for n in (a.count, a.count_since, a.calm)], dtype=np.int64
            ),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over the state in an archive; raises InvalidArchive."""
        threshold = values_of(arrays, "threshold", (3,))
        if not (np.isfinite(threshold).all() and (threshold[1:] >= 0).all()):
            raise unfit(STREAM, "threshold", "a logarithm, and positive numbers", str(threshold))
        self._threshold.restore(*threshold.tolist())
        rows = rows_of(arrays, "alarm_rows")
        many = len(rows) // 3
        score = values_of(arrays, "alarm_score", (many,))
        shares = values_of(arrays, "alarm_shares", (2 * many, len(self._sensors)))
        counts = ints_of(arrays, "alarm_counts", (3 * many,))
        if len(rows) not in (0, 3) or not ((score > 0).all() and (shares >= 0).all()):
            raise unfit(STREAM, "alarm_rows", "those of one alarm, with a score", f"{len(rows)}")
        if not many:
            return
        count, count_since, calm = counts.tolist()
        if count < 1 or calm > self._calm:
            raise unfit(STREAM, "alarm_counts", "those of an open alarm", str(counts.tolist()))
        first, last, peak = rows
        self._alarm = _OpenAlarm(
            first, last, peak, float(score[0]), shares[0], count, shares[1], count_since, calm
        )
