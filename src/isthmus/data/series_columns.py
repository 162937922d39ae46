"""Which columns of a table are the times of a series, which are sensors, and which are neither."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from isthmus.core.errors import DataWarning, InvalidData
from isthmus.core.name_lists import name_list
from isthmus.data.frames import container_of, to_arrow

if TYPE_CHECKING:
    from collections.abc import Collection

Float64s = NDArray[np.float64]

_MOST_DISTINCT = 0.5
"""A text column with more different values than this fraction of the rows is not a status: it may
hold times in a format that is not recognised."""


class SeriesColumns(NamedTuple):
    """The columns of a table."""

    times: NDArray[Any] | None
    """(n,), datetime64 or timedelta64."""
    sensors: dict[str, Float64s]
    """By name, (n,) each; NaN marks a missing cell."""
    carried: tuple[str, ...]
    """Names of columns of text, which are left out."""


def split_columns(S: Any, known: Collection[str] | None) -> SeriesColumns:
    """Split a table into times, sensors and columns of text.

    Times are pandas' index or the only column of dates, both also if they are still text such as
    ``2026-01-31 12:00:00``. Text that contains only numbers is a sensor. Other text, such as a
    status, is left out.

    Parameters
    ----------
    S : DataFrame or Arrow table
        The table.
    known : collection of str or None
        The sensors that a detector was fitted on: they must be numbers, and no warning is given
        for other columns of text. None: the table is the one to fit on.

    Raises
    ------
    InvalidData
        There are two columns of dates, a time is missing, or a column cannot be a sensor.

    Warns
    -----
    DataWarning
        Columns are left out.
    """
    index = _index_times(S)
    table = to_arrow(S)
    columns = {name: _decoded(table[name]) for name in table.column_names}
    dated = [name for name, column in columns.items() if pt.is_temporal(column.type)]
    if len(dated) + (index is not None) > 1:
        raise InvalidData(
            "a series",
            expected="one index or column of times",
            received=f"columns {dated}" + (" and an index of times" if index is not None else ""),
            remedy="drop the columns that are not sensors",
        )
    times = index if not dated else _times(columns.pop(dated[0]), dated[0])
    sensors, carried = {}, []
    for name, column in columns.items():
        # A status may be a number or missing in the few rows that are scored.
        plain = known is None or name in known or not _may_be_status(column.type)
        cells = _numbers(column) if plain else None
        if cells is not None:
            sensors[name] = cells
        elif times is None and (stamps := _parsed_times(column)) is not None:
            times = _times(stamps, name)
        else:
            _check_left_out(column, name, known)
            carried.append(name)
    if carried and known is None:
        warnings.warn(
            f"Text, not measurements of a sensor: {name_list(carried)}. The series is analysed "
            "without these columns.",
            DataWarning,
            stacklevel=2,
        )
    return SeriesColumns(times, sensors, tuple(carried))


def _index_times(S: Any) -> NDArray[Any] | None:
    """Return the times in pandas' index, if there are any."""
    if container_of(S) != "pandas":
        return None
    index = S.index
    if str(index.dtype).startswith("period"):
        index = index.to_timestamp()
    if index.dtype.kind in "mM":
        # Times with a time zone would become Python objects.
        index = index.tz_convert(None) if getattr(index, "tz", None) else index
        return _without_missing(np.asarray(index.to_numpy()), "the index")
    if index.dtype.kind in "biuf" or index.nlevels > 1:
        return None
    try:
        column = _decoded(pa.array(index, from_pandas=True))
    except (pa.ArrowException, TypeError, ValueError):
        return None
    stamps = column if pt.is_timestamp(column.type) else _parsed_times(column)
    return None if stamps is None else _times(stamps, "the index")


def _parsed_times(column: Any) -> Any | None:
    """Return text such as ``2026-01-31 12:00:00`` as timestamps; None if it is anything else."""
    if not _is_text(column.type) or column.null_count == len(column):
        return None
    for zone in (None, "UTC"):
        try:
            return column.cast(pa.timestamp("us", zone))
        except pa.ArrowException:
            continue
    return None


def _times(column: Any, name: str) -> NDArray[Any]:
    if pt.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pt.is_time(column.type):
        column = column.cast(pa.time64("ns")).cast(pa.int64()).cast(pa.duration("ns"))
    if pt.is_timestamp(column.type):
        column = column.cast(pa.timestamp(column.type.unit))  # in UTC
    return _without_missing(np.asarray(column.to_numpy(zero_copy_only=False)), name)


def _without_missing(times: NDArray[Any], name: str) -> NDArray[Any]:
    missing = np.isnat(times)
    if missing.any():
        raise InvalidData(
            f"the times in {name!r}" if name != "the index" else "the times in the index",
            expected="the time of every row",
            received=f"{int(missing.sum())} missing, the first in row {int(missing.argmax())}",
            remedy="drop the rows without a time",
        )
    return times


def _numbers(column: Any) -> Float64s | None:
    """Return a column of numbers, booleans, or text of numbers as float64; None for others."""
    type_ = column.type
    if pt.is_boolean(type_):
        column = column.cast(pa.int8())
    elif _is_text(type_):
        try:
            column = column.cast(pa.float64())
        except pa.ArrowException:
            return None
    elif not (
        pt.is_integer(type_) or pt.is_floating(type_) or pt.is_decimal(type_) or pt.is_null(type_)
    ):
        return None
    cells = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(cells, dtype=np.float64)


def _may_be_status(type_: pa.DataType) -> bool:
    return _is_text(type_) or bool(pt.is_null(type_))


def _check_left_out(column: Any, name: str, known: Collection[str] | None) -> None:
    """Refuse to leave out a sensor, a column that may hold times, or one that is not text."""
    different = pc.count_distinct(column).as_py() if _is_text(column.type) else len(column)
    status = different <= max(1.0, _MOST_DISTINCT * len(column))
    if (known is None and not status) or (known is not None and name in known):
        raise InvalidData(
            f"column {name!r} of a series",
            expected="numbers of a sensor, or times as dates",
            received=str(column.type),
            remedy="drop the column, or convert it, for example with pandas.to_datetime",
        )


def _decoded(column: Any) -> Any:
    """Return categories as their values."""
    return column.cast(column.type.value_type) if pt.is_dictionary(column.type) else column


def _is_text(type_: pa.DataType) -> bool:
    return bool(pt.is_string(type_) or pt.is_large_string(type_) or pt.is_string_view(type_))
