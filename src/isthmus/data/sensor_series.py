"""Sensor series from the user's data: one row for each time, one column for each sensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isthmus.core.errors import InvalidData
from isthmus.data.array_schema import without_mask
from isthmus.data.frames import container_of, is_table
from isthmus.data.series_columns import split_columns
from isthmus.data.sparse_rows import SparseRows, is_sparse

if TYPE_CHECKING:
    from collections.abc import Collection


Float64s = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SensorSeries:
    """A series, in memory or memory-mapped from the user's file.

    Parameters
    ----------
    values : array of numbers or SparseRows, shape (n, columns)
        NaN marks a missing cell; may be a memory map.
    times : array of datetime64 or timedelta64, shape (n,), or None
        The time of each row.
    sensors : tuple of str
        The names of the columns.
    named : bool
        Whether these are the user's names; those of an array are generated.
    carried : tuple of str
        The columns of text in the user's table, which are left out.
    picked : array of int, optional
        The columns that `rows` returns, in this order; None for all.
    starts : array of bool, shape (n,), optional
        True where the rows of another unit begin; None if all rows are of one unit.
    """

    values: NDArray[Any] | SparseRows
    times: NDArray[Any] | None
    sensors: tuple[str, ...]
    named: bool = True
    carried: tuple[str, ...] = ()
    picked: NDArray[np.intp] | None = None
    starts: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def width(self) -> int:
        """The number of columns that `rows` returns."""
        return len(self.sensors) if self.picked is None else len(self.picked)

    def time(self, row: int) -> Any:
        """Return the time of a row as a Python datetime or timedelta; without times, its number."""
        if self.times is None:
            return row
        return self.times[row].astype(f"{self.times.dtype.kind}8[us]").item()

    def ticks(self) -> NDArray[np.int64] | None:
        """Return the time of each row in microseconds, (n,)."""
        if self.times is None:
            return None
        return self.times.astype(f"{self.times.dtype.kind}8[us]").astype(np.int64)

    def part(self, rows: slice | NDArray[np.intp]) -> SensorSeries:
        """Return some of the rows."""
        times = None if self.times is None else self.times[rows]
        starts = None if self.starts is None else self.starts[rows]
        return replace(self, values=self.values[rows], times=times, starts=starts)

    def pick(self, columns: NDArray[np.intp]) -> SensorSeries:
        """Return the series with other columns for `rows`; none is copied."""
        return replace(self, picked=columns)

    def rows(self, rows: slice | NDArray[np.intp]) -> Float64s:
        """Return some of the rows, (k, width)."""
        part = np.asarray(self.values[rows], dtype=np.float64)
        return part if self.picked is None else part[:, self.picked]


def as_series(S: Any, known: Collection[str] | None = None) -> SensorSeries:
    """Return the user's data as a series.

    Parameters
    ----------
    S : DataFrame, Arrow table or array
        The times of a table are pandas' index, if it holds dates or durations, or its only column
        of dates. Columns of text are left out; all others are sensors. An array is (n, sensors), or
        (n,) for one sensor, with evenly spaced rows; a memory map stays on disk.
    known : collection of str, optional
        The sensors that a detector was fitted on; other columns of text need no warning then.

    Raises
    ------
    InvalidData
        It is something else, a sensor is not numeric, there are two columns of dates, or times are
        missing.

    Warns
    -----
    DataWarning
        Columns of text are left out.
    """
    if is_table(S):
        return _from_table(S, known)
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


def in_container_of(
    values: Float64s, series: SensorSeries, S: Any, rest: float | None = None
) -> Any:
    """Return values for each cell of a series in the user's container.

    Parameters
    ----------
    values : array of shape (n, width)
        One column for each that `series.rows` returns, in order.
    series : SensorSeries
        The result of `as_series` for `S`.
    S : DataFrame, Arrow table or array
        The user's data; times, index and labels of a table stay unchanged.
    rest : float, optional
        The value of all other columns, except times; None leaves them unchanged.
    """
    order = np.arange(len(series.sensors)) if series.picked is None else series.picked
    if not is_table(S):
        if np.ndim(S) == 1:
            return values[:, 0]
        if len(order) == len(series.sensors):
            full = np.empty_like(values)
        elif rest is None:
            full = np.array(series.values[:], dtype=np.float64)
        else:
            full = np.full(series.values.shape, rest)
        full[:, order] = values
        return full
    columns = {series.sensors[place]: values[:, i] for i, place in enumerate(order)}
    if rest is not None:
        others = {*series.sensors, *series.carried} - set(columns)
        columns |= {name: np.full(len(series), rest) for name in others}
    return _with_columns(S, columns)


def _with_columns(S: Any, columns: dict[str, Float64s]) -> Any:
    """Return a table with some of its columns replaced."""
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


def _from_table(S: Any, known: Collection[str] | None) -> SensorSeries:
    times, sensors, carried = split_columns(S, known)
    if not sensors or not len(S):
        raise InvalidData(
            "a series",
            expected="at least one row and one sensor",
            received=f"{len(S)} rows with {len(sensors)} columns of numbers",
            remedy="pass one row for each timestamp and one column for each sensor",
        )
    values = np.stack(list(sensors.values()), axis=1)
    return SensorSeries(values, times, tuple(sensors), carried=carried)
