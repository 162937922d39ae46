"""Write a report on a detector's alarms as one self-contained HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus._version import __version__
from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import InvalidData
from isthmus.core.number_format import count, number, percent
from isthmus.core.sample_words import about
from isthmus.estimators.resolved_settings import sample_noun
from isthmus.evaluation import alarm_evaluation
from isthmus.evaluation.series_evaluation import evaluate_series
from isthmus.report import anomaly_charts, anomaly_rows
from isthmus.report.evaluation_table import evaluation_table, evaluation_tiles
from isthmus.report.template import colophon, filled, free_path, inlined
from isthmus.report.timeline_views import TIMELINE_SCRIPTS, timeline
from isthmus.verdict.parameter_table import parameter_table

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from isthmus.anomaly.blind_spots import BlindSpots
    from isthmus.core.sample_words import SampleNoun
    from isthmus.evaluation.alarm_evaluation import AlarmCounts, DetectionFigures
    from isthmus.evaluation.series_figures import AlarmEvaluation

_LEVELS = {"good": "Good", "note": "Note", "warning": "Warning"}
_ALPHA = 0.05
"""Drift with a p-value below this is reported."""
_WEAK = 0.5
"""A recall below this is not rated as good."""

_LOADING = """\
import isthmus as ist

detector = ist.load("detector.isthmus")
detector.predict(X)          # -1 for an alarm, 1 for none
detector.p_values(X)         # at most alpha with probability alpha, for a normal row
detector.explain(X)          # each cell's contribution to the score
detector.expected(X)         # the expected value of each cell
"""
_LOADING_SERIES = """\
import isthmus as ist

detector = ist.load("detector.isthmus")
detector.anomaly_score(S)    # one per timestamp, higher is worse
detector.intervals(S)        # merged alarms: start, end, peak, responsible sensors
detector.update(row)         # online, row by row: the alarms that begin and end
"""
_LOADING_FLEET = """\
import isthmus as ist

detector = ist.load("detector.isthmus")
detector.anomaly_score(S)    # one per row, higher is worse, comparable between units
detector.intervals(S)        # merged alarms: unit, start, end, peak, responsible sensors
"""


class AnomalyFinding(NamedTuple):
    """A sentence and its level: "good", "note" or "warning"."""

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
    names: Sequence[str] | None = None,
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a report on a fitted detector and its alarms on some rows.

    Parameters
    ----------
    detector : AnomalyDetector
    X : array or table of n rows
        In the form that the detector was fitted on; a series for a detector with ``window=``.
    path : path
        The file to write.
    y : array of shape (n,), optional
        Labels to evaluate the alarms with: 1 for an anomaly and 0 for a normal row.
    seen : AlarmCounts, optional
        The alarms of the detector on these rows, if already computed.
    blind : BlindSpots, optional
        The result of the detector's ``blind_spots``, if already computed.
    names : sequence of n str, optional
        The names of the rows, such as the files of images; by default, their numbers.
    title : str, optional
        The page's heading.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    CannotWrite
        The file exists, or the folder is not writable. Nothing is changed.
    InvalidData
        The rows differ in form from those of `fit`, the labels are invalid, or no row of a series
        has a score.
    """
    target = free_path(path, overwrite=overwrite)
    page = render(detector, X, y=y, seen=seen, blind=blind, names=names, title=title)
    atomic_write(target, page.encode())
    return target


