"""Files of series: times, sensors, other columns, and tables of alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.column_options import ALL_COLUMNS, ColumnOptions
from isthmus.core.errors import InvalidParameter
from isthmus.core.name_lists import name_list

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from isthmus.anomaly.intervals import Intervals

TIME_HELP = "For a series: the column of times, as dates or as seconds since 1970."
TIME_DEFAULT = "the column of dates"
Time = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help=TIME_HELP, show_default=TIME_DEFAULT),
]


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """The content of a file of a series.

    Parameters
    ----------
    rows : ndarray or pyarrow.Table of n rows
        The sensors and, in a table, the time and the unit.
    carried : pyarrow.Table or None
        Columns that come before the alarms in the output: units, times, labels, and those that the
        detector was not fitted on.
    labels : array of shape (n,) or None
        The column of labels.
    """

    rows: Any
    carried: pa.Table | None
    labels: NDArray[Any] | None


def read(
    path: Path,
    *,
    time: str | None,
    label: str | None,
    group: str | None = None,
    sensors: tuple[str, ...] | None = None,
    files: ColumnOptions = ALL_COLUMNS,
) -> SeriesFile:
    """Read a series.

    Parameters
    ----------
    path : Path
        The file.
    time, label : str or None
        The columns of times and of labels.
    group : str, optional
        The column of units.
    sensors : tuple of str, optional
        The columns that the detector was fitted on; by default, all other columns.
    files : ColumnOptions
        What the user said about the columns.
    """
    import pyarrow as pa

    dataset = files.read(path, label=label)
    if not isinstance(dataset.X, pa.Table):
        if time is not None:
            raise InvalidParameter(
                "--time",
                expected=f"none, because {path.name} has no columns",
                received=repr(time),
                remedy="leave --time out; rows are evenly spaced",
            )
        return SeriesFile(dataset.X, None, dataset.y)
    table = dataset.X if time is None else _with_times(path, dataset.X, time)
    clock = [name for name in table.column_names if pa.types.is_temporal(table[name].type)]
    known = set(table.column_names if sensors is None else (*sensors, *(clock[:1]), group))
    names = [name for name in table.column_names if name in known]
    before = [name for name in table.column_names if name in (*clock, group) or name not in known]
    carried = table.select(before) if before else None
    if dataset.y is not None and label is not None:
        own = pa.array(dataset.y)
        carried = pa.table({label: own}) if carried is None else carried.append_column(label, own)
    return SeriesFile(table.select(names), carried, dataset.y)


def intervals_table(found: Intervals) -> pa.Table:
    """Return the alarms of a series as a table: unit, if any, start, end and sensors of each."""
    import pyarrow as pa

    units = [one.unit for one in found if one.unit is not None]
    return pa.table(
        {
            **({"unit": units} if units else {}),
            "start": pa.array([one.start for one in found]),
            "end": pa.array([one.end for one in found]),
            "peak": pa.array([one.peak for one in found]),
            "score": pa.array([one.score for one in found], pa.float64()),
            "sensors": pa.array([", ".join(one.sensors) for one in found], pa.string()),
            "first_row": pa.array([one.rows[0] for one in found], pa.int64()),
            "last_row": pa.array([one.rows[1] for one in found], pa.int64()),
        }
    )


def refuse_options(options: dict[str, Any]) -> None:
    """Refuse options, by name, that are only for detectors of series."""
    for name, value in options.items():
        if value is not None:
            raise InvalidParameter(
                name,
                expected="a detector of series, fitted with --window",
                received="a detector of single rows",
                remedy=f"leave {name} out",
            )


def _with_times(path: Path, table: pa.Table, time: str) -> pa.Table:
    """Return the table with the column `time` as timestamps, and without other dates."""
    import pyarrow as pa

    if time not in table.column_names:
        raise InvalidParameter(
            "--time",
            expected=f"a column of {path.name}: {name_list(table.column_names)}",
            received=repr(time),
            remedy="name the column of times, or leave --time out",
        )
    others = [
        name
        for name in table.column_names
        if name != time and pa.types.is_temporal(table[name].type)
    ]
    column = table[time]
    if not pa.types.is_temporal(column.type):
        try:
            stamps = _as_timestamps(column)
        except pa.ArrowException as error:
            raise InvalidParameter(
                "--time",
                expected="dates, or seconds since 1970",
                received=f"column {time!r}: {str(error).splitlines()[0][:200]}",
                remedy="write times like 2026-01-31 12:00:00",
            ) from None
        table = table.set_column(table.column_names.index(time), time, stamps)
    return table.drop_columns(others)


def _as_timestamps(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return seconds since 1970, or text, as timestamps."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        milliseconds = pc.round(pc.multiply(column.cast(pa.float64()), 1000.0))
        return milliseconds.cast(pa.int64()).cast(pa.timestamp("ms"))
    return column.cast(pa.timestamp("ms"))
