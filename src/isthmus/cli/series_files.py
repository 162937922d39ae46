"""Files that hold a series: its time, its sensors, what stands beside them, its alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

TIME_HELP = "Of a series: the column of times, as dates, or as seconds since 1970."
TIME_DEFAULT = "the column of dates"
Time = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help=TIME_HELP, show_default=TIME_DEFAULT),
]


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """A file that holds a series.

    Parameters
    ----------
    rows : ndarray or pyarrow.Table of n rows
        The sensors and, in a table, the time.
    carried : pyarrow.Table or None
        What stands before the alarms: time, labels, and what the detector was not fitted on.
    labels : array of shape (n,) or None
    """

    rows: Any
    carried: pa.Table | None
    labels: NDArray[Any] | None


def read(
    path: Path, *, time: str | None, label: str | None, sensors: tuple[str, ...] | None = None
) -> SeriesFile:
    """Read a series whole.

    Parameters
    ----------
    path : Path
        The file.
    time, label : str or None
        The columns of times and of labels.
    sensors : tuple of str, optional
        The columns that the detector was fitted on; None: all others are sensors.
    """
    import pyarrow as pa

    from isthmus.data import reading

    dataset = reading.read(path, label=label)
    if not isinstance(dataset.X, pa.Table):
        if time is not None:
            raise InvalidParameter(
                "--time",
                expected=f"nothing, as {path.name} has no columns",
                received=repr(time),
                remedy="leave --time out: rows follow each other evenly",
            )
        return SeriesFile(dataset.X, None, dataset.y)
    table = dataset.X if time is None else _timed(path, dataset.X, time)
    clock = [name for name in table.column_names if pa.types.is_temporal(table[name].type)]
    known = set(table.column_names if sensors is None else (*sensors, *(clock[:1])))
    names = [name for name in table.column_names if name in known]
    before = [name for name in table.column_names if name in clock or name not in known]
    carried = table.select(before) if before else None
    if dataset.y is not None and label is not None:
        own = pa.array(dataset.y)
        carried = pa.table({label: own}) if carried is None else carried.append_column(label, own)
    return SeriesFile(table.select(names), carried, dataset.y)


def intervals(detector: Any, rows: Any) -> pa.Table:
    """Return the alarms of a series as a table: when each began and ended, and its sensors."""
    import pyarrow as pa

    found = detector.intervals(rows)
    return pa.table(
        {
            "start": pa.array([one.start for one in found]),
            "end": pa.array([one.end for one in found]),
            "peak": pa.array([one.peak for one in found]),
            "score": pa.array([one.score for one in found], pa.float64()),
            "sensors": pa.array([", ".join(one.sensors) for one in found], pa.string()),
            "first_row": pa.array([one.rows[0] for one in found], pa.int64()),
            "last_row": pa.array([one.rows[1] for one in found], pa.int64()),
        }
    )


def refuse(options: dict[str, Any]) -> None:
    """Refuse options, by name, that mean nothing of rows that do not follow each other."""
    for name, value in options.items():
        if value is not None:
            raise InvalidParameter(
                name,
                expected="a detector of series, fitted with --window",
                received="one that takes each row by itself",
                remedy=f"leave {name} out",
            )


def _timed(path: Path, table: pa.Table, time: str) -> pa.Table:
    """Return the table with its column of times as such, and no other of dates."""
    import pyarrow as pa

    from isthmus.cli import carried_columns

    if time not in table.column_names:
        raise InvalidParameter(
            "--time",
            expected=f"a column of {path.name}: {carried_columns.listed(table.column_names)}",
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
            moments = _moments(column)
        except pa.ArrowException as error:
            raise InvalidParameter(
                "--time",
                expected="dates, or seconds since 1970",
                received=f"column {time!r}: {str(error).splitlines()[0][:200]}",
                remedy="write times as 2026-01-31 12:00:00",
            ) from None
        table = table.set_column(table.column_names.index(time), time, moments)
    return table.drop_columns(others)


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers of seconds, or texts, as times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        milliseconds = pc.round(pc.multiply(column.cast(pa.float64()), 1000.0))
        return milliseconds.cast(pa.int64()).cast(pa.timestamp("ms"))
    return column.cast(pa.timestamp("ms"))
