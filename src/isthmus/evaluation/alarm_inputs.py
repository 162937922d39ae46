"""Reads labels, alarms and scores of a series for `isthmus.evaluation.series_evaluation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly.intervals import Interval
from isthmus.core.errors import InvalidData
from isthmus.evaluation.alarm_evaluation import is_anomaly
from isthmus.evaluation.row_times import Times, as_times
from isthmus.evaluation.runs import Runs, runs

if TYPE_CHECKING:
    from numpy.typing import NDArray


def row_count(labels: Any, scores: Any, alarms: Any, times: Any) -> int:
    """Return the number of rows of the series.

    Parameters
    ----------
    labels, scores, alarms, times
        As in `isthmus.evaluate_alarms`.

    Raises
    ------
    InvalidData
        The labels are windows, and nothing else has one value per row.
    """
    per_row = (scores, None if is_intervals(alarms) else alarms, times)
    known = [len(values) for values in per_row if values is not None and np.ndim(values)]
    if not known and is_windows(labels):
        raise InvalidData(
            "labels",
            expected="scores, alarms or times for each row, because windows are not",
            received="none of them",
            remedy="pass scores",
        )
    n = known[0] if known else np.size(labels)
    if not n:
        raise InvalidData(
            "a series",
            expected="at least one row",
            received="none",
            remedy="pass the labels and the scores of a series",
        )
    return n


def is_intervals(alarms: Any) -> bool:
    """Tell whether alarms are intervals, or some of them, rather than one value per row."""
    return isinstance(alarms, tuple | list) and all(isinstance(one, Interval) for one in alarms)


def is_windows(labels: Any) -> bool:
    """Tell whether labels are a sequence of (start, end), rather than one label per row."""
    if isinstance(labels, list | tuple):
        return all(isinstance(one, list | tuple | np.ndarray) for one in labels)
    return np.ndim(labels) > 1


def labelled(labels: Any, n: int, times: Times | None) -> NDArray[np.bool_]:
    """Return True for the rows of anomalies, (n,).

    Parameters
    ----------
    labels : array of shape (n,) or sequence of (start, end)
        As in `isthmus.evaluate_alarms`.
    n : int
        The number of rows.
    times : array of shape (n,), optional
        The times of the rows; without them, windows must be row numbers.

    Raises
    ------
    InvalidData
        The labels have other values or another length, or a window contains no row.
    """
    if not is_windows(labels):
        return _unambiguous(labels, n, "labels")
    flags = np.zeros(n, dtype=bool)
    for window in labels:
        if len(window) != 2:
            raise InvalidData(
                "labels",
                expected=f"one per row, shape ({n},), or the (start, end) of each anomaly",
                received=f"{len(window)} values for an anomaly",
                remedy="pass a list of pairs",
            )
        flags[_rows_inside(window, n, times)] = True
    return flags


def row_labels(labels: Any, n: int, subject: str = "labels") -> NDArray[np.bool_]:
    """Return True for the rows of anomalies, or of alarms, of several units, (n,).

    Raises
    ------
    InvalidData
        They are windows, which do not say their unit, or have other values or another length.
    """
    if is_windows(labels):
        raise InvalidData(
            subject,
            expected=f"one per row, shape ({n},), with units",
            received="windows, which do not say their unit",
            remedy="pass booleans for the rows",
        )
    return _unambiguous(labels, n, subject)


def _rows_inside(window: Any, n: int, times: Times | None) -> slice:
    """Return the rows in a window that includes both ends."""
    start, end = window
    if isinstance(start, int | np.integer) and isinstance(end, int | np.integer):
        first, stop = max(int(start), 0), min(int(end) + 1, n)
    elif times is None:
        raise InvalidData(
            "labels",
            expected="windows of row numbers, because the rows have no times",
            received=f"({start!r}, {end!r})",
            remedy="pass times=, or row numbers",
        )
    else:
        start, end = _window_times(start, end, times)
        first, stop = np.searchsorted(times, start, "left"), np.searchsorted(times, end, "right")
    if first >= stop:
        known = (0, n - 1) if times is None else (times[0], times[-1])
        raise InvalidData(
            "labels",
            expected=f"windows that contain rows, which are from {known[0]} to {known[1]}",
            received=f"({start}, {end})",
            remedy="leave windows outside the series out, and give the start before the end",
        )
    return slice(first, stop)


def _window_times(start: Any, end: Any, times: Times) -> Times:
    ends = as_times([start, end], "labels")
    if ends.dtype != times.dtype:
        dates, durations = "dates", "durations"
        expected, received = (dates, durations) if times.dtype.kind == "M" else (durations, dates)
        raise InvalidData(
            "labels",
            expected=f"windows of {expected}, as the times of the rows are",
            received=f"{received}, such as {start!r}",
            remedy="convert one of them",
        )
    return ends


def alarm_runs(alarms: Any, n: int) -> Runs:
    """Return the first and the last row of each alarm, (k, 2).

    Parameters
    ----------
    alarms : Intervals or array of shape (n,)
        As in `isthmus.evaluate_alarms`.

    Raises
    ------
    InvalidData
        The intervals are not in a series of n rows, or the mask has other values or another length.
    """
    if not is_intervals(alarms):
        return runs(_unambiguous(alarms, n, "intervals"))
    if any(one.unit is not None for one in alarms):
        raise InvalidData(
            "intervals",
            expected="those of one series",
            received="those of the units of a fleet",
            remedy="pass units=, the unit of each row",
        )
    found = np.array([one.rows for one in alarms], dtype=np.int64).reshape(-1, 2)
    order = found.ravel()
    inside = not len(order) or (order[0] >= 0 and order[-1] < n)
    if not inside or (np.diff(order) < np.resize([0, 1], max(len(order) - 1, 0))).any():
        raise InvalidData(
            "intervals",
            expected=f"intervals in order, without overlaps, in a series of {n:,} rows",
            received=f"rows {order.min():,} to {order.max():,}",
            remedy="pass the detector's intervals of the same series as the scores",
        )
    return found


def _unambiguous(values: Any, n: int, subject: str) -> NDArray[np.bool_]:
    """Return True for anomalies or alarms; refuse numbers that are all 1.

    In labels, 1 is an anomaly; in what `predict` returns, it is none.
    """
    flags = is_anomaly(values, n, subject=subject)
    if flags.all() and np.asarray(values).dtype.kind != "b" and (np.asarray(values) == 1).all():
        raise InvalidData(
            subject,
            expected="booleans, or numbers of which some are 0 or -1",
            received="1 in every row, which may mean all (1 and 0) or none (-1 and 1)",
            remedy="pass booleans, such as detector.predict(X) == -1",
        )
    return flags


def as_scores(scores: Any, n: int) -> NDArray[np.float64]:
    """Return scores as floats, (n,).

    Raises
    ------
    InvalidData
        They are not numbers, or not one per row.
    """
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError):
        values = None
    if values is None or values.shape != (n,):
        raise InvalidData(
            "scores",
            expected=f"one number per row, shape ({n},)",
            received="other values" if values is None else f"shape {values.shape}",
            remedy="pass the anomaly scores of the same rows, NaN where there is none",
        )
    return values
