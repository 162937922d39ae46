"""The timeline of a series in an anomaly report: chart, data of the zooming timeline, alarms."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup

from isthmus.anomaly.intervals import Intervals
from isthmus.core.number_format import count, number
from isthmus.data.fleet import as_fleet, without_units
from isthmus.data.sensor_series import SensorSeries, as_series
from isthmus.evaluation.row_times import time_order
from isthmus.evaluation.runs import runs
from isthmus.report.timeline import timeline_chart
from isthmus.report.timeline_data import (
    USUAL,
    TimelineDetail,
    TimelineRows,
    around_alarms,
    bucket_size,
    encoded,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.intervals import Interval
    from isthmus.data.sensor_series import SensorSeries
    from isthmus.evaluation.alarm_evaluation import AlarmCounts

TIMELINE_SCRIPTS = ("timeline_blocks.js", "timeline_scales.js", "timeline.js")
_MOST_INTERVALS = 20
_MOST_SENSORS = 40
"""The page holds the values of this many sensors, those that alarms name most often."""
_SHOWN_AT_FIRST = 4
_CONTEXT = 2
"""Windows before and after an alarm that are shown with it."""


class TimelineSensor(NamedTuple):
    """A sensor of the timeline, and whether it is shown at first."""

    name: str
    shown: bool


class TimelineAlarm(NamedTuple):
    """One interval of alarms; `number` is its place among all of them."""

    number: int
    start: str
    end: str
    peak: str
    rows: str
    score: str
    sensors: str


class Timeline(NamedTuple):
    """The scores and the sensors over time, and the alarms."""

    note: str
    chart: Markup
    legend: list[tuple[str, str]]
    sensors: list[TimelineSensor]
    data: Markup
    held: str
    """Which rows the page holds."""
    alarms: list[TimelineAlarm]
    more: str


def _series(detector: Any, X: Any) -> SensorSeries:
    """Return rows in the user's order, without the column of units."""
    return as_series(X if detector.group is None else without_units(X, detector.group), ())


def timeline(detector: Any, X: Any, seen: AlarmCounts, found: Intervals) -> Timeline:
    """Describe and draw a series with its alarms.

    Parameters
    ----------
    detector : AnomalyDetector
        With a window.
    X : series
    seen : AlarmCounts
        The detector's scores of it.
    found : Intervals
        The detector's alarms.
    """
    series = _series(detector, X)
    if detector.group is not None:  # unit after unit, so that times go back
        order: NDArray[np.intp] | None = as_fleet(X, detector.group, ()).order.astype(np.intp)
    else:
        order = time_order(series.times)
    if order is not None:
        series, seen, found = series.part(order), seen.reordered(order), _moved(found, order)
    if detector.group is not None:
        series = replace(series, times=None)
    names = series.sensors if series.named else tuple(detector.sensors_)
    kept = _most_responsible(names, found)
    note = (
        f"{count(len(found), 'alarm')}. Rows above the threshold are merged if they are close. The "
        "line is the threshold at the start; it follows slow changes."
        if detector.group is None
        else f"{count(len(found), 'alarm')}. The rows are drawn unit after unit. Rows above the "
        "threshold are merged if they are close. The line is the threshold at the start of each "
        "unit; it follows slow changes."
    )
    if len(kept) < len(names):
        note += (
            f" {len(kept)} of {len(names):,} sensors can be shown, those that are responsible "
            "for most alarms."
        )
    expected = _series(detector, detector.expected(X))
    rows = _rows(series, expected if order is None else expected.part(order), seen, kept)
    context = _CONTEXT * detector.window_
    detail = around_alarms(found, seen.scores, context=context, width=rows.width)
    places = {names[sensor]: place for place, sensor in enumerate(kept)}
    blame = [[places[name] for name in one.sensors if name in places] for one in found]
    return Timeline(
        note=note,
        chart=_chart(series, seen, found, note),
        legend=_legend(seen),
        sensors=_sensors([names[sensor] for sensor in kept], found),
        # JSON of numbers has no character that ends a script element.
        data=Markup(encoded(rows, found, blame, detail, context=context)),  # noqa: S704
        held=_held(bucket_size(len(series), rows.width), detail, len(found), context),
        alarms=_alarms(found),
        more=f"The {_MOST_INTERVALS} of {len(found):,} alarms with the highest scores are listed."
        if len(found) > _MOST_INTERVALS
        else "",
    )


