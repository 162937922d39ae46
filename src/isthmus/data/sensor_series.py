"""Sensor series from the user's data: rows in order of time, one column for each sensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from isthmus.core.errors import InvalidData
from isthmus.data.array_schema import without_mask
from isthmus.data.frames import container_of, is_table, to_arrow
from isthmus.data.sparse_rows import SparseRows, is_sparse

if TYPE_CHECKING:
    from collections.abc import Iterator

Float64s = NDArray[np.float64]

_GAP = 4.0
"""A time step longer than this many median steps is a gap."""
_CHUNK_CELLS = 1 << 19
"""Cells of a series that are handled at a time: 4 MiB."""


class SeriesChunk(NamedTuple):
    """Consecutive rows of a series."""

    rows: Float64s
    """(k, sensors); NaN marks a missing cell."""
    breaks: NDArray[np.bool_]
    """(k,), True where there is a gap in time before the row."""


@dataclass(frozen=True, eq=False)
class SensorSeries:
    """A series, in memory or memory-mapped from the user's file.

    Parameters
    ----------
    values : array of numbers or SparseRows, shape (n, sensors)
        NaN marks a missing cell; may be a memory map.
    times : array of datetime64 or timedelta64, shape (n,), or None
        The time of each row, in order.
    sensors : tuple of str
        The names of the columns.
    named : bool
        Whether these are the user's names; those of an array are generated.
    starts : array of bool, shape (n,), or None
        True where the rows of another unit begin; None if all rows are of one unit.
    """

    values: NDArray[Any] | SparseRows
    times: NDArray[Any] | None
    sensors: tuple[str, ...]
    named: bool = True
    starts: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def time(self, row: int) -> Any:
        """Return the time of a row as a Python datetime or timedelta; without times, its number."""
        if self.times is None:
            return row
        return self.times[row].astype(f"{self.times.dtype.kind}8[us]").item()

    def part(self, start: int, stop: int) -> SensorSeries:
        """Return the rows from `start` up to but excluding `stop`."""
        own = slice(start, stop)
        times = None if self.times is None else self.times[own]
        starts = None if self.starts is None else self.starts[own]
        return replace(self, values=self.values[own], times=times, starts=starts)

    def chunks(self) -> Iterator[SeriesChunk]:
        """Yield the rows in float64, a chunk at a time."""
        breaks = np.zeros(len(self), dtype=bool) if self.starts is None else self.starts.copy()
        if self.times is not None and len(self) > 1:
            steps = np.diff(self.times).astype(np.int64)
            within = steps[(steps > 0) & ~breaks[1:]]  # not from one unit to the next
            usual = np.median(within) if len(within) else np.inf
            breaks[1:] |= steps > _GAP * usual
        size = max(1, _CHUNK_CELLS // self.values.shape[1])
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield SeriesChunk(np.asarray(self.values[part], dtype=np.float64), breaks[part])


def as_series(S: Any, *, ordered: bool = True) -> SensorSeries:
    """Return the user's data as a series.

    Parameters
    ----------
    S : DataFrame, Arrow table or array
        Rows in order of time. The times of a table are pandas' index, if it holds dates or
        durations, or its only column of dates; all other columns are sensors. An array is
        (n, sensors), or (n,) for one sensor, with evenly spaced rows; a memory map stays on disk.
    ordered : bool, default=True
        Whether rows must be in order of time.

    Raises
    ------
    InvalidData
        It is something else, a sensor is not numeric, there are two columns of dates, or times are
        missing or out of order.
    """
    if is_table(S):
        return _from_table(S, ordered=ordered)
    array = SparseRows(S) if is_sparse(S) else without_mask(S)
    array = array if isinstance(array, np.ndarray | SparseRows) else np.asarray(array)
    if array.ndim == 1:
        array = array[:, None]
    if array.dtype.kind not in "biuf" or array.ndim != 2 or 0 in array.shape:
        raise InvalidData(
            "a series",
            expected="a DataFrame, or an array of numbers of shape (timestamps, sensors)",
            received=f"shape {array.shape} of {array.dtype}",
            remedy="pass one row for each timestamp and one column for each sensor",
        )
    return SensorSeries(array, None, tuple(f"x{i}" for i in range(array.shape[1])), named=False)


def in_container_of(values: Float64s, series: SensorSeries, S: Any) -> Any:
    """Return values for each cell of a series in the user's container.

    Parameters
    ----------
    values : array of shape (n, sensors)
        One column for each sensor of `series`, in order.
    series : SensorSeries
        The result of `as_series` for `S`.
    S : DataFrame, Arrow table or array
        The user's data; times, index and labels of a table stay unchanged.
    """
    if not is_table(S):
        return values[:, 0] if np.ndim(S) == 1 else values
    columns = dict(zip(series.sensors, values.T, strict=True))
    if container_of(S) == "pandas":
        frame = S.copy(deep=False)
        for place, label in enumerate(S.columns):
            if str(label) in columns:
                frame.isetitem(place, columns[str(label)])
        return frame
    if container_of(S) == "polars":
        import polars as pl

        return S.with_columns(**{name: pl.Series(name, cells) for name, cells in columns.items()})
    for name, cells in columns.items():
        S = S.set_column(S.schema.get_field_index(name), name, pa.array(cells))
    return S


def _from_table(S: Any, *, ordered: bool) -> SensorSeries:
    times = None
    if container_of(S) == "pandas" and S.index.dtype.kind in "mM":
        index = S.index
        # Times with a time zone would become Python objects.
        times = (index.tz_convert(None) if getattr(index, "tz", None) else index).to_numpy()
    table = to_arrow(S)
    dated = [name for name in table.column_names if pt.is_temporal(table[name].type)]
    if len(dated) + (times is not None) > 1:
        raise InvalidData(
            "a series",
            expected="one index or column of times",
            received=f"columns {dated}" + (" and an index of times" if times is not None else ""),
            remedy="drop the columns that are not sensors",
        )
    if dated:
        times = _times(table[dated[0]], dated[0])
        table = table.drop_columns(dated)
    if 0 in table.shape:
        raise InvalidData(
            "a series",
            expected="at least one row and one sensor",
            received=f"{table.shape[0]} rows of {table.shape[1]} columns",
            remedy="pass one row for each timestamp and one column for each sensor",
        )
    if times is not None:
        _check_present(times)
        if ordered:
            _check_order(times)
    sensors = [_numbers(table[name], name) for name in table.column_names]
    return SensorSeries(np.stack(sensors, axis=1), times, tuple(table.column_names))


def _times(column: Any, name: str) -> NDArray[Any]:
    if column.null_count:
        raise InvalidData(
            f"column {name!r}",
            expected="the time of every row",
            received=f"{column.null_count} missing",
            remedy="drop the rows without a time",
        )
    if pt.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pt.is_time(column.type):
        column = column.cast(pa.time64("ns")).cast(pa.int64()).cast(pa.duration("ns"))
    return np.asarray(column.to_numpy())


def _check_present(times: NDArray[Any]) -> None:
    if np.isnat(times).any():
        raise InvalidData(
            "times",
            expected="the time of every row",
            received=f"none in row {int(np.isnat(times).argmax())}",
            remedy="drop the rows without a time",
        )


def _check_order(times: NDArray[Any]) -> None:
    back = np.diff(times).astype(np.int64) < 0
    if back.any():
        row = int(back.argmax())
        raise InvalidData(
            "times",
            expected="rows in order of time",
            received=f"{times[row + 1]} in row {row + 1} after {times[row]}",
            remedy="sort the rows by time first; if they come from several machines, name the "
            "column that tells them apart: group='machine'",
        )


def _numbers(column: Any, name: str) -> Float64s:
    type_ = column.type
    if not (
        pt.is_integer(type_)
        or pt.is_floating(type_)
        or pt.is_boolean(type_)
        or pt.is_decimal(type_)
        or pt.is_null(type_)
    ):
        raise InvalidData(
            f"column {name!r} of a series",
            expected="numbers of a sensor, or times as dates",
            received=str(type_),
            remedy="drop the column, or convert it, for example with pandas.to_datetime; if it "
            f"tells machines apart, pass group={name!r}",
        )
    if pt.is_boolean(type_):
        column = column.cast(pa.int8())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
