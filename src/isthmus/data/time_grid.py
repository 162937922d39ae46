"""Places the rows of a series on a grid of evenly spaced slots, as windows need them.

The distance between slots is the usual time step: the median of a series' steps, learned in `fit`.
A row that comes within a quarter of a step of a whole number of steps after the row before it is
that many slots further. So a clock that jitters or drifts counts as regular. Any other row is
placed by the time since the last row that was in time, rounded to whole steps. Rows in the same
slot are averaged. Slots without a row are empty; after more empty slots than may be filled, the
grid breaks off and continues in the next slot, however long the gap was.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.core.errors import DataWarning, InvalidArchive, InvalidData
from isthmus.data.time_order import TimeOrder
from isthmus.persistence.array_checks import check_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from isthmus.data.sensor_series import SensorSeries

Float64s = NDArray[np.float64]
Slots = NDArray[np.int64]

_IN_TIME = 0.25
"""Tolerance of a row's time, in steps."""
_CHUNK_CELLS = 1 << 19
"""Cells of a series that are handled at a time: 4 MiB."""


class SeriesChunk(NamedTuple):
    """Consecutive slots of a series."""

    rows: Float64s
    """(k, sensors); NaN marks a missing cell."""
    breaks: NDArray[np.bool_]
    """(k,), True where there is a gap before the slot that is not filled."""


