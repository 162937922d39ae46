"""The figures of a labelled series in an anomaly report."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from isthmus.core.number_format import count, number, percent

if TYPE_CHECKING:
    from isthmus.evaluation.series_figures import AlarmEvaluation

_COUNTED = {
    "events": "anomalies found, and false alarms",
    "ranges": "overlap of each alarm and each anomaly",
    "points": "single rows",
}


class EvaluationTable(NamedTuple):
    """Precision, recall and F1, with what they count."""

    headers: list[str]
    rows: list[tuple[str, list[str], str]]
    """The name, the figures and what is counted."""
    caption: str


def evaluation_table(result: AlarmEvaluation) -> EvaluationTable:
    """Return the table of precision, recall and F1, with the other figures in the caption."""
    headers, rows = result.table()
    caption = (
        "Events: an anomaly is found if an alarm includes one of its rows; an alarm is false if it "
        "includes none of any anomaly. Precision is multiplied by 1 − false-alarm rate."
    )
    if result.false_alarm_rate is not None:
        caption += f" {percent(result.false_alarm_rate)} of the normal rows are in alarms."
    if result.vus_pr is not None:
        caption += (
            f" The scores at any threshold: VUS-PR {result.vus_pr:.3f}, VUS-ROC "
            f"{result.vus_roc:.3f}, with buffers up to {count(result.buffer, 'row')}."
        )
    return EvaluationTable(
        headers[1:], [(name, figures, _COUNTED[name]) for name, *figures in rows], caption
    )


def evaluation_tiles(result: AlarmEvaluation) -> list[tuple[str, str, str]]:
    """Return the most important figures: name, figure and detail."""
    return [
        (
            "Anomalies found",
            f"{result.found:,} of {result.anomalies:,}",
            f"median delay {result.delay_text}" if result.found else "",
        ),
        ("False alarms", f"{result.false_alarms:,} of {result.alarms:,}", result.frequency_text),
        ("VUS-PR", number(result.vus_pr), f"VUS-ROC {number(result.vus_roc)}"),
    ]
