"""Compare the alarms of a detector with its guarantee and, if there are any, with labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from isthmus.anomaly import conformal
from isthmus.core.errors import InvalidData
from isthmus.core.number_format import count, percent
from isthmus.estimators import parameter_checks as checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.evaluation.series_figures import AlarmEvaluation

Flags = NDArray[np.bool_]

_SURE = 0.95
"""Probability that a valid detector's number of false alarms is in the stated range."""


class RowFigures(NamedTuple):
    """What a detector says about rows, (n,) each."""

    scores: NDArray[np.float64]
    p_values: NDArray[np.float64]
    thresholds: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AlarmCounts:
    """The scores and alarms of a detector on some rows."""

    scores: NDArray[np.float64]
    """(n,), NaN for rows of a series without a score."""
    p_values: NDArray[np.float64]
    raised: NDArray[np.bool_]
    """Which rows raise an alarm."""
    rate: float
    """The guaranteed fraction of false alarms, or of false discoveries."""
    fdr: bool
    """Whether the guarantee is about false discoveries."""
    threshold: float
    """Higher scores raise an alarm; for a series and each unit of a fleet, at first.

    With `fdr`, the lowest score of an alarm, or the highest score if there is no alarm."""
    held_out: int | None
    """Number of held-out rows that set the threshold; None for a series, whose scores depend on
    each other."""
    anomalous: NDArray[np.bool_] | None
    """The labels, if they are known."""

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which rows have a score."""
        return np.isfinite(self.scores)

    def reordered(self, order: NDArray[np.intp]) -> AlarmCounts:
        """Return the same for the rows in another order, (n,)."""
        return replace(
            self,
            scores=self.scores[order],
            p_values=self.p_values[order],
            raised=self.raised[order],
            anomalous=None if self.anomalous is None else self.anomalous[order],
        )


@dataclass(frozen=True)
class DetectionFigures:
    """Detection results on labelled rows."""

    normal: int
    anomalies: int
    false_alarms: int
    hits: int
    """Anomalies with an alarm."""
    roc_auc: float | None
    """None if all rows are normal or all are anomalies."""
    average_precision: float | None

    @property
    def precision(self) -> float | None:
        """The fraction of alarms that are anomalies; None without alarms."""
        raised = self.hits + self.false_alarms
        return self.hits / raised if raised else None

    @property
    def recall(self) -> float | None:
        """The fraction of anomalies that raise an alarm; None without anomalies."""
        return self.hits / self.anomalies if self.anomalies else None


@dataclass(frozen=True)
class Curves:
    """ROC and precision-recall curves over all thresholds, in percent, (n, 2) each."""

    roc: NDArray[np.float64]
    """False-positive and true-positive rate."""
    precision_recall: NDArray[np.float64]
    """Recall and precision."""


def look(detector: Any, X: Any, *, y: Any = None) -> AlarmCounts:
    """Score rows `X` with a detector and find its alarms; `y` are the labels."""
    return seen_from(detector, *scored(detector, X), y=y)


def scored(detector: Any, X: Any) -> RowFigures:
    """Return the scores, p-values and thresholds of rows; rows are scored once."""
    scores = np.asarray(detector.anomaly_score(X), dtype=np.float64)
    return RowFigures(
        scores,
        np.asarray(detector.p_values_of(scores), dtype=np.float64),
        np.asarray(detector.thresholds_of(scores, X), dtype=np.float64),
    )


def seen_from(
    detector: Any,
    scores: NDArray[np.float64],
    p_values: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    *,
    y: Any = None,
    fdr: float | None = None,
) -> AlarmCounts:
    """Find the alarms as a detector's ``predict`` does.

    Parameters
    ----------
    detector : AnomalyDetector
    scores, p_values, thresholds : arrays of shape (n,)
        As in `RowFigures`.
    y : array of shape (n,), optional
        The labels.
    fdr : float, optional
        The false discovery rate; by default, each row is compared with its threshold.
    """
    threshold = float(detector.threshold_)
    there = np.isfinite(scores)
    share = None if fdr is None else checks.number("fdr", fdr, above=0, below=1)
    raised = np.zeros(len(scores), dtype=bool)
    if share is None:
        raised[there] = scores[there] > thresholds[there]
    else:
        raised = conformal.discoveries(np.nan_to_num(p_values, nan=1.0), share)
        if there.any():
            threshold = float(scores[raised].min() if raised.any() else scores[there].max())
    return AlarmCounts(
        scores=scores,
        p_values=p_values,
        raised=raised,
        rate=float(detector.false_alarm_rate if share is None else share),
        fdr=fdr is not None,
        threshold=threshold,
        held_out=None if detector.is_series else len(detector.calibration_scores_),
        anomalous=None if y is None else is_anomaly(y, len(scores)),
    )


def is_anomaly(labels: Any, n: int, *, subject: str = "labels") -> Flags:
    """Read labels as True for an anomaly, (n,).

    Parameters
    ----------
    labels : array of shape (n,)
        Booleans, 1 and 0, or -1 for anomalies and 1 for normal rows as `predict` returns them.
    n : int
        The number of rows.
    subject : str
        What error messages call them.

    Raises
    ------
    InvalidData
        The labels have other values, or there is not one label per row.
    """
    given = np.asarray(labels)
    if given.shape != (n,):
        raise InvalidData(
            subject,
            expected=f"one per row, shape ({n},)",
            received=f"shape {given.shape}",
            remedy=f"pass the {subject} of the same rows",
        )
    values = _different(given)
    if values <= {0, 1}:
        return np.asarray(given.astype(np.float64) == 1)
    if values <= {-1, 1}:
        return np.asarray(given.astype(np.float64) == -1)
    raise InvalidData(
        subject,
        expected="1 for an anomaly and 0 for a normal row, or True and False, or -1 and 1",
        received=", ".join(sorted(map(str, values))[:5]),
        remedy="convert them to one of these forms, and leave out rows without a label",
    )


def found(seen: AlarmCounts) -> DetectionFigures | None:
    """Count hits and false alarms among rows with a score; return None without labels."""
    if seen.anomalous is None:
        return None
    scores, anomalous = seen.scores[seen.scored], seen.anomalous[seen.scored]
    raised = seen.raised[seen.scored]
    both = bool(anomalous.any() and not anomalous.all())
    return DetectionFigures(
        normal=int((~anomalous).sum()),
        anomalies=int(anomalous.sum()),
        false_alarms=int((raised & ~anomalous).sum()),
        hits=int((raised & anomalous).sum()),
        roc_auc=float(roc_auc_score(anomalous, scores)) if both else None,
        average_precision=float(average_precision_score(anomalous, scores)) if both else None,
    )


def curves(seen: AlarmCounts) -> Curves | None:
    """Return both curves; None without labels, or if all rows have the same label."""
    if seen.anomalous is None:
        return None
    scores, anomalous = seen.scores[seen.scored], seen.anomalous[seen.scored]
    if anomalous.all() or not anomalous.any():
        return None
    false, true, _ = roc_curve(anomalous, scores)
    precision, recall, _ = precision_recall_curve(anomalous, scores)
    return Curves(
        100 * np.column_stack([false, true]), 100 * np.column_stack([recall, precision])[::-1]
    )


def against_promise(seen: AlarmCounts) -> tuple[bool, str]:
    """Compare the number of alarms with the guarantee, as if all rows were normal.

    Returns
    -------
    (bool, str)
        Whether the number is within the guarantee, and a sentence.
    """
    return promise_met(int(seen.raised.sum()), int(seen.scored.sum()), seen)


def promise_met(raised: int, n: int, seen: AlarmCounts) -> tuple[bool, str]:
    """Do the same for a number of alarms on n rows, of which `seen` may be a part."""
    share = raised / n if n else 0.0
    text = f"{count(raised, 'alarm')} on {count(n, 'row')} ({percent(share)}); "
    if seen.fdr:
        return True, f"{text}at most {percent(seen.rate)} of them are expected to be false."
    if seen.held_out is None:
        text += f"in the long run, at most {percent(seen.rate)} of normal rows raise one."
        return share <= seen.rate, text
    low, high = _expected_range(n, seen)
    return raised <= high, f"{text}on as many normal rows, {_between(low, high)} are expected."


def promise_kept(seen: AlarmCounts, result: DetectionFigures) -> tuple[bool, str]:
    """Check the guaranteed false-alarm rate on rows labelled normal."""
    n, raised = result.normal, result.false_alarms
    share = raised / n if n else 0.0
    low, high = _expected_range(n, seen)
    kept = share <= seen.rate if seen.held_out is None else raised <= high
    text = f"The guarantee of {percent(seen.rate)} false alarms {'holds' if kept else 'fails'}: "
    if seen.held_out is not None:
        text += f"on {count(n, 'normal row')}, {_between(low, high)} expected, {raised:,} occurred."
        return kept, text
    text += f"{percent(share)} of {count(n, 'normal row')} raise one."
    return kept, text if kept else f"{text} They come in runs; a single run may be due to chance."


def _expected_range(n: int, seen: AlarmCounts) -> tuple[int, int]:
    """Return the range that contains the number of alarms on n normal rows in 95 % of cases.

    The threshold is a quantile of a limited number of held-out rows. The fraction of normal rows
    above it is therefore random, with a beta distribution whose mean is the guaranteed rate (Vovk,
    2012, "Conditional validity of inductive conformal predictors").
    """
    held_out = seen.held_out or 0
    above = math.floor(seen.rate * (held_out + 1) + 1e-9)
    if above:
        low, high = betabinom.interval(_SURE, n, above, held_out + 1 - above)
    else:  # the threshold was extrapolated, with an unknown error
        low, high = binom.interval(_SURE, n, seen.rate)
    return int(low), int(high)


def _between(low: int, high: int) -> str:
    return f"{low:,} to {high:,}" if high > low else f"{low:,}"


def told(seen: AlarmCounts, evaluation: AlarmEvaluation | None = None) -> Sequence[str]:
    """Describe the number of alarms and, with labels, the detection results.

    Parameters
    ----------
    seen : AlarmCounts
    evaluation : AlarmEvaluation, optional
        For a labelled series; it is described instead of counts of rows.
    """
    result = found(seen)
    if result is None:
        return [against_promise(seen)[1]]
    kept = [] if seen.fdr or not result.normal else [promise_kept(seen, result)[1]]
    return [*(sentences(result) if evaluation is None else [str(evaluation)]), *kept]


def sentences(result: DetectionFigures) -> Sequence[str]:
    """Describe detection results in plain sentences."""
    said = []
    if result.anomalies:
        said.append(
            f"{result.hits:,} of {count(result.anomalies, 'anomaly', 'anomalies')} found "
            f"(recall {percent(result.recall)})."
        )
    if result.precision is not None:
        raised = result.hits + result.false_alarms
        share = "is an anomaly" if raised == 1 else "are anomalies"
        said.append(
            f"{result.hits:,} of {count(raised, 'alarm')} {share} "
            f"(precision {percent(result.precision)})."
        )
    if result.normal:
        said.append(
            f"{result.false_alarms:,} of {count(result.normal, 'normal row')} "
            f"{'raises' if result.normal == 1 else 'raise'} a false alarm "
            f"({percent(result.false_alarms / result.normal)})."
        )
    if result.roc_auc is not None:
        said.append(
            f"ROC AUC {result.roc_auc:.3f}, average precision {result.average_precision:.3f}."
        )
    return said


def _different(given: NDArray[Any]) -> set[Any]:
    """Return the distinct values; text and missing values are returned unchanged."""
    if given.dtype.kind in "biuf":
        return set(np.unique(given).tolist())
    return set(given.tolist())