def _moved(found: Intervals, order: NDArray[np.intp]) -> Intervals:
    place = np.argsort(order)
    return Intervals(
        replace(one, rows=(int(place[one.rows[0]]), int(place[one.rows[1]]))) for one in found
    )


def _rows(
    series: SensorSeries, expected: SensorSeries, seen: AlarmCounts, kept: list[int]
) -> TimelineRows:
    times = _dates(series)
    milliseconds = None if times is None else times.astype("datetime64[us]").astype(np.int64) / 1000
    return TimelineRows(
        values=_columns(series, kept),
        expected=_columns(expected, kept),
        seconds=None if milliseconds is None else (milliseconds - milliseconds[0]) / 1000,
        origin=0.0 if milliseconds is None else float(milliseconds[0]),
        seen=seen,
    )


def _columns(series: SensorSeries, kept: list[int]) -> NDArray[np.float64]:
    return np.asarray(series.values[:], dtype=np.float64)[:, kept]


def _dates(series: SensorSeries) -> NDArray[np.datetime64] | None:
    dated = series.times is not None and series.times.dtype.kind == "M"
    return series.times if dated else None


def _most_responsible(names: Sequence[str], found: Intervals) -> list[int]:
    """Return the places of the sensors that the page holds, in the order of the series."""
    blamed = Counter(name for one in found for name in one.sensors)
    order = sorted(range(len(names)), key=lambda sensor: -blamed[names[sensor]])
    return sorted(order[:_MOST_SENSORS])


def _sensors(names: list[str], found: Intervals) -> list[TimelineSensor]:
    """Choose the sensors that are shown at first: those responsible for the highest scores."""
    ranked = [name for one in _highest(found) for name in one.sensors if name in names]
    first = list(dict.fromkeys([*ranked, *names]))[:_SHOWN_AT_FIRST]
    return [TimelineSensor(name, name in first) for name in names]


def _chart(series: SensorSeries, seen: AlarmCounts, found: Intervals, note: str) -> Markup:
    return timeline_chart(
        seen.scores,
        threshold=seen.threshold,
        alarms=[one.rows for one in found],
        name="scores-along-time",
        title="Anomaly scores over time",
        description=note,
        y_label="score",
        times=_dates(series),
        truth=[] if seen.anomalous is None else [(a, b) for a, b in runs(seen.anomalous).tolist()],
    )


def _legend(seen: AlarmCounts) -> list[tuple[str, str]]:
    entries = [("score", "--c0"), ("alarm", "--c1")]
    if seen.anomalous is not None:
        entries.append(("labelled as an anomaly, at the top", "--c3"))
    return entries


def _held(size: int, detail: TimelineDetail, alarms: int, context: int) -> str:
    band = (
        f"The band is the expected value with the residuals of {100 * USUAL:g} % of the rows "
        "without an alarm, for each sensor by itself. Alarms are raised by the score, not by the "
        "band."
    )
    if size == 1:
        return f"The page holds every row. {band}"
    text = f"The page holds the lowest and the highest value of every {count(size, 'row')}"
    if detail.alarms:
        which = "all" if detail.alarms == alarms else f"the {detail.alarms:,} highest"
        text += f", and every row from {context:,} before to {context:,} after {which} alarms"
    if detail.shortened:
        text += f" (of {count(detail.shortened, 'long alarm')}, those near the highest score)"
    return f"{text}. {band}"


def _highest(found: Intervals) -> list[Interval]:
    return sorted(found, key=lambda one: -one.score)[:_MOST_INTERVALS]


def _alarms(found: Intervals) -> list[TimelineAlarm]:
    numbers = {id(one): place for place, one in enumerate(found)}
    return [_alarm(numbers[id(one)], one) for one in _highest(found)]


def _alarm(place: int, one: Interval) -> TimelineAlarm:
    first, last = one.rows
    return TimelineAlarm(
        number=place,
        start=_moment(one.start) if one.unit is None else f"{one.unit}: {_moment(one.start)}",
        end=_moment(one.end),
        peak=_moment(one.peak),
        rows=f"{first:,} to {last:,}",
        score=number(one.score),
        sensors=", ".join(one.sensors),
    )


def _moment(moment: Any) -> str:
    if isinstance(moment, np.datetime64):
        moment = moment.astype("datetime64[s]")
    return str(moment).replace("T", " ")
