"""Places the rows of a series on its grid and fills short gaps, row by row as they arrive.

The result is that of `time_grid` and of `windows.pieces` for the whole series. It comes later than
the rows: a missing cell is interpolated, so it waits for the sensor's next value, for at most as
many slots as are filled. With times, a slot is complete when a row of a later slot arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.data.time_grid import StepClock
from isthmus.persistence.array_checks import array_of, unfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.data.time_grid import TimeGrid

    Float64s = NDArray[np.float64]
    Arrays = Mapping[str, NDArray[Any]]

STREAM = "the archive's stream"
"""What messages call the state of a stream."""
LONGEST = 1 << 31
LATEST = 1 << 62
"""Limits on lengths, and on counts and times, in an archive."""


class StreamRow(NamedTuple):
    """A row of the user's."""

    number: int
    """Counted from the beginning of the stream."""
    ticks: int
    """Its time in microseconds; 0 without times."""
    measured: bool
    """Whether any sensor has a value."""


class Slot(NamedTuple):
    """A slot whose cells do not change any more, or wait only to be filled."""

    values: Float64s
    """(sensors,), NaN where a cell is missing."""
    before_gap: bool
    """Whether a gap in time that is not filled comes after it."""
    rows: tuple[StreamRow, ...]
    """The user's rows in it; none if all of it was filled."""

    @property
    def measured(self) -> bool:
        """Whether any of its rows was measured."""
        return any(row.measured for row in self.rows)


