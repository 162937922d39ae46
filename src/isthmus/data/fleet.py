"""Tables with the series of several units: machines, sites or patients."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from isthmus.core.errors import DataWarning, InvalidData, SchemaMismatch
from isthmus.core.name_lists import name_list
from isthmus.data.frames import container_of, is_table, to_arrow
from isthmus.data.sensor_series import SensorSeries, as_series
from isthmus.data.time_grid import usual_step
from isthmus.data.time_order import TimeOrder

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from isthmus.core.types import RowNumbers

_APART = 400 * 86_400_000_000
"""Microseconds between the last row of a unit and the first row of the next in a joined series."""
_TICK = 1_000_000
"""Microseconds between rows without times."""


@dataclass(frozen=True, eq=False)
class Fleet:
    """The series of several units, one after the other.

    Parameters
    ----------
    names : tuple of str or int
        The units, in ascending order.
    bounds : array of int, shape (units + 1,)
        The first row of each unit in `values`, and the number of rows.
    values : array of float64, shape (n, sensors)
        The rows of each unit, in order of time.
    sensors : tuple of str
        The names of the columns.
    order : array of int, shape (n,)
        Which of the user's rows each row is.
    times : array of datetime64 or timedelta64, shape (n,), or None
        The time of each row.
    ticks : array of int64, shape (n,), or None
        The same in microseconds, ascending within a unit: an hour that repeats in local time is
        followed by the next (`time_order`).
    """

    names: tuple[str | int, ...]
    bounds: RowNumbers
    values: NDArray[np.float64]
    sensors: tuple[str, ...]
    order: RowNumbers
    times: NDArray[Any] | None
    ticks: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def counts(self) -> RowNumbers:
        """The number of rows of each unit, (units,)."""
        return np.diff(self.bounds)

    @property
    def unit_of_rows(self) -> RowNumbers:
        """The number of each row's unit, (n,)."""
        return np.repeat(np.arange(len(self.names)), self.counts)

    @property
    def half_of_rows(self) -> RowNumbers:
        """Twice the number of each row's unit, plus one in the second half of the unit, (n,)."""
        units = self.unit_of_rows
        place = np.arange(len(self)) - self.bounds[units]
        return 2 * units + (place >= self.counts[units] // 2)

    def select(self, units: RowNumbers) -> Fleet:
        """Return some of the units, in ascending order of their numbers."""
        if len(units) == len(self.names):
            return self
        rows = np.isin(self.unit_of_rows, units)
        return Fleet(
            tuple(self.names[unit] for unit in units),
            np.concatenate([[0], np.cumsum(self.counts[units])]),
            self.values[rows],
            self.sensors,
            self.order[rows],
            None if self.times is None else self.times[rows],
            None if self.ticks is None else self.ticks[rows],
        )

    def time(self, row: int) -> Any:
        """Return the time of a row as a Python datetime or timedelta; else the user's row number.

        Parameters
        ----------
        row : int
            The number of a row in `values`.
        """
        if self.times is None:
            return int(self.order[row])
        return self.times[row].astype(f"{self.times.dtype.kind}8[us]").item()

    def joined(
        self, values: NDArray[np.float64], rows: RowNumbers, starts: NDArray[np.bool_]
    ) -> SensorSeries:
        """Return some rows as one series in which no window crosses a start.

        Its times are those within the units, with a long gap before each start.

        Parameters
        ----------
        values : array of float64, shape (k, sensors)
            The values of the rows.
        rows : array of int, shape (k,)
            Which rows they are.
        starts : array of bool, shape (k,)
            True where another unit, or another part of one, begins.
        """
        if self.ticks is None:
            steps = np.full(len(rows), _TICK)
        else:
            ticks = self.ticks[rows]
            steps = np.diff(ticks, prepend=ticks[:1])
        steps = np.where(starts, _APART, steps)
        times = np.cumsum(steps).astype("m8[us]")
        return SensorSeries(values, times, self.sensors, starts=starts)

    def whole(self, values: NDArray[np.float64]) -> SensorSeries:
        """Return all units as one series; `values`, (n, sensors), take the place of the fleet's."""
        starts = np.zeros(len(self), dtype=bool)
        starts[self.bounds[:-1]] = True
        return self.joined(values, np.arange(len(self)), starts)

    def longest(self) -> SensorSeries:
        """Return the series of the unit with the most rows."""
        unit = int(self.counts.argmax())
        own = slice(int(self.bounds[unit]), int(self.bounds[unit + 1]))
        times = None if self.ticks is None else self.ticks[own].astype("m8[us]")
        return SensorSeries(self.values[own], times, self.sensors)

    def of_sensors(self, names: tuple[str, ...]) -> Fleet:
        """Return the fleet with some of its sensors, in another order."""
        places = [self.sensors.index(name) for name in names]
        return replace(self, values=self.values[:, places], sensors=names)

    def in_user_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return a value for each row, (n, ...), in the order of the user's rows."""
        placed = np.empty_like(values)
        placed[self.order] = values
        return placed


def as_fleet(S: Any, group: str, known: Collection[str] | None = None) -> Fleet:
    """Return the user's table as a fleet.

    Parameters
    ----------
    S : DataFrame or Arrow table
        A column says which unit each row belongs to, as text or integers; in pandas, it may be a
        level of the index. The others are as in `as_series`. The rows of a unit need not be next to
        each other, and are put in order of time.
    group : str
        The name of that column.
    known : collection of str, optional
        As in `as_series`.

    Raises
    ------
    InvalidData, SchemaMismatch
        It is no such table, the unit or the time of a row is missing, or a value is infinite.

    Warns
    -----
    DataWarning
        The times of units go back by an hour.
    """
    codes, names = _units(S, group)
    series = as_series(without_units(S, group), known)
    order: RowNumbers = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    ticks = series.ticks()
    if ticks is not None:
        ticks = ticks[order]
        order, back = _in_order(order, ticks, bounds)
        _warn_of_hours(names, back)
    values, times = np.asarray(series.values, dtype=np.float64), series.times
    if (np.diff(order) != 1).any():
        values = values[order]
        times = None if times is None else times[order]
    fleet = Fleet(names, bounds, values, series.sensors, order, times, ticks)
    _check_finite(fleet)
    return fleet


def without_units(S: Any, group: str) -> Any:
    """Return a table without the column that says which unit each row belongs to."""
    kind = container_of(S)
    if kind == "pandas":
        if group in S.index.names:
            return S.reset_index(level=group, drop=True)
        return S.loc[:, [str(label) != group for label in S.columns]]
    return S.drop(group) if kind == "polars" else S.drop_columns([group])


def _units(S: Any, group: str) -> tuple[RowNumbers, tuple[str | int, ...]]:
    """Return the number of each row's unit, and the units in ascending order."""
    encoded = unit_column(S, group).dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # of no chunks or several
        encoded = pa.concat_arrays(encoded.chunks)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    found = encoded.dictionary.to_pylist()
    order = sorted(range(len(found)), key=found.__getitem__)
    numbers = np.empty(len(found), dtype=np.int32)
    numbers[order] = np.arange(len(found))
    return numbers[codes], tuple(found[place] for place in order)


def unit_column(S: Any, group: str) -> Any:
    """Return the unit of each row as an Arrow column of text or integers.

    Raises
    ------
    InvalidData, SchemaMismatch
        `S` is not a table with such a column, or the unit of a row is missing.
    """
    if not is_table(S):
        raise InvalidData(
            "a fleet",
            expected=f"a table with the column {group!r}",
            received=type(S).__name__,
            remedy="pass a DataFrame, or an Arrow table, with a column that names the units",
        )
    if container_of(S) == "pandas" and group in S.index.names:
        column = pa.chunked_array([pa.array(S.index.get_level_values(group), from_pandas=True)])
    else:
        table = to_arrow(S)
        if group not in table.column_names:
            raise SchemaMismatch(
                "the fleet",
                expected=f"the column {group!r}, which names the unit of each row",
                received=name_list(table.column_names),
                remedy="pass the same columns as in fit, or name another column as group",
            )
        column = table[group]
    if pt.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return _checked_units(column, group)


def _checked_units(column: Any, group: str) -> Any:
    if column.null_count:
        row = int(np.asarray(column.is_null()).argmax())
        raise InvalidData(
            f"column {group!r}",
            expected="the unit of every row",
            received=f"{column.null_count} missing, the first in row {row}",
            remedy="fill them in, or drop these rows",
        )
    if pt.is_floating(column.type):  # pandas' type for integers of which some were missing
        with contextlib.suppress(pa.ArrowInvalid):
            column = column.cast(pa.int64())
    if not (
        pt.is_integer(column.type) or pt.is_string(column.type) or pt.is_large_string(column.type)
    ):
        raise InvalidData(
            f"column {group!r}",
            expected="names of units: text or integers",
            received=str(column.type),
            remedy="name another column as group, or convert it to text",
        )
    return column


def _in_order(
    order: RowNumbers, ticks: NDArray[np.int64], bounds: RowNumbers
) -> tuple[RowNumbers, list[int]]:
    """Return the rows of each unit in order of time, and the units whose clock was set back.

    Parameters
    ----------
    order : array of int, shape (n,)
        The user's rows, unit after unit.
    ticks : array of int64, shape (n,)
        Their times, which are put in order in place.
    bounds : array of int, shape (units + 1,)
        The first row of each unit.
    """
    steps = np.diff(ticks, prepend=ticks[:1])
    steps[bounds[:-1]] = 0
    backwards = np.flatnonzero(steps < 0)
    set_back, order = [], order.copy()
    for unit in np.unique(np.searchsorted(bounds, backwards, side="right") - 1).tolist():
        own = slice(bounds[unit], bounds[unit + 1])
        clock = TimeOrder(usual_step(ticks[own]))
        ticks[own], rows = clock.sort(ticks[own])
        if rows is not None:
            order[own] = order[own][rows]
        elif "back" in clock.notes:
            set_back.append(unit)
    return order, set_back


def _warn_of_hours(names: tuple[str | int, ...], set_back: list[int]) -> None:
    if set_back:
        warnings.warn(
            f"The times of units go back by an hour, as local times do when daylight saving ends: "
            f"{len(set_back):,} of {len(names):,}, "
            f"{name_list([str(names[unit]) for unit in set_back])}. Their rows are taken in the "
            "order given. Times in UTC or with a time zone are not ambiguous.",
            DataWarning,
            stacklevel=2,
        )


def _check_finite(fleet: Fleet) -> None:
    bad = np.argwhere(np.isinf(fleet.values))
    if len(bad):
        row, sensor = bad[0]
        unit = fleet.names[int(fleet.unit_of_rows[row])]
        raise InvalidData(
            f"row {int(fleet.order[row])}, sensor {fleet.sensors[sensor]!r} of unit {unit!r}",
            expected="a finite number, or NaN for a missing cell",
            received=str(fleet.values[row, sensor]),
            remedy="replace infinities with NaN",
        )
