"""The data of the timeline that zooms: numbers for ``timeline.js``, as many as a page can hold.

A page holds the lowest and the highest value of buckets of consecutive rows, for the whole series,
and every row around alarms. The browser draws from these: from the buckets as long as they are
narrower than a pixel, so that no extreme is lost at any zoom, and from the rows close to an alarm.

There is one channel for the score, one for each sensor, and one for the expected value of each.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.evaluation.runs import Runs, runs
from isthmus.report.axes import is_wide, span
from isthmus.report.min_max import as_float32, bucket_starts, lowest_and_highest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.intervals import Intervals
    from isthmus.evaluation.alarm_evaluation import AlarmCounts

USUAL = 0.99
"""Fraction of the rows without an alarm whose residual is within the expected band."""
_OVERVIEW_CELLS = 550_000
"""Numbers of 4 bytes in the buckets of the whole series, of which base64 makes 2.9 MB."""
_DETAIL_CELLS = 275_000
"""Numbers of 4 bytes in the rows around alarms."""
_MOST_BUCKETS = 1 << 15
"""Several for each pixel of a wide screen."""
_LARGEST_PIECE = 0.25
"""Fraction of the rows in detail that one long alarm may take."""
_MOST_GAPS = 1000
_GAP = 4.0
"""A step longer than this many median steps is a gap, as for the detector."""


class TimelineDetail(NamedTuple):
    """The rows around alarms that a page holds in full."""

    ranges: Runs
    """(k, 2), first and last rows, in order."""
    alarms: int
    """How many alarms they surround, those with the highest scores."""
    shortened: int
    """How many of these are too long to be held in full."""


@dataclass(frozen=True, eq=False)
class TimelineRows:
    """A series and what a detector says of it, by row.

    Parameters
    ----------
    values, expected : array of shape (n, sensors)
        NaN where a cell is missing or has no expected value.
    seconds : array of shape (n,) or None
        Since the first row; None for rows without dates, which are 1 apart.
    origin : float
        The time of the first row in milliseconds since 1970.
    seen : AlarmCounts
    """

    values: NDArray[np.float64]
    expected: NDArray[np.float64]
    seconds: NDArray[np.float64] | None
    origin: float
    seen: AlarmCounts

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def channels(self) -> list[NDArray[np.float64]]:
        """The scores, each sensor's values, and each sensor's expected values, (n,) each."""
        return [self.seen.scores, *self.values.T, *self.expected.T]

    @property
    def width(self) -> int:
        """The size of a row of the page's data in numbers of 4 bytes, with times if needed."""
        return 1 + 2 * int(self.values.shape[1]) + (0 if self.is_even else 4)

    @cached_property
    def step(self) -> float:
        """The median time between rows."""
        steps = np.diff(self.place(np.arange(len(self))))
        return float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0

    @cached_property
    def is_even(self) -> bool:
        """Whether all steps are equal, so that row numbers give the times."""
        if self.seconds is None:
            return True
        even = np.arange(len(self)) * self.step
        return bool(np.abs(self.seconds - even).max() <= self.step / 1000)

    def place(self, rows: Any) -> NDArray[np.float64]:
        """Return the places of rows along the axis: seconds, or row numbers."""
        rows = np.asarray(rows)
        return np.asarray(rows if self.seconds is None else self.seconds[rows], dtype=np.float64)