@dataclass(frozen=True, eq=False)
class TimeGrid:
    """How the rows of a series are placed in time, and which gaps are filled.

    Parameters
    ----------
    step : float or None
        The time between slots in microseconds. None: that of each series is used.
    longest_gap : int
        The most consecutive empty slots that are filled.
    every : array of int64, shape (sensors,)
        How many slots apart each sensor is usually measured. Of a sensor, `longest_gap` times as
        many consecutive cells are filled.
    """

    step: float | None
    longest_gap: int
    every: NDArray[np.int64]

    @classmethod
    def evenly_spaced(cls, longest_gap: int, sensors: int) -> Self:
        """Return the grid of a series without times, all of whose sensors are in every row."""
        return cls(None, longest_gap, np.ones(sensors, dtype=np.int64))

    @property
    def is_evenly_spaced(self) -> bool:
        """Whether this is `evenly_spaced`."""
        return self.step is None and bool((self.every == 1).all())

    @property
    def longest_gaps(self) -> NDArray[np.int64]:
        """The most consecutive missing cells of each sensor that are filled, (sensors,)."""
        return self.longest_gap * self.every

    def place(self, parts: Iterable[SensorSeries]) -> PlacedSeries:
        """Return a series on the grid.

        Parameters
        ----------
        parts : iterable of SensorSeries
            Consecutive parts of the series; an iterator can be read only once.
        """
        return PlacedSeries(self, parts)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the grid as arrays for an archive."""
        return {
            "step": np.array([self.step or 0.0]),
            "gap": np.array([self.longest_gap], dtype=np.int64),
            "every": self.every,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], sensors: int) -> Self:
        """Rebuild a grid from the output of `to_arrays`; raises InvalidArchive."""
        check_arrays(
            arrays,
            {
                "step": ("float64", (1,)),
                "gap": ("int64", (1,)),
                "every": ("int64", (sensors,)),
            },
        )
        step, gap = float(arrays["step"][0]), int(arrays["gap"][0])
        most = np.iinfo(np.int32).max
        if step < 0 or not 0 <= gap <= most or not ((arrays["every"] > 0).all()):
            raise InvalidArchive(
                "the archive's time grid",
                expected="a step and a gap of at least 0, and positive distances",
                received="other values",
            )
        if gap * int(arrays["every"].max()) > most:
            raise InvalidArchive("the archive's time grid", expected="shorter gaps")
        return cls(step or None, gap, arrays["every"])


class PlacedSeries:
    """A series on a grid: reads it as chunks of slots, and returns results to the user's rows.

    Parameters
    ----------
    grid : TimeGrid
        The grid.
    parts : iterable of SensorSeries
        Consecutive parts of the series.
    """

    def __init__(self, grid: TimeGrid, parts: Iterable[SensorSeries]) -> None:
        self.grid = grid
        self._parts = parts
        self._notes: dict[str, str] = {}
        self._clear()

    @property
    def rows(self) -> int:
        """The number of rows that were read."""
        return sum(map(len, self._slots))

    @property
    def slots(self) -> int:
        """The number of slots that were read."""
        return self._next

    def chunks(self) -> Iterator[SeriesChunk]:
        """Read the series: yield its slots in float64, a chunk at a time.

        Raises
        ------
        InvalidData
            A value is infinite, or parts are not in order of time.
        """
        self._clear()
        order = clock = None
        held: _Slots | None = None
        for part in self._parts:
            ticks = part.ticks()
            if ticks is not None and clock is None:
                step = self.grid.step or usual_step(ticks, part.starts)
                order, clock = TimeOrder(step), StepClock(step)
                self._notes = order.notes
            rows = None
            if ticks is not None and order is not None and clock is not None:
                ticks, rows = order.sort(ticks)
            ahead = np.ones(len(part), dtype=np.int64)
            if ticks is not None and clock is not None:
                ahead = clock.advances(ticks)
            if part.starts is not None:
                ahead[part.starts] = self.grid.longest_gap + 2
            for found in self._placed(part, rows, ahead):
                joined = found if held is None else held.followed_by(found)
                yield from joined.complete()
                held = joined.last()
        if held is not None:
            yield held.chunk()

    def per_row(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values of slots, (slots, ...), for each row in the user's order, (n, ...).

        They are NaN for rows in which no sensor was measured.
        """
        found = np.asarray(values[self.slot_of_rows()], dtype=np.float64)
        found[~self._measured_rows()] = np.nan
        return found

    def measured(self) -> Slots:
        """Return the slots in which a sensor was measured, in order."""
        return np.unique(self.slot_of_rows()[self._measured_rows()])

    def in_order(self) -> NDArray[np.intp]:
        """Return the numbers of the user's rows in order of time, (n,)."""
        return np.argsort(self.slot_of_rows(), kind="stable")

    def places(self, apart: int) -> Slots:
        """Return a place in time for each row, (n,): its slot, with breaks `apart` slots long."""
        slots = self.slot_of_rows()
        return slots + apart * np.searchsorted(self.breaks(), slots, side="right")

    def warn(self) -> None:
        """Warn of rows that are not sorted by time, or of a clock that was set back."""
        for note in self._notes.values():
            warnings.warn(note, DataWarning, stacklevel=2)

    def breaks(self) -> Slots:
        """Return the slots before which there is a gap that is not filled."""
        return np.asarray(self._breaks, dtype=np.int64)

    def begins(self) -> Slots:
        """Return the slots in which the rows of another unit begin."""
        return np.asarray(self._begins, dtype=np.int64)

    def slot_of_rows(self) -> Slots:
        """Return the slot of each row in the user's order, (n,)."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self._slots])

    def _clear(self) -> None:
        self._next = 0
        self._breaks: list[int] = []
        self._begins: list[int] = []
        self._slots: list[Slots] = []
        self._measured: list[NDArray[np.bool_]] = []
        self._notes = {}

    def _measured_rows(self) -> NDArray[np.bool_]:
        return np.concatenate([np.zeros(0, dtype=bool), *self._measured])

    def _placed(
        self, part: SensorSeries, order: NDArray[np.intp] | None, ahead: Slots
    ) -> Iterator[_Slots]:
        """Yield the slots of a part, from its first row on; note the slot of each row."""
        before, count = self.rows, len(part)
        slots, gap = self._numbered(ahead)
        if part.starts is not None:
            self._begins += slots[part.starts].tolist()
        measured = np.zeros(count, dtype=bool)
        for start, stop in _blocks(slots, max(1, _CHUNK_CELLS // part.width)):
            own = slice(start, stop) if order is None else order[start:stop]
            rows = part.rows(own)
            _check_finite(rows, np.arange(count)[own] + before)
            measured[own] = ~np.isnan(rows).all(axis=1)
            yield _Slots.of(rows, slots[start:stop], gap[start:stop])
        if order is not None:
            slots, mine = np.empty_like(slots), slots
            slots[order] = mine
        self._slots.append(slots)
        self._measured.append(measured)

    def _numbered(self, ahead: Slots) -> tuple[Slots, NDArray[np.bool_]]:
        """Return the slot of each row of a part, and whether there is a break before it."""
        gap = ahead > self.grid.longest_gap + 1
        ahead = np.where(gap, 1, ahead)
        if not self._next:
            ahead[0], gap[0] = 1, False
        slots = self._next - 1 + np.cumsum(ahead)
        self._next = int(slots[-1]) + 1
        self._breaks += slots[gap].tolist()
        return slots, gap


class StepClock:
    """Counts the steps between rows, which arrive in order of time.

    Parameters
    ----------
    step : float or None
        The usual step; None counts every row as one step.
    """

    def __init__(self, step: float | None) -> None:
        self._step = step
        self._last: int | None = None
        # The time of the last row that was in time, and the whole steps from there to the last row.
        self._anchor, self._since = 0, 0

    def advances(self, ticks: Slots) -> Slots:
        """Return how many steps each row is after the row before it, (n,)."""
        if self._step is None:
            return np.ones(len(ticks), dtype=np.int64)
        steps = np.diff(ticks, prepend=ticks[0] if self._last is None else self._last) / self._step
        whole = np.floor(steps + 0.5)
        in_time = (whole >= 1) & (np.abs(steps - whole) <= _IN_TIME)
        if self._last is None:
            self._anchor = int(ticks[0])
        place = np.maximum.accumulate(np.where(in_time, np.arange(len(ticks)), -1))
        anchors = np.where(place < 0, self._anchor, ticks[place])
        since = np.floor((ticks - anchors) / self._step + 0.5)
        earlier = np.concatenate([[self._since], since[:-1]])
        ahead = np.where(in_time, whole, since - earlier).astype(np.int64)
        self._last, self._anchor, self._since = int(ticks[-1]), int(anchors[-1]), int(since[-1])
        return ahead

    def state(self) -> tuple[int, int, int]:
        """Return what `restore` takes; there has been a row."""
        return self._last or 0, self._anchor, self._since

    def restore(self, last: int, anchor: int, since: int) -> None:
        """Go on after the last row of another clock, given its `state`."""
        self._last, self._anchor, self._since = last, anchor, since


@dataclass(frozen=True, eq=False)
class _Slots:
    """Consecutive slots, the last of which may get more rows.

    Parameters
    ----------
    first : int
        The number of the first slot.
    sums, counts : arrays of shape (k, sensors)
        The sums and the numbers of the cells in each slot.
    breaks : array of bool, shape (k,)
        As in `SeriesChunk`.
    """

    first: int
    sums: Float64s
    counts: NDArray[np.int64] | None
    """None: each slot has one row, and `sums` are its cells."""
    breaks: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Float64s, slots: Slots, gap: NDArray[np.bool_]) -> Self:
        """Return the slots of rows (k, sensors), whose slots ascend."""
        first, many = int(slots[0]), int(slots[-1] - slots[0]) + 1
        if many == len(rows) and slots[-1] - slots[0] == len(rows) - 1 and _ascending(slots):
            return cls(first, rows, None, gap)
        sums, counts = np.zeros((many, rows.shape[1])), np.zeros((many, rows.shape[1]), np.int64)
        present = ~np.isnan(rows)
        np.add.at(sums, slots - first, np.where(present, rows, 0.0))
        np.add.at(counts, slots - first, present)
        breaks = np.zeros(many, dtype=bool)
        breaks[slots[gap] - first] = True
        return cls(first, sums, counts, breaks)

    def followed_by(self, later: _Slots) -> _Slots:
        """Return these slots and later ones as one; the first of those may be the last of these."""
        shift = later.first - self.first
        if shift == len(self.sums) and self.counts is None and later.counts is None:
            sums = np.concatenate([self.sums, later.sums])
            return _Slots(self.first, sums, None, np.concatenate([self.breaks, later.breaks]))
        many = shift + len(later.sums)
        sums = np.zeros((many, self.sums.shape[1]))
        counts, breaks = np.zeros(sums.shape, dtype=np.int64), np.zeros(many, dtype=bool)
        for part, start in ((self, 0), (later, shift)):
            own = slice(start, start + len(part.sums))
            more, number = part._totals()
            sums[own] += more
            counts[own] += number
            breaks[own] |= part.breaks
        return _Slots(self.first, sums, counts, breaks)

    def complete(self) -> Iterator[SeriesChunk]:
        """Yield all but the last slot, if there are any."""
        if len(self.sums) > 1:
            rows, breaks = self.chunk()
            yield SeriesChunk(rows[:-1], breaks[:-1])

    def last(self) -> _Slots:
        """Return the last slot."""
        counts = None if self.counts is None else self.counts[-1:]
        return _Slots(
            self.first + len(self.sums) - 1, self.sums[-1:].copy(), counts, self.breaks[-1:]
        )

    def chunk(self) -> SeriesChunk:
        """Return the mean of each slot's cells."""
        if self.counts is None:
            return SeriesChunk(self.sums, self.breaks)
        with np.errstate(invalid="ignore"):
            return SeriesChunk(self.sums / np.where(self.counts, self.counts, np.nan), self.breaks)

    def _totals(self) -> tuple[Float64s, NDArray[np.int64]]:
        if self.counts is not None:
            return self.sums, self.counts
        present = ~np.isnan(self.sums)
        return np.where(present, self.sums, 0.0), present.astype(np.int64)


