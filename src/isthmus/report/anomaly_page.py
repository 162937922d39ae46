"""Writes what a detector says of some rows as one self-contained HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus._version import __version__
from isthmus.core.atomic_files import atomic_write
from isthmus.core.number_format import count, number, percent
from isthmus.evaluation import alarm_evaluation
from isthmus.report import anomaly_charts, anomaly_rows
from isthmus.report.template import colophon, filled, free_path
from isthmus.verdict.parameter_table import parameter_table

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from numpy.typing import NDArray

    from isthmus.anomaly.blind_spots import BlindSpots
    from isthmus.evaluation.alarm_evaluation import AlarmCounts, DetectionFigures

_LEVELS = {"good": "Good", "note": "Note", "warning": "Warning"}
_ALPHA = 0.05
"""A p-value of drift below this is worth a word."""
_WEAK = 0.5
"""Of anomalies found, less than this is nothing to be pleased with."""

_LOADING = """\
import isthmus as ist

detector = ist.load("detector.isthmus")
detector.predict(X)          # -1 for an alarm, 1 for none
detector.p_values(X)         # at most alpha with probability alpha, for a normal row
detector.explain(X)          # each cell's part in the score
detector.expected(X)         # what each cell would be in a normal row
"""
_LOADING_SERIES = """\
import isthmus as ist

detector = ist.load("detector.isthmus")
detector.anomaly_score(S)    # one per timestamp, higher is worse
detector.intervals(S)        # alarms merged: start, end, peak, the sensors responsible
detector.score_next(row)     # online, row by row
"""


class AnomalyFinding(NamedTuple):
    """One sentence and how good the news is: "good", "note" or "warning"."""

    level: str
    text: str


def write_anomaly_report(
    detector: Any,
    X: Any,
    path: str | os.PathLike[str],
    *,
    y: Any = None,
    seen: AlarmCounts | None = None,
    blind: BlindSpots | None = None,
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a report on a fitted detector and what it says of some rows.

    Parameters
    ----------
    detector : AnomalyDetector
    X : array or table of n rows
        In the form that it was fitted on; a series for a detector with ``window=``.
    path : path
        Where the page goes.
    y : array of shape (n,), optional
        The truth, by which alarms are judged: 1 for an anomaly and 0 for a normal row.
    seen : Seen, optional
        What the detector said of these very rows, where it was asked already.
    blind : BlindSpots, optional
        What its ``blind_spots`` returned, where it was asked already.
    title : str, optional
        The page's heading.
    overwrite : bool
        Whether a file that stands at `path` may be replaced.

    Raises
    ------
    CannotWrite
        A file stands there already, or the folder does not allow it; nothing was changed.
    InvalidData
        The rows are not like those of `fit`, or labels are none.
    """
    target = free_path(path, overwrite=overwrite)
    atomic_write(target, render(detector, X, y=y, seen=seen, blind=blind, title=title).encode())
    return target


def render(
    detector: Any,
    X: Any,
    *,
    y: Any = None,
    seen: AlarmCounts | None = None,
    blind: BlindSpots | None = None,
    title: str | None = None,
) -> str:
    """Return the page that `write_anomaly_report` writes."""
    seen = seen or alarm_evaluation.look(detector, X, y=y)
    found = alarm_evaluation.found(seen)
    series = detector.is_series
    blind = None if series else blind or detector.blind_spots()
    drift = None if series else detector.drift(X)
    table = parameter_table(detector.autoencoder_)
    parts = {
        "version": __version__,
        "title": title or "Anomalies",
        "subtitle": _subtitle(detector, seen),
        "levels": _LEVELS,
        "verdict": _verdict(seen, found),
        "tiles": _tiles(seen, found),
        "findings": _findings(seen, found, blind, drift),
        "timeline": anomaly_charts.timeline(detector, X, seen) if series else None,
        "histogram": anomaly_charts.histogram(seen),
        "p_chart": anomaly_charts.p_values(seen),
        "curves": anomaly_charts.curves(seen),
        "top": None if series else anomaly_rows.top(detector, X, seen),
        "blind": anomaly_rows.blind_table(blind) if blind else None,
        "drift": anomaly_rows.drift_table(drift) if drift else None,
        "promise": _promise(detector, seen),
        "network": {"table": table, "note": f"{table.total:,} parameters."},
        "loading": _LOADING_SERIES if series else _LOADING,
        "colophon": colophon(),
    }
    return filled("anomalies.html.j2", parts)


