"""Chart of a series' scores over time, with shaded alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from isthmus.report.axes import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Axis,
    grid,
    is_wide,
    linear,
    logarithmic,
    path_points,
    span,
    svg,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WIDE = 900
"""Width in units; on a phone, the chart scrolls horizontally."""
_MOST_POINTS = 800
_THINNEST = 1.5  # units, so that an alarm of a single row is visible
_SECOND, _MINUTE, _HOUR, _DAY = 1, 60, 3600, 86400
_STEPS = (
    *(_SECOND * n for n in (1, 2, 5, 10, 30)),
    *(_MINUTE * n for n in (1, 2, 5, 10, 30)),
    *(_HOUR * n for n in (1, 2, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 30, 91, 365, 1826, 7305)),
)


def timeline_chart(
    scores: NDArray[np.float64],
    *,
    threshold: float,
    alarms: Sequence[tuple[int, int]],
    name: str,
    title: str,
    description: str,
    y_label: str,
    times: NDArray[np.datetime64] | None = None,
    truth: Sequence[tuple[int, int]] = (),
) -> Markup:
    """Draw the scores of a series, the threshold and shaded alarms.

    In a long series, each point is the largest score of several rows, because large scores matter.

    Parameters
    ----------
    scores : array of shape (n,)
        NaN leaves a gap.
    threshold : float
        Drawn as a horizontal line.
    alarms : sequence of (int, int)
        The first and last row of each alarm.
    name, title, description, y_label
        As for `isthmus.report.charts.line_chart`.
    times : array of datetime64 of shape (n,), optional
        The times of the rows; without them, the axis shows row numbers.
    truth : sequence of (int, int)
        First and last row of the ranges that are labelled as anomalous, marked at the top.
    """
    height = 230
    along = (
        np.arange(len(scores), dtype=np.float64)
        if times is None
        else times.astype("datetime64[ms]").astype(np.int64) / 1000
    )
    across = _time_axis(along, dated=times is not None)
    up = _score_axis(scores, threshold, height)
    body = [
        Markup('<rect class="alarm" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
            x, TOP, width, height - BOTTOM - TOP
        )
        for x, width in _stretches(across, along, alarms)
    ]
    body += [
        Markup('<rect class="truth" x="{:.1f}" y="{}" width="{:.1f}" height="4"/>').format(
            x, TOP, width
        )
        for x, width in _stretches(across, along, truth)
    ]
    x_label = "row" if times is None else f"{_when(times[0])} to {_when(times[-1])}"
    body.append(grid(across, up, x_label, f"{y_label}, log scale" if up.log else y_label))
    body.append(
        Markup('<line class="mark" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>').format(
            LEFT, WIDE - RIGHT, float(up(threshold))
        )
    )
    curve = _curve(across(along), scores, up)
    body.append(Markup('<path class="curve thin" style="stroke:var(--c0)" d="{}"/>').format(curve))
    return svg(body, height, name, title, description, width=WIDE)


def _score_axis(scores: NDArray[np.float64], threshold: float, height: int) -> Axis:
    low, high = span([scores, np.array([threshold])])
    if is_wide(low, high):
        return logarithmic(low, high, height - BOTTOM, TOP)
    return linear(min(0.0, low), high, height - BOTTOM, TOP)


def _stretches(
    across: Axis, along: NDArray[np.float64], rows: Sequence[tuple[int, int]]
) -> list[tuple[float, float]]:
    """Return the start and the width of ranges of rows."""
    found = []
    for first, last in rows:
        start, end = across(along[[first, last]])
        found.append((float(start), max(_THINNEST, float(end - start))))
    return found


def _curve(x: NDArray[np.float64], scores: NDArray[np.float64], up: Axis) -> str:
    """Return the path of the scores, with gaps at missing ones."""
    some = max(1, -(-len(scores) // _MOST_POINTS))
    starts = np.arange(0, len(scores), some)
    there = np.isfinite(scores)
    largest = np.maximum.reduceat(np.where(there, scores, -np.inf), starts)
    good = np.isfinite(largest)
    x, y = x[starts], up(np.where(good, largest, up.low))
    ends = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    # A piece of a single point has no length, so it is drawn as a dot.
    return "".join(
        f"M{path_points(x[first:last], y[first:last])}{'h0.1' if last - first == 1 else ''}"
        for first, last in ends.reshape(-1, 2)
    )


def _time_axis(along: NDArray[np.float64], *, dated: bool) -> Axis:
    low, high = span([along])
    if not dated:
        return linear(low, high, LEFT, WIDE - RIGHT, whole=True)
    if high <= low:
        high = low + 1
    step = next((s for s in _STEPS if (high - low) / s <= 9), _STEPS[-1])
    ticks = [float(t) for t in np.arange(-(-low // step) * step, high + 1e-6, step)]
    unit = "D" if step >= _DAY else ("m" if step >= _MINUTE else "s")
    moments = np.array(ticks, dtype=np.int64).astype("datetime64[s]").astype(f"datetime64[{unit}]")
    labels = [str(moment).partition("T") for moment in moments]
    return Axis(
        low, high, LEFT, WIDE - RIGHT, ticks, labels=tuple(time or day for day, _, time in labels)
    )


def _when(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[s]")).replace("T", " ")