def usual_step(ticks: NDArray[np.int64], starts: NDArray[np.bool_] | None = None) -> float | None:
    """Return the median time between rows, in the unit of `ticks`; None if there is no such step.

    Parameters
    ----------
    ticks : array of int64, shape (n,)
        The time of each row, in any order. Rows with the same time count once.
    starts : array of bool, shape (n,), optional
        Rows, in order of time, before which the step does not count.
    """
    steps = np.diff(np.sort(ticks))
    if starts is not None:
        steps = steps[~starts[1:]]
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else None


def _ascending(slots: Slots) -> bool:
    return bool((np.diff(slots) == 1).all())


def _blocks(slots: Slots, size: int) -> Iterator[tuple[int, int]]:
    """Yield bounds of consecutive rows that take about `size` slots."""
    start = 0
    while start < len(slots):
        stop = min(start + size, int(np.searchsorted(slots, slots[start] + size)))
        stop = max(start + 1, stop)
        yield start, stop
        start = stop


def _check_finite(rows: Float64s, numbers: NDArray[np.intp]) -> None:
    bad = np.argwhere(np.isinf(rows))
    if len(bad):
        row, sensor = bad[0]
        raise InvalidData(
            f"row {numbers[row]}, sensor {sensor} of the series",
            expected="a finite number, or NaN for a missing cell",
            received=str(rows[row, sensor]),
            remedy="replace infinities with NaN",
        )
