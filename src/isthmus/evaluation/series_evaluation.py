"""Evaluates the scores and the alarms of a series against labels.

Alarms are never adjusted to the labels. With point adjustment, which counts all rows of an anomaly
as found as soon as one is, random scores can be better than published detectors (Kim et al., 2022,
"Towards a Rigorous Evaluation of Time-Series Anomaly Detection").
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidData
from isthmus.data.fleet import as_fleet
from isthmus.data.sensor_series import as_series
from isthmus.estimators import parameter_checks
from isthmus.evaluation import alarm_inputs
from isthmus.evaluation.range_metrics import range_precision, range_recall
from isthmus.evaluation.row_times import row_times, time_order, times_of_intervals
from isthmus.evaluation.runs import Runs, flags_of, overlaps, runs
from isthmus.evaluation.series_figures import AlarmEvaluation
from isthmus.evaluation.unit_rows import UnitRows
from isthmus.evaluation.vus import surface_volumes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.intervals import Intervals
    from isthmus.core.types import RowNumbers
    from isthmus.evaluation.alarm_evaluation import AlarmCounts
    from isthmus.evaluation.row_times import Times

_BUFFER, _LONGEST_BUFFER = 100, 10_000


def evaluate_alarms(
    labels: Any,
    scores: Any = None,
    intervals: Any = None,
    *,
    times: Any = None,
    units: Any = None,
    buffer: int = _BUFFER,
) -> AlarmEvaluation:
    """Evaluate the scores and the alarms of a series, or of those of several units.

    The figures are those of events, ranges and single rows, the delay, the number of false alarms,
    and the volumes under the surface, which need no threshold. There is no point adjustment: with
    it, random scores can win (Kim et al., 2022).

    Parameters
    ----------
    labels : array of shape (n,), or sequence of (start, end)
        For each row, whether it is anomalous: booleans, 1 and 0, or -1 for anomalies and 1 for
        normal rows. Or windows, which include both ends: row numbers, or times. Windows that
        overlap or adjoin are one anomaly.
    scores : array of shape (n,), optional
        Higher is more anomalous. NaN, for a row without a score, counts as the lowest score.
        Without scores, there are no volumes under the surface.
    intervals : Intervals or array of shape (n,), optional
        The alarms: the result of a detector's ``intervals``, or whether each row raises one, as
        booleans, 1 and 0, or -1 and 1 as from `predict`; consecutive rows are one alarm. Without
        alarms, there are only the volumes under the surface.
    times : array of shape (n,), optional
        Dates or durations, in order. By default, times of evenly spaced rows that agree with those
        of the intervals, if they have any. Times with a zone are converted to UTC.
    units : array of shape (n,), optional
        The unit of each row of a fleet, as text or integers. Anomalies and alarms are then those
        within units, of which rows are put in order of time; labels are one per row. The result
        has the figures of each unit, too.
    buffer : int, default=100
        The longest buffer of VUS-PR and VUS-ROC, in rows, half of it on either side of an anomaly.
        Longer buffers give higher values; compare only figures with the same one.

    Raises
    ------
    InvalidData
        There are no scores and no alarms, or labels, scores, alarms or times are not valid or not
        of the same series.
    InvalidParameter
        `buffer` is not an integer of at least 0.

    Examples
    --------
    >>> import isthmus as ist
    >>> labels = [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    >>> alarms = [0, 1, 0, 0, 1, 1, 1, 0, 0, 0]
    >>> result = ist.evaluate_alarms(labels, intervals=alarms)
    >>> result.found, result.false_alarms, result.median_delay_rows
    (1, 1, 1.0)
    """
    longest = parameter_checks.count("buffer", buffer, at_least=0, at_most=_LONGEST_BUFFER)
    if scores is None and intervals is None:
        raise InvalidData(
            "evaluate_alarms",
            expected="scores, alarms or both",
            received="neither",
            remedy="pass the detector's anomaly_score(X) and intervals(X)",
        )
    n = alarm_inputs.row_count(labels, scores, intervals, times)
    if units is not None:
        rows = UnitRows.of(units, times, n)
        return _of_units(rows, alarm_inputs.row_labels(labels, n), scores, intervals, longest)
    if times is not None:
        clock: Times | None = row_times(times, n)
    else:
        clock = times_of_intervals(intervals, n) if alarm_inputs.is_intervals(intervals) else None
    anomalous = alarm_inputs.labelled(labels, n, clock)
    values = None if scores is None else alarm_inputs.as_scores(scores, n)
    alarms = None if intervals is None else alarm_inputs.alarm_runs(intervals, n)
    return _evaluated(anomalous, values, alarms, clock, longest, np.zeros(1, dtype=np.int64))


def evaluate_series(
    detector: Any, X: Any, seen: AlarmCounts, intervals: Intervals
) -> AlarmEvaluation | None:
    """Evaluate what a detector found in a series, or in those of units; None without labels.

    Parameters
    ----------
    detector : AnomalyDetector
        A detector of series.
    X : series
        As given to the detector; its times are used.
    seen : AlarmCounts
        The scores, alarms and labels.
    intervals : Intervals
        The detector's intervals. Alarms chosen by a false discovery rate are not merged into
        intervals, and are evaluated instead of these; so are those of rows not in order of time.
    """
    if seen.anomalous is None:
        return None
    if detector.group is not None:
        fleet = as_fleet(X, detector.group, ())
        times = None if fleet.ticks is None else fleet.ticks.astype("m8[us]")
        rows = UnitRows(fleet.names, fleet.bounds, fleet.order, times)
        found = seen.raised if seen.fdr else intervals
        return _of_units(rows, seen.anomalous, seen.scores, found, _BUFFER)
    times = as_series(X, ()).times
    order = time_order(times)
    if times is not None and order is not None:
        seen, times = seen.reordered(order), times[order]
    alarms = intervals if order is None and not seen.fdr else seen.raised
    return evaluate_alarms(seen.anomalous, seen.scores, alarms, times=times)


def _of_units(
    rows: UnitRows, labels: NDArray[np.bool_], scores: Any, alarms: Any, longest: int
) -> AlarmEvaluation:
    """Return the figures of a fleet, and of each unit; arguments are in the user's order."""
    n, starts = len(labels), rows.bounds[:-1]
    anomalous = labels[rows.order]
    values = None if scores is None else alarm_inputs.as_scores(scores, n)[rows.order]
    found = None
    if alarm_inputs.is_intervals(alarms):
        found = rows.places_of(alarms)
    elif alarms is not None:
        found = runs(alarm_inputs.row_labels(alarms, n, "intervals")[rows.order], starts)
    each = {}
    for name, (first, stop) in zip(rows.names, pairwise(rows.bounds.tolist()), strict=True):
        own = slice(first, stop)
        each[name] = _evaluated(
            anomalous[own],
            None if values is None else values[own],
            None
            if found is None
            else found[slice(*np.searchsorted(found[:, 0], [first, stop]))] - first,
            None if rows.times is None else rows.times[own],
            longest,
            np.zeros(1, dtype=np.int64),
        )
    return replace(_evaluated(anomalous, values, found, rows.times, longest, starts), units=each)


def _evaluated(
    anomalous: NDArray[np.bool_],
    scores: NDArray[np.float64] | None,
    alarms: Runs | None,
    times: Times | None,
    longest: int,
    starts: RowNumbers,
) -> AlarmEvaluation:
    """Return the figures of the rows of units, which begin at `starts`."""
    result = AlarmEvaluation(
        rows=len(anomalous),
        normal_rows=int((~anomalous).sum()),
        anomalies=len(runs(anomalous, starts)),
        buffer=longest,
    )
    labelled = anomalous.any() and not anomalous.all()
    if scores is not None and labelled and not np.isnan(scores).all():
        volumes = surface_volumes(anomalous, scores, longest, starts)
        result = replace(result, vus_pr=volumes.pr, vus_roc=volumes.roc)
    return result if alarms is None else _with_alarms(result, anomalous, alarms, times, starts)


def _with_alarms(
    result: AlarmEvaluation,
    anomalous: NDArray[np.bool_],
    alarms: Runs,
    times: Times | None,
    starts: RowNumbers,
) -> AlarmEvaluation:
    """Return the result with the figures about alarms."""
    n, anomalies = len(anomalous), runs(anomalous, starts)
    raised = flags_of(alarms, n)
    hits, normal = int((raised & anomalous).sum()), result.normal_rows
    rate = _ratio(raised.sum() - hits, normal)
    found = overlaps(anomalies, alarms).many > 0
    false_alarms = int((overlaps(alarms, anomalies).many == 0).sum())
    precision = _ratio(found.sum(), found.sum() + false_alarms)
    delay_rows, delay = _median_delay(anomalies, alarms, times)
    return replace(
        result,
        alarms=len(alarms),
        found=int(found.sum()),
        false_alarms=false_alarms,
        event_precision=None if precision is None else precision * (1 - (rate or 0.0)),
        event_recall=_ratio(found.sum(), len(anomalies)),
        range_precision=range_precision(anomalies, alarms, n),
        range_recall=range_recall(anomalies, alarms, n),
        point_precision=_ratio(hits, raised.sum()),
        point_recall=_ratio(hits, anomalous.sum()),
        false_alarm_rate=rate,
        median_delay_rows=delay_rows,
        median_delay=delay,
        false_alarms_per_day=_ratio(false_alarms, _normal_days(anomalous, times, starts)),
        false_alarms_per_1000_rows=_ratio(1000 * false_alarms, normal),
    )


def _median_delay(
    anomalies: Runs, alarms: Runs, times: Times | None
) -> tuple[float | None, datetime.timedelta | None]:
    """Return the median delay of found anomalies in rows, and in time."""
    first, many = overlaps(anomalies, alarms)
    starts = anomalies[many > 0, 0]
    if not len(starts):
        return None, None
    noticed = np.maximum(alarms[first[many > 0], 0], starts)
    rows = float(np.median(noticed - starts))
    if times is None:
        return rows, None
    microseconds = (times[noticed] - times[starts]).astype("m8[us]").astype(np.int64)
    return rows, datetime.timedelta(microseconds=float(np.median(microseconds)))


def _normal_days(anomalous: NDArray[np.bool_], times: Times | None, starts: RowNumbers) -> float:
    """Return the time that is not labelled as an anomaly, in days; 0 if it is unknown.

    A row lasts until the next one, and the last row of a unit as long as the median of the others.
    """
    if times is None or len(times) == len(starts):
        return 0.0
    lasting = np.append(np.diff(times) / np.timedelta64(1, "D"), np.nan)
    lasting[starts[1:] - 1] = np.nan
    lasting = np.where(np.isnan(lasting), np.nanmedian(lasting), lasting)
    return float(lasting[~anomalous].sum())


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
