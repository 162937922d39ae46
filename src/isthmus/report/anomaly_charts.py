"""Charts of an anomaly report."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isthmus.core.number_format import number, percent
from isthmus.core.sample_words import about
from isthmus.evaluation import alarm_evaluation
from isthmus.report.charts import PlotLine, histogram_chart, line_chart

if TYPE_CHECKING:
    from markupsafe import Markup
    from numpy.typing import NDArray

    from isthmus.core.sample_words import SampleNoun
    from isthmus.evaluation.alarm_evaluation import AlarmCounts

_MOST_POINTS = 400
_P_EDGES = np.linspace(0.0, 1.0, 21)


class AnomalyChart(NamedTuple):
    """A chart with its legend and caption."""

    chart: Markup
    legend: list[tuple[str, str]]
    caption: str


def histogram(seen: AlarmCounts, noun: SampleNoun = "row") -> AnomalyChart:
    """Draw the distribution of the scores and the threshold."""
    samples = _groups(seen, seen.scores, noun)
    caption = about(
        noun,
        f"Anomaly scores. The line is the threshold, {number(seen.threshold)}, above which a row "
        "raises an alarm.",
    )
    chart = histogram_chart(
        samples,
        name="histogram",
        title="Anomaly scores",
        description=caption,
        x_label="score (last bin: all above)",
        y_label=f"% of {noun}s",
        mark=seen.threshold,
        log=True,
    )
    return AnomalyChart(chart, [(name, colour) for name, _, colour in samples], caption)


def p_values(seen: AlarmCounts, noun: SampleNoun = "row") -> AnomalyChart:
    """Draw the distribution of the p-values."""
    samples = _groups(seen, seen.p_values, noun)
    caption = (
        f"p-values. Those of anomalies are small; those of normal {noun}s are spread evenly, or "
        "are higher."
    )
    chart = histogram_chart(
        samples,
        name="p-values",
        title="p-values",
        description=caption,
        x_label="p-value",
        y_label=f"% of {noun}s",
        bins=_P_EDGES,
    )
    return AnomalyChart(chart, [(name, colour) for name, _, colour in samples], caption)


def curves(seen: AlarmCounts, noun: SampleNoun = "row") -> list[AnomalyChart]:
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
            (f"false alarms, % of normal {noun}s", "found, % of anomalies"),
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


def _groups(
    seen: AlarmCounts, values: NDArray[np.float64], noun: SampleNoun
) -> list[tuple[str, NDArray[np.float64], str]]:
    """Return values by label, without rows that have no score."""
    if seen.anomalous is None:
        return [(f"{noun}s", values[seen.scored], "--c0")]
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