def bucket_size(n: int, width: int) -> int:
    """Return how many of n rows, `width` numbers each, share a bucket.

    As few as a page of reasonable size can hold.
    """
    cells = _OVERVIEW_CELLS // width
    if n <= min(cells, 2 * _MOST_BUCKETS):
        return 1
    return -(-n // max(1, min(cells // 2, _MOST_BUCKETS)))


def around_alarms(
    intervals: Intervals, scores: NDArray[np.float64], *, context: int, width: int
) -> TimelineDetail:
    """Choose the rows that are shown in full, from the alarm with the highest score on.

    Parameters
    ----------
    intervals : Intervals
    scores : array of shape (n,)
    context : int
        Rows before and after each alarm. Of a long alarm, the rows around its peak are taken.
    width : int
        Numbers in each row: the more, the fewer rows.
    """
    left = _DETAIL_CELLS // width
    largest = int(left * _LARGEST_PIECE)
    wanted = np.zeros(len(scores), dtype=bool)
    alarms = shortened = 0
    for one in sorted(intervals, key=lambda alarm: -alarm.score):
        first, stop = max(0, one.rows[0] - context), min(len(scores), one.rows[1] + 1 + context)
        too_long = stop - first > largest
        if too_long:
            first, stop = _around_peak(one.rows, scores, largest)
        left -= int((~wanted[first:stop]).sum())
        if left < 0:
            break
        wanted[first:stop] = True
        alarms += 1
        shortened += too_long
    return TimelineDetail(runs(wanted), alarms, shortened)


def usual_residuals(
    values: NDArray[np.float64], expected: NDArray[np.float64], calm: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the residuals between which most rows are, (sensors, 2): low and high.

    These are quantiles of measured minus expected values in the rows that are `calm`, (n,), or in
    all rows if none is; 0 and 0 for a sensor without residuals.
    """
    rows = calm if calm.any() else np.ones_like(calm)
    edge = (1 - USUAL) / 2
    found = np.zeros((values.shape[1], 2))
    for sensor in range(values.shape[1]):
        residuals = values[rows, sensor] - expected[rows, sensor]
        residuals = residuals[np.isfinite(residuals)]
        if len(residuals):
            found[sensor] = np.quantile(residuals, [edge, 1 - edge])
    return found


def encoded(
    series: TimelineRows,
    intervals: Intervals,
    blame: Sequence[Sequence[int]],
    detail: TimelineDetail,
    *,
    context: int,
) -> str:
    """Return the data as JSON without any text of the user.

    Parameters
    ----------
    series : TimelineRows
    intervals : Intervals
    blame : sequence of sequences of int
        The numbers of the responsible sensors of each alarm.
    detail : TimelineDetail
        From `around_alarms`.
    context : int
        Rows before and after an alarm that are visible when the page zooms to it.
    """
    n, seen = len(series), series.seen
    size = bucket_size(n, series.width)
    low, high = span([seen.scores, np.array([seen.threshold])])
    truth = np.empty((0, 2), dtype=np.int64) if seen.anomalous is None else runs(seen.anomalous)
    alarms = np.array([one.rows for one in intervals], dtype=np.int64).reshape(-1, 2)
    views = np.clip(alarms + np.array([-context, context]), 0, n - 1)
    usual = usual_residuals(series.values, series.expected, ~seen.raised)
    pieces = [] if size == 1 else detail.ranges.tolist()
    return json.dumps(
        {
            "sensors": series.values.shape[1],
            "dated": series.seconds is not None,
            "origin": series.origin,
            "step": series.step,
            "gap": _GAP * series.step,
            "end": float(series.place(n - 1)),
            "threshold": seen.threshold,
            "log": is_wide(low, high),
            "usual": usual.tolist(),
            "alarms": series.place(alarms).tolist(),
            "views": series.place(views).tolist(),
            "blame": [list(sensors) for sensors in blame],
            "truth": series.place(truth).tolist(),
            "overview": _block(series, 0, n, size),
            "pieces": [_block(series, first, last + 1, 1) for first, last in pieces],
        },
        allow_nan=False,
        separators=(",", ":"),
    )


def _around_peak(
    rows: tuple[int, int], scores: NDArray[np.float64], length: int
) -> tuple[int, int]:
    peak = rows[0] + int(np.nan_to_num(scores[rows[0] : rows[1] + 1], nan=-np.inf).argmax())
    first = max(0, min(peak - length // 2, len(scores) - length))
    return first, first + length


def _block(series: TimelineRows, first: int, stop: int, size: int) -> dict[str, Any]:
    """Return the buckets of rows `first` to `stop`, excluding the latter."""
    rows = slice(first, stop)
    starts = bucket_starts(stop - first, size, _gaps(series, first, stop) if size > 1 else ())
    if size == 1:
        low, high = [as_float32(values[rows]) for values in series.channels], None
    else:
        pairs = [lowest_and_highest(values[rows], starts) for values in series.channels]
        low, high = ([pair[side] for pair in pairs] for side in (0, 1))
    ends = np.append(starts[1:], stop - first) - 1
    return {
        "size": size,
        "count": len(starts),
        # Evenly spaced rows need no times: the browser computes them.
        "first": first,
        "stop": stop,
        "times": None
        if series.is_even
        else _base64(np.concatenate([series.place(starts + first), series.place(ends + first)])),
        "low": _base64(np.concatenate(low)),
        "high": None if high is None else _base64(np.concatenate(high)),
    }


def _gaps(series: TimelineRows, first: int, stop: int) -> NDArray[np.int64]:
    """Return the rows after the longest gaps in time; no bucket extends over these."""
    if series.seconds is None:
        return np.empty(0, dtype=np.int64)
    steps = np.diff(series.seconds[first:stop])
    gaps = np.flatnonzero(steps > _GAP * series.step)
    return gaps[np.argsort(-steps[gaps], kind="stable")[:_MOST_GAPS]] + 1


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
