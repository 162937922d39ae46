"""Times of the rows of a series in any form: given for each row, or only for alarms."""

from __future__ import annotations

import datetime
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.anomaly.intervals import Interval

Times = NDArray[np.datetime64] | NDArray[np.timedelta64]
"""Dates or durations in microseconds."""


def row_times(times: Any, n: int) -> Times:
    """Return the times of rows, (n,).

    Raises
    ------
    InvalidData
        The times are not in order, not dates or durations, or not one per row.
    """
    values = as_times(times, "times")
    if values.shape != (n,):
        raise InvalidData(
            "times",
            expected=f"one per row, shape ({n},)",
            received=f"shape {values.shape}",
            remedy="pass the times of the same rows",
        )
    if np.isnat(values).any() or (np.diff(values).astype(np.int64) < 0).any():
        raise InvalidData(
            "times",
            expected="the time of every row, in order",
            received="missing times" if np.isnat(values).any() else "times that go back",
            remedy="sort the rows by time first, and drop those without one",
        )
    return values


def time_order(times: NDArray[Any] | None) -> NDArray[np.intp] | None:
    """Return the rows in order of time, (n,); None if they are already, or have no times."""
    if times is None or not (times[1:] < times[:-1]).any():
        return None
    return np.argsort(times, kind="stable")


def times_of_intervals(alarms: Sequence[Interval], n: int) -> Times | None:
    """Return times of n evenly spaced rows, from those of the first and the last alarm.

    None if there are not two different rows with known times.
    """
    points = [
        point
        for one in (*alarms[:1], *alarms[-1:])
        for point in zip(one.rows, (one.start, one.end), strict=True)
    ]
    if not points:
        return None
    (first, start), (last, end) = points[0], points[-1]
    if first == last or not isinstance(start, datetime.datetime | datetime.timedelta):
        return None
    kind = "M8[us]" if isinstance(start, datetime.datetime) else "m8[us]"
    step = (end - start) / (last - first)
    offsets = (np.arange(n) - first) * (step / datetime.timedelta(microseconds=1))
    times: Times = np.array(start, dtype=kind) + offsets.round().astype("m8[us]")
    return times


def as_times(values: Any, subject: str) -> Times:
    """Return dates or durations in any form as an array of microseconds; UTC for time zones."""
    given = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if given.dtype.kind == "O":
        given = np.array([_without_zone(one) for one in given.ravel()], dtype=object)
    durations = given.dtype.kind == "m" or (
        given.dtype.kind == "O" and len(given) and isinstance(given[0], datetime.timedelta)
    )
    if given.dtype.kind in "MmOUT":
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # NumPy warns of time zones in text
                return given.astype("m8[us]" if durations else "M8[us]")
        except (TypeError, ValueError, UserWarning, DeprecationWarning):
            pass
    raise InvalidData(
        subject,
        expected="dates or durations, as datetime64, datetime or text like 2026-01-31 12:00",
        received=f"{given.dtype}, such as {given.ravel()[:1].tolist()}",
        remedy="convert them, for example with pandas.to_datetime",
    )


def _without_zone(moment: Any) -> Any:
    if getattr(moment, "tzinfo", None) is None:
        return moment
    return moment.astimezone(datetime.UTC).replace(tzinfo=None)
