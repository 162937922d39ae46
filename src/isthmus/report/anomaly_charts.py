"""Charts of an anomaly report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.number_format import count, number, percent
from isthmus.data.fleet import as_fleet
from isthmus.data.sensor_series import as_series
from isthmus.evaluation import alarm_evaluation
from isthmus.evaluation.runs import runs
from isthmus.report.charts import PlotLine, histogram_chart, line_chart
from isthmus.report.timeline import timeline_chart

if TYPE_CHECKING:
    from markupsafe import Markup
    from numpy.typing import NDArray

    from isthmus.anomaly.intervals import Intervals
    from isthmus.evaluation.alarm_evaluation import AlarmCounts

_MOST_INTERVALS = 20
_MOST_POINTS = 400
_P_EDGES = np.linspace(0.0, 1.0, 21)


class AnomalyChart(NamedTuple):
    """A chart with its legend and caption."""

    chart: Markup
    legend: list[tuple[str, str]]
    caption: str


class AnomalyChartRow(NamedTuple):
    """One interval of alarms."""

    unit: str
    start: str
    end: str
    peak: str
    rows: str
    score: str
    sensors: str


class Timeline(NamedTuple):
    """The scores over time and the alarms."""

    note: str
    chart: Markup
    legend: list[tuple[str, str]]
    intervals: list[AnomalyChartRow]
    more: str


def histogram(seen: AlarmCounts) -> AnomalyChart:
    """Draw the distribution of the scores and the threshold."""
    samples = _groups(seen, seen.scores)
    caption = (
        f"Anomaly scores. The line is the threshold, {number(seen.threshold)}, above which a row "
        "raises an alarm."
    )
    chart = histogram_chart(
        samples,
        name="histogram",
        title="Anomaly scores",
        description=caption,
        x_label="score (last bin: all above)",
        y_label="% of rows",
        mark=seen.threshold,
        log=True,
    )
    return AnomalyChart(chart, [(name, colour) for name, _, colour in samples], caption)


def p_values(seen: AlarmCounts) -> AnomalyChart:
    """Draw the distribution of the p-values."""
    samples = _groups(seen, seen.p_values)
    caption = (
        "p-values. Those of anomalies are small; those of normal rows are spread evenly, or are "
        "higher."
    )
    chart = histogram_chart(
        samples,
        name="p-values",
        title="p-values",
        description=caption,
        x_label="p-value",
        y_label="% of rows",
        bins=_P_EDGES,
    )
    return AnomalyChart(chart, [(name, colour) for name, _, colour in samples], caption)


def curves(seen: AlarmCounts) -> list[AnomalyChart]:
    """Draw the ROC and the precision-recall curve; none without labels of both kinds."""
    drawn, found = alarm_evaluation.curves(seen), alarm_evaluation.found(seen)
    if drawn is None or found is None:
        return []
    false_alarms = 100 * found.false_alarms / found.normal
    recall = 100 * (found.recall or 0.0)
    return [
        _curve(
            drawn.roc,
            "roc",
            "ROC curve",
            f"Anomalies found at each false-alarm rate; area {number(found.roc_auc)}. The line "
            f"marks the rate of the alarms in this report, {percent(false_alarms / 100)}.",
            ("false alarms, % of normal rows", "found, % of anomalies"),
            mark=false_alarms,
        ),
        _curve(
            drawn.precision_recall[1:],  # the first point is 100 % by convention
            "precision-recall",
            "Precision-recall curve",
            f"Precision at each recall; average precision "
            f"{number(found.average_precision)}. The line marks the recall of the alarms in this "
            f"report, {percent(recall / 100)}.",
            ("found, % of anomalies", "anomalies, % of alarms"),
            mark=recall,
        ),
    ]


def timeline(X: Any, seen: AlarmCounts, found: Intervals, group: str | None = None) -> Timeline:
    """Draw the scores of a series, or of units one after the other, and list the alarms."""
    times = as_series(X, ()).times if group is None else None
    order = np.arange(len(seen.scores)) if times is None else np.argsort(times, kind="stable")
    if group is not None:
        order = np.asarray(as_fleet(X, group, ()).order)
    place = np.argsort(order)
    dated = times is not None and times.dtype.kind == "M"
    note = f"{count(len(found), 'alarm')}. Rows above the threshold are merged if they are close."
    if group is not None:
        note += " The rows are drawn unit after unit."
    anomalous = None if seen.anomalous is None else seen.anomalous[order]
    chart = timeline_chart(
        seen.scores[order],
        threshold=seen.threshold,
        alarms=[(int(place[one.rows[0]]), int(place[one.rows[1]])) for one in found],
        name="scores-along-time",
        title="Anomaly scores over time",
        description=note,
        y_label="score",
        times=times[order] if times is not None and dated else None,
        truth=[] if anomalous is None else [(a, b) for a, b in runs(anomalous).tolist()],
    )
    legend = [("score", "--c0"), ("alarm", "--c1")]
    if anomalous is not None:
        legend.append(("labelled as an anomaly, at the top", "--c3"))
    highest = sorted(found, key=lambda one: -one.score)[:_MOST_INTERVALS]
    more = (
        f"The {_MOST_INTERVALS} of {len(found):,} alarms with the highest scores are listed."
        if len(found) > _MOST_INTERVALS
        else ""
    )
    return Timeline(note, chart, legend, [_row(one) for one in highest], more)


def _row(one: Any) -> AnomalyChartRow:
    first, last = one.rows
    return AnomalyChartRow(
        unit="" if one.unit is None else str(one.unit),
        start=_moment(one.start),
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


def _groups(
    seen: AlarmCounts, values: NDArray[np.float64]
) -> list[tuple[str, NDArray[np.float64], str]]:
    """Return values by label, without rows that have no score."""
    if seen.anomalous is None:
        return [("rows", values[seen.scored], "--c0")]
    groups = [
        ("normal", values[seen.scored & ~seen.anomalous], "--c0"),
        ("anomalies", values[seen.scored & seen.anomalous], "--c1"),
    ]
    return [group for group in groups if len(group[1])]


def _curve(
    points: NDArray[np.float64],
    name: str,
    title: str,
    caption: str,
    axes: tuple[str, str],
    *,
    mark: float,
) -> AnomalyChart:
    some = np.unique(np.linspace(0, len(points) - 1, _MOST_POINTS).round().astype(int))
    chart = line_chart(
        [PlotLine(title, points[some, 0], points[some, 1], "--c0")],
        name=name,
        title=title,
        description=caption,
        x_label=axes[0],
        y_label=axes[1],
        mark=mark,
        from_zero=True,
    )
    return AnomalyChart(chart, [], caption)