class StreamSlots:
    """The slots of a series as its rows arrive.

    Parameters
    ----------
    grid : TimeGrid
        The grid.
    timed : bool
        Whether rows have times; otherwise each row is a slot.
    """

    def __init__(self, grid: TimeGrid, *, timed: bool) -> None:
        self._longest, self._gap = grid.longest_gaps, grid.longest_gap
        sensors = len(self._longest)
        self._clock = StepClock(grid.step) if timed else None
        self._open: list[tuple[StreamRow, Float64s]] = []
        self._waiting: list[Slot] = []
        # Of each sensor, the last value since the last gap, and the missing cells since then.
        self._last, self._missing = np.full(sensors, np.nan), np.zeros(sensors, dtype=np.int64)

    def take(self, row: StreamRow, values: Float64s) -> Iterator[Slot]:
        """Take the next row, and yield the slots that are decided now.

        Parameters
        ----------
        row : StreamRow
            Not earlier than the row before.
        values : array of shape (sensors,)
            NaN marks a missing cell.
        """
        if self._clock is None:
            yield from self._decided(Slot(values, before_gap=False, rows=(row,)))
            return
        ahead = int(self._clock.advances(np.array([row.ticks]))[0])
        if self._open and ahead:
            gap = ahead > self._gap + 1
            yield from self._decided(self._complete(before_gap=gap))
            for _ in range(0 if gap else ahead - 1):
                empty = np.full(len(self._last), np.nan)
                yield from self._decided(Slot(empty, before_gap=False, rows=()))
        self._open.append((row, values))

    def _complete(self, *, before_gap: bool) -> Slot:
        """Return the slot whose rows arrived last, the mean of their cells."""
        rows, cells = zip(*self._open, strict=True)
        values = cells[0]
        if len(cells) > 1:
            stacked = np.stack(cells)
            count = (~np.isnan(stacked)).sum(axis=0)
            values = np.nansum(stacked, axis=0) / np.where(count, count, np.nan)
        self._open = []
        return Slot(values, before_gap, rows)

    def _decided(self, slot: Slot) -> list[Slot]:
        """Add a slot, and return those that no later row can change."""
        present = ~np.isnan(slot.values)
        if self._waiting:
            self._fill(slot.values, present & (self._missing > 0))
        self._last = np.where(present, slot.values, self._last)
        self._missing = np.where(present, 0, self._missing + 1)
        if slot.before_gap:
            self._last[:], self._missing[:] = np.nan, 0
        hopeful = ~np.isnan(self._last) & (self._missing <= self._longest)
        undecided = int(np.where(hopeful, self._missing, 0).max())
        self._waiting.append(slot)
        ready = len(self._waiting) - undecided
        decided, self._waiting = self._waiting[:ready], self._waiting[ready:]
        return decided

    def _fill(self, values: Float64s, back: NDArray[np.bool_]) -> None:
        """Interpolate the waiting cells of sensors that are back, up to their new values."""
        for sensor in np.flatnonzero(back):
            missing, left = int(self._missing[sensor]), self._last[sensor]
            if np.isnan(left) or missing > self._longest[sensor]:
                continue
            slope = (values[sensor] - left) / (missing + 1)
            for step, slot in enumerate(self._waiting[-missing:], start=1):
                slot.values[sensor] = left + slope * step

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state for an archive."""
        cells = [values for _, values in self._open]
        return {
            "clock": np.array([0, 0, 0] if self._clock is None else self._clock.state()),
            "last": self._last.copy(),
            "missing": self._missing.copy(),
            "open_rows": as_array([row for row, _ in self._open]),
            "open_values": np.array(cells).reshape(len(cells), len(self._last)),
            **slots_to_arrays(self._waiting, len(self._last), "waiting"),
        }

    def restore(self, arrays: Arrays) -> None:
        """Take over the state in an archive; raises InvalidArchive."""
        sensors = len(self._last)
        clock = ints_of(arrays, "clock", (3,), least=-LATEST)
        missing = ints_of(arrays, "missing", (sensors,))
        rows = rows_of(arrays, "open_rows")
        cells = values_of(arrays, "open_values", (len(rows), sensors))
        waiting = slots_of(arrays, sensors, "waiting")
        last = values_of(arrays, "last", (sensors,))
        hopeful = ~np.isnan(last) & (missing <= self._longest)
        if int(np.where(hopeful, missing, 0).max()) != len(waiting):
            raise unfit(STREAM, "missing", f"{len(waiting)} waiting slots", "another number")
        timed = self._clock is not None
        if clock[2] < 0 or clock[1] > clock[0] or not (timed or not (rows or clock.any())):
            raise unfit(STREAM, "clock", "the times of the last rows", str(clock.tolist()))
        if self._clock is not None:
            if not rows or rows[-1].ticks != clock[0]:
                raise unfit(STREAM, "open_rows", "the last row", f"{len(rows)} rows")
            self._clock.restore(*map(int, clock))
        self._last, self._missing, self._waiting = last, missing, waiting
        self._open = list(zip(rows, cells, strict=True))


def slots_to_arrays(slots: Iterable[Slot], sensors: int, name: str) -> dict[str, NDArray[Any]]:
    """Return slots as arrays for an archive."""
    slots = list(slots)
    shape = (len(slots), sensors)
    flags = [(slot.before_gap, len(slot.rows)) for slot in slots]
    return {
        f"{name}_values": np.array([slot.values for slot in slots]).reshape(shape),
        f"{name}_slots": np.array(flags, dtype=np.int64).reshape(len(slots), 2),
        f"{name}_rows": as_array([row for slot in slots for row in slot.rows]),
    }


def slots_of(arrays: Arrays, sensors: int, name: str) -> list[Slot]:
    """Return the slots in an archive; raises InvalidArchive."""
    rows = rows_of(arrays, f"{name}_rows")
    count = _length(arrays, f"{name}_slots")
    flags = ints_of(arrays, f"{name}_slots", (count, 2), most=LONGEST)
    values = values_of(arrays, f"{name}_values", (count, sensors))
    bounds = np.concatenate([[0], np.cumsum(flags[:, 1])])
    if bounds[-1] != len(rows) or (count and flags[:, 0].max() > 1):
        raise unfit(STREAM, f"{name}_slots", f"slots of {len(rows)} rows", "others")
    return [
        Slot(values[i], bool(flags[i, 0]), tuple(rows[bounds[i] : bounds[i + 1]]))
        for i in range(count)
    ]


def as_array(rows: Sequence[StreamRow]) -> NDArray[np.int64]:
    """Return rows as an array, (k, 3)."""
    return np.array(rows, dtype=np.int64).reshape(len(rows), 3)


def rows_of(arrays: Arrays, name: str) -> list[StreamRow]:
    """Return the rows in an archive; raises InvalidArchive."""
    stored = ints_of(arrays, name, (_length(arrays, name), 3), least=-LATEST)
    if (stored[:, [0, 2]] < 0).any() or (stored[:, 2] > 1).any():
        raise unfit(STREAM, name, "numbers of rows, and whether they were measured", "others")
    return [StreamRow(number, ticks, bool(measured)) for number, ticks, measured in stored.tolist()]


def _length(arrays: Arrays, name: str) -> int:
    """Return how many rows an array has, 0 if it is missing or has none."""
    array = arrays.get(name)
    return 0 if array is None or not array.ndim else len(array)


def ints_of(
    arrays: Arrays, name: str, shape: tuple[int, ...], *, least: int = 0, most: int = LATEST
) -> NDArray[np.int64]:
    """Return integers in an archive after checking their range; raises InvalidArchive."""
    found = array_of(arrays, name, np.int64, shape, model=STREAM, longest=LONGEST)
    if found.size and not (found.min() >= least and found.max() <= most):
        raise unfit(STREAM, name, f"integers from {least} to {most}", str(found.tolist()))
    return found.copy()


def values_of(arrays: Arrays, name: str, shape: tuple[int, ...]) -> Float64s:
    """Return numbers in an archive, finite or NaN; raises InvalidArchive."""
    found = array_of(arrays, name, np.float64, shape, model=STREAM, longest=LONGEST)
    if np.isinf(found).any():
        raise unfit(STREAM, name, "finite numbers or NaN", "infinity")
    return found.copy()