def _subtitle(detector: Any, seen: AlarmCounts) -> str:
    rows = count(len(seen.scores), "row")
    if detector.is_series:
        return f"A series of {rows}, seen through windows of {count(detector.window, 'row')}"
    held_out = len(detector.calibration_scores_)
    return (
        f"{rows}, by a detector of {count(detector.schema_.n_columns, 'column')} whose threshold "
        f"was set by {count(held_out, 'held-out row')}"
    )


def _verdict(seen: AlarmCounts, found: DetectionFigures | None) -> AnomalyFinding:
    kept, text = alarm_evaluation.against_promise(seen)
    if found is not None:
        kept = seen.fdr or alarm_evaluation.promise_kept(seen, found)[0]
        weak = found.recall is not None and found.recall < _WEAK
        level = "warning" if not kept else ("note" if weak else "good")
        return AnomalyFinding(level, " ".join(alarm_evaluation.sentences(found)[:3]))
    if not kept:
        return AnomalyFinding("note", f"{text} There are more: some of these rows are not normal.")
    return AnomalyFinding("note" if seen.fdr else "good", text)


def _tiles(seen: AlarmCounts, found: DetectionFigures | None) -> list[tuple[str, str, str]]:
    n, raised = int(seen.scored.sum()), int(seen.raised.sum())
    promise = "false discoveries" if seen.fdr else "false alarms"
    tiles = [
        ("Alarms", f"{raised:,}", f"{percent(raised / n if n else 0.0)} of {count(n, 'row')}"),
        ("Promised", percent(seen.rate), f"{promise} at most"),
        ("Threshold", number(seen.threshold), f"highest score {number(_largest(seen.scores))}"),
    ]
    if found is None:
        return [*tiles, ("Smallest p-value", number(float(np.nanmin(seen.p_values)), 2), "")]
    return [
        *tiles,
        ("Precision", percent(found.precision), "of alarms are anomalies"),
        ("Recall", percent(found.recall), "of anomalies are found"),
        ("ROC AUC", number(found.roc_auc), f"average precision {number(found.average_precision)}"),
    ]


def _largest(scores: NDArray[np.float64]) -> float:
    return float(np.nanmax(scores)) if np.isfinite(scores).any() else float("nan")


def _findings(
    seen: AlarmCounts, found: DetectionFigures | None, blind: Any, drift: Any
) -> list[AnomalyFinding]:
    said = []
    if found is not None and found.normal and not seen.fdr:
        kept, text = alarm_evaluation.promise_kept(seen, found)
        said.append(AnomalyFinding("good" if kept else "warning", text))
    left = int((~seen.scored).sum())
    if left:
        said.append(AnomalyFinding("note", f"{count(left, 'row')} next to gaps have no score."))
    if blind is not None:
        said += [AnomalyFinding("warning", text) for text in blind.findings]
    if drift is not None and drift.p_value < _ALPHA:
        said.append(
            AnomalyFinding(
                "warning",
                f"These rows are not like those of training (p = {number(drift.p_value, 2)}). If "
                "that is no fault but a new normal, fit the detector again: its promise holds "
                "for rows like those it was fitted on.",
            )
        )
    return said


def _promise(detector: Any, seen: AlarmCounts) -> str:
    if seen.fdr:
        return (
            f"Of the alarms, at most {percent(seen.rate)} are expected to be false (the procedure "
            "of Benjamini and Hochberg on conformal p-values), as long as normal rows are like "
            "those that the detector was fitted on. Nothing is promised of how many anomalies are "
            "found."
        )
    if detector.is_series:
        return (
            f"In the long run at most {percent(seen.rate)} of the timestamps of a series that "
            "behaves as it did in training raise a false alarm. These come in runs of about a "
            "window. Nothing is promised of how many anomalies are found."
        )
    return (
        f"A normal row raises an alarm with a probability of at most {percent(seen.rate)}, "
        "whatever the network is worth, as long as it is like the rows that the detector was "
        "fitted on: the threshold was set by some of these that the network never saw. Nothing is "
        "promised of how many anomalies are found; labels and the blind spots tell of that."
    )
