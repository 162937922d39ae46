"""Scores and alarms of a series whose rows arrive one at a time.

They are those of the whole series: `stream_slots` places the rows in time and fills gaps,
`stream_scores` scores windows and settles rows, and `alarm_stream` follows the threshold and the
alarms. A row is settled when all windows that cover it are scored, `window` - 1 rows later. So an
alarm is not known before, but it need not wait for the fault to end: a fault in the later rows of
these windows raises the scores of earlier rows, too.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from isthmus.anomaly.alarm_stream import AlarmChange, AlarmStream
from isthmus.anomaly.intervals import Intervals
from isthmus.anomaly.stream_scores import StreamScores
from isthmus.core.errors import InvalidData, SchemaMismatch
from isthmus.data.stream_slots import (
    LATEST,
    STREAM,
    StreamRow,
    StreamSlots,
    ints_of,
    values_of,
)
from isthmus.persistence.array_checks import unfit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from isthmus.anomaly.alarm_stream import SettledRow
    from isthmus.anomaly.alarm_threshold import AlarmThreshold
    from isthmus.anomaly.series_score import Level
    from isthmus.anomaly.series_windows import SensorScaling
    from isthmus.anomaly.stream_scores import SettledSlot
    from isthmus.core.types import Floats
    from isthmus.data.time_grid import TimeGrid

    Float64s = NDArray[np.float64]
    Arrays = dict[str, NDArray[Any]]

_KINDS = ("", "M", "m")
"""No times, dates and durations, as NumPy abbreviates these."""
_NAMES = {"": "no time", "M": "a date with time", "m": "a duration"}


@dataclass(frozen=True)
class StreamUpdate:
    """What is known of a series after a further row.

    Parameters
    ----------
    row : int
        The number of this row, counted from the beginning of the stream.
    alarm : bool
        Whether an alarm is open.
    began : Intervals
        The alarms that opened with this row, as far as they are known: hardly ever more than one.
    ended : Intervals
        The alarms that closed with this row, as `AnomalyDetector.intervals` returns them.
    settled : tuple of SettledRow
        The earlier rows whose scores are final now, with their thresholds. That is one row in the
        usual case, none while cells are missing that may still be filled, and several after that.
    window_score : float
        The score of the newest complete window: the first sign of a fault. It varies more than the
        score of a row, which is the mean over several windows. NaN if this row completes none.
    """

    row: int
    alarm: bool
    began: Intervals
    ended: Intervals
    settled: tuple[SettledRow, ...]
    window_score: float

    @property
    def score(self) -> float:
        """The score of the last row that was settled by this one; NaN if there is none."""
        return self.settled[-1].score if self.settled else float("nan")

    @property
    def threshold(self) -> float:
        """The threshold for `score`; NaN if no row was settled."""
        return self.settled[-1].threshold if self.settled else float("nan")


class StreamSettings(NamedTuple):
    """What a stream takes from its detector."""

    window: int
    """Rows per window."""
    calm: int
    """An alarm closes after more slots than this without a row above the threshold."""
    columns: tuple[str, ...]
    """The columns of a row."""
    sensors: tuple[str, ...]
    """The columns that were learned."""
    grid: TimeGrid
    scaling: SensorScaling
    level: Level
    """The level before the first window."""
    contributions: Callable[[Floats, Level], Float64s]
    """Maps standardised windows and their level to contributions, (k, sensors)."""
    threshold: AlarmThreshold
    """The threshold before the first row."""
    rate: float
    """The false-alarm rate of `threshold`."""


class SeriesStream:
    """A series whose rows arrive one at a time. Not thread-safe.

    Parameters
    ----------
    settings : StreamSettings
    kind : str, default=""
        Whether rows have times: "M" for dates, "m" for durations, and "" for none.
    """

    def __init__(self, settings: StreamSettings, kind: str = "") -> None:
        self._settings, self._kind, self._seen = settings, kind, 0
        self._ticks = 0
        self._picked = np.array([settings.columns.index(name) for name in settings.sensors])
        self._slots = StreamSlots(settings.grid, timed=bool(kind))
        self._scores = StreamScores(settings.window, settings.scaling, self._contributions)
        self._alarms = AlarmStream(
            settings.threshold, settings.calm, settings.sensors, self._time_of
        )

    @classmethod
    def beginning_with(cls, settings: StreamSettings, time: Any) -> Self:
        """Return a stream whose first row has this time, or None."""
        if time is None:
            return cls(settings)
        if settings.grid.step is None:
            raise InvalidData(
                "the time of a row",
                expected="None, because the detector was fitted without times",
                received=str(time),
                remedy="leave out the time, or fit the detector to a table with times",
            )
        return cls(settings, _stamp(time).dtype.kind)

    def update(self, row: Any, time: Any) -> StreamUpdate:
        """Take the next row.

        Raises
        ------
        InvalidData, SchemaMismatch
            The row or its time is not valid; the stream is as before.
        """
        values = self._values(row)
        ticks = self._ticks_of(time)
        taken = StreamRow(self._seen, ticks, not np.isnan(values).all())
        self._seen, self._ticks = self._seen + 1, ticks
        settled: list[SettledSlot] = []
        changes: list[AlarmChange] = []
        for slot in self._slots.take(taken, values):
            settled = self._scores.take(slot)
            changes += map(self._alarms.take, settled)
            if slot.before_gap:
                settled = self._scores.cut()
                changes += map(self._alarms.take, settled)
                changes.append(AlarmChange([], None, self._alarms.close()))
        return StreamUpdate(
            row=taken.number,
            alarm=self._alarms.is_open,
            began=Intervals(change.began for change in changes if change.began is not None),
            ended=Intervals(change.ended for change in changes if change.ended is not None),
            settled=tuple(row for change in changes for row in change.rows),
            window_score=settled[-1].window_score if settled else float("nan"),
        )

    def to_arrays(self) -> Arrays:
        """Return the state for an archive."""
        numbers = (_KINDS.index(self._kind), self._seen, self._ticks)
        return {
            "numbers": np.array(numbers, dtype=np.int64),
            "rate": np.array([self._settings.rate]),
            **self._slots.to_arrays(),
            **self._scores.to_arrays(),
            **self._settings.level.to_arrays(),
            **self._alarms.to_arrays(),
        }

    @classmethod
    def from_arrays(
        cls, settings_at: Callable[[float], StreamSettings], arrays: Mapping[str, NDArray[Any]]
    ) -> Self:
        """Rebuild a stream from the output of `to_arrays`.

        Parameters
        ----------
        settings_at : callable
            Returns the settings for a false-alarm rate.
        arrays : mapping of str to array
            Untrusted.

        Raises
        ------
        InvalidArchive
            They are not the state of a stream.
        """
        kind, seen, ticks = ints_of(arrays, "numbers", (3,), least=-LATEST).tolist()
        (rate,) = values_of(arrays, "rate", (1,)).tolist()
        if not (0 < rate < 1 and 0 <= kind < len(_KINDS) and seen > 0):
            raise unfit(STREAM, "numbers", "a rate, a kind and a number of rows", f"{rate}, {kind}")
        settings = settings_at(rate)
        if kind and settings.grid.step is None:
            raise unfit(STREAM, "numbers", "no times, as in the detector", _KINDS[kind])
        stream = cls(settings, _KINDS[kind])
        stream._seen, stream._ticks = seen, ticks
        for part in (stream._slots, stream._scores, settings.level, stream._alarms):
            part.restore(arrays)
        if set(arrays) != set(stream.to_arrays()):
            raise unfit(STREAM, "arrays", ", ".join(stream.to_arrays()), str(sorted(arrays)))
        return stream

    def _contributions(self, block: Floats) -> Float64s:
        return self._settings.contributions(block, self._settings.level)

    def _values(self, row: Any) -> Float64s:
        """Return the values of the sensors in a row, (sensors,)."""
        columns = self._settings.columns
        if hasattr(row, "to_dict"):  # a row of a DataFrame
            row = row.to_dict()
        if isinstance(row, Mapping):
            missing = [name for name in self._settings.sensors if name not in row]
            if missing:
                raise SchemaMismatch(
                    "a row",
                    expected=f"the sensors {', '.join(self._settings.sensors)}"[:300],
                    received=", ".join(map(str, row))[:300],
                    remedy="pass None or NaN for a missing value",
                )
            row = [row.get(name) for name in columns]
        try:
            values = np.asarray(row, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.shape != (len(columns),) or np.isinf(values).any():
            raise InvalidData(
                "a row",
                expected=f"{len(columns)} finite numbers, with NaN for missing values",
                received=repr(row)[:200],
                remedy="pass one value for each sensor, in the order used in fit",
            )
        return np.asarray(values[self._picked])

    def _ticks_of(self, time: Any) -> int:
        """Return a time in microseconds, 0 without times."""
        if time is None and not self._kind:
            return 0
        stamp = None if time is None else _stamp(time)
        if stamp is None or stamp.dtype.kind != self._kind:
            raise InvalidData(
                "the time of a row",
                expected=f"{_NAMES[self._kind]}, as in the first row",
                received=repr(time),
                remedy="pass times for all rows or for none, or call reset() to begin a new stream",
            )
        ticks = int(stamp.astype(np.int64))
        if self._seen and ticks < self._ticks:
            raise InvalidData(
                "the time of a row",
                expected=f"not before that of the last row, {self._time(self._ticks)}",
                received=str(time),
                remedy="pass rows in order of time, with local times converted to UTC, or call "
                "reset() to begin a new stream",
            )
        return ticks

    def _time_of(self, row: StreamRow) -> Any:
        return self._time(row.ticks) if self._kind else row.number

    def _time(self, ticks: int) -> Any:
        return np.array(ticks).astype(f"{self._kind}8[us]").item()


def _stamp(time: Any) -> Any:
    """Return a time as a NumPy date or duration in microseconds."""
    stamp: Any = None
    if time != time:  # pandas.NaT is a datetime
        pass
    elif isinstance(time, datetime.datetime):
        if time.tzinfo is not None:
            time = time.astimezone(datetime.UTC).replace(tzinfo=None)
        stamp = np.datetime64(time, "us")
    elif isinstance(time, datetime.timedelta):
        stamp = np.timedelta64(time, "us")
    elif isinstance(time, np.datetime64 | np.timedelta64):
        stamp = time.astype(f"{time.dtype.kind}8[us]")
    if stamp is None or np.isnat(stamp):
        raise InvalidData(
            "the time of a row",
            expected="a date with time, or a duration, as of datetime, pandas or NumPy",
            received=repr(time)[:200],
            remedy="convert it, for example with pandas.Timestamp",
        )
    return stamp