def render(
    detector: Any,
    X: Any,
    *,
    y: Any = None,
    seen: AlarmCounts | None = None,
    blind: BlindSpots | None = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> str:
    """Return the page that `write_anomaly_report` writes."""
    seen = seen or alarm_evaluation.look(detector, X, y=y)
    if not seen.scored.any():
        raise InvalidData(
            "the series of a report",
            expected=f"at least {detector.window_} consecutive rows, the window",
            received=f"{count(len(seen.scores), 'row')}, none of which has a score",
            remedy="pass a longer series, or fit a detector with a smaller window",
        )
    found = alarm_evaluation.found(seen)
    series = detector.is_series
    intervals = detector.intervals(X) if series else None
    evaluation = None if intervals is None else evaluate_series(detector, X, seen, intervals)
    if blind is None and hasattr(detector, "blind_spots"):
        blind = detector.blind_spots()
    drift = detector.drift(X) if hasattr(detector, "drift") else None
    table = parameter_table(detector.autoencoder_)
    noun: SampleNoun = "row"
    if not series:
        noun = sample_noun(detector.autoencoder_, detector.schema_)
    parts = {
        "version": __version__,
        "title": title or "Anomalies",
        "subtitle": _subtitle(detector, seen, noun),
        "levels": _LEVELS,
        "verdict": _about(noun, _verdict(seen, found, evaluation)),
        "tiles": _tiles(seen, found, evaluation, noun),
        "findings": [_about(noun, each) for each in _findings(seen, found, blind, drift)],
        "timeline": None if intervals is None else timeline(detector, X, seen, intervals),
        "script": None if intervals is None else inlined(*TIMELINE_SCRIPTS),
        "evaluation": evaluation_table(evaluation) if evaluation else None,
        "histogram": anomaly_charts.histogram(seen, noun),
        "p_chart": anomaly_charts.p_values(seen, noun),
        "curves": anomaly_charts.curves(seen, noun),
        "top": None if series else anomaly_rows.top(detector, X, seen, names),
        "blind": anomaly_rows.blind_table(blind, detector.schema_) if blind else None,
        "drift": anomaly_rows.drift_table(drift) if drift else None,
        "promise": about(noun, _promise(detector, seen)),
        "network": {"table": table, "note": f"{table.total:,} parameters."},
        "loading": about(noun, _loading(detector)),
        "noun": noun,
        "colophon": colophon(),
    }
    return filled("anomalies.html.j2", parts)


def _loading(detector: Any) -> str:
    """Return code that uses such a detector."""
    if not detector.is_series:
        return _LOADING
    return _LOADING_SERIES if detector.group is None else _LOADING_FLEET


def _about(noun: SampleNoun, finding: AnomalyFinding) -> AnomalyFinding:
    return finding._replace(text=about(noun, finding.text))


def _subtitle(detector: Any, seen: AlarmCounts, noun: SampleNoun) -> str:
    rows = count(len(seen.scores), noun)
    if detector.group is not None:
        units = count(len(detector.units_), "unit")
        windows = count(detector.window_, "row")
        return f"{rows}, detector for the series of {units} in windows of {windows}"
    if detector.is_series:
        return f"A series of {rows}, in windows of {count(detector.window_, 'row')}"
    held_out = len(detector.calibration_scores_)
    left = detector.schema_.not_learned
    kind = count(detector.schema_.n_columns, "column")
    if noun == "image":
        kind = f"images of {' × '.join(map(str, detector.schema_.sample_shape))} cells"
    return (
        f"{rows}, detector for {kind} with a threshold "
        f"from {count(held_out, f'held-out {noun}')}" + (f". Not learned: {left}" if left else "")
    )


def _verdict(
    seen: AlarmCounts, found: DetectionFigures | None, evaluation: AlarmEvaluation | None
) -> AnomalyFinding:
    kept, text = alarm_evaluation.against_promise(seen)
    if found is not None:
        kept = seen.fdr or alarm_evaluation.promise_kept(seen, found)[0]
        recall, said = found.recall, alarm_evaluation.sentences(found)[:3]
        if evaluation is not None:
            recall, said = evaluation.event_recall, evaluation.sentences()
        weak = recall is not None and recall < _WEAK
        level = "warning" if not kept else ("note" if weak else "good")
        return AnomalyFinding(level, " ".join(said))
    if not kept:
        return AnomalyFinding("note", f"{text} There are more, so some rows are not normal.")
    return AnomalyFinding("note" if seen.fdr else "good", text)


def _tiles(
    seen: AlarmCounts,
    found: DetectionFigures | None,
    evaluation: AlarmEvaluation | None,
    noun: SampleNoun,
) -> list[tuple[str, str, str]]:
    n, raised = int(seen.scored.sum()), int(seen.raised.sum())
    promise = "false discoveries" if seen.fdr else "false alarms"
    tiles = [
        ("Alarms", f"{raised:,}", f"{percent(raised / n if n else 0.0)} of {count(n, noun)}"),
        ("Guarantee", percent(seen.rate), f"{promise} at most"),
        ("Threshold", number(seen.threshold), f"highest score {number(_largest(seen.scores))}"),
    ]
    if found is None:
        return [*tiles, ("Smallest p-value", number(float(np.nanmin(seen.p_values)), 2), "")]
    if evaluation is not None:
        return [*evaluation_tiles(evaluation), *tiles[1:]]
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
                f"These rows differ from the training rows (p = {number(drift.p_value, 2)}). If "
                "the change is not a fault, fit the detector again: its guarantee is for rows "
                "like the training rows.",
            )
        )
    return said


def _promise(detector: Any, seen: AlarmCounts) -> str:
    if seen.fdr:
        return (
            f"At most {percent(seen.rate)} of the alarms are expected to be false (the procedure "
            "of Benjamini and Hochberg on conformal p-values), as long as normal rows are like "
            "those that the detector was fitted on. The fraction of anomalies that are found is "
            "not guaranteed."
        )
    if detector.is_series:
        return (
            f"In the long run, at most {percent(seen.rate)} of the timestamps of a series that "
            "behaves as in training raise a false alarm. False alarms come in runs of about a "
            "window. The fraction of anomalies that are found is not guaranteed."
        )
    return (
        f"A normal row raises an alarm with a probability of at most {percent(seen.rate)}, "
        "however good or bad the network is, as long as the row is like those that the detector "
        "was fitted on: the threshold comes from held-out rows that the network did not see. The "
        "fraction of anomalies that are found is not guaranteed; labels and the blind spots show "
        "it."
    )
