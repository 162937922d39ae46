"""The scores, p-values and reasons of a detector for the rows of a file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.cli import carried_columns
from isthmus.cli.row_split import take
from isthmus.core import error_context
from isthmus.core.errors import DataWarning
from isthmus.core.name_lists import name_list
from isthmus.core.number_format import number
from isthmus.data import reading
from isthmus.data.formats.image_options import AS_STORED
from isthmus.engines.alarms import alarm_table, top_columns
from isthmus.evaluation.alarm_evaluation import RowFigures, promise_met, scored, seen_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from isthmus.anomaly.drift import Drift
    from isthmus.cli.series_files import SeriesFile
    from isthmus.data.formats.image_options import ImageOptions
    from isthmus.evaluation.alarm_evaluation import AlarmCounts

_FEWEST_COMPARED, _MOST_COMPARED = 20, 2_000
"""Rows of a batch that are compared with the training rows."""
_ALPHA = 1e-3


@dataclass(frozen=True, eq=False)
class DetectorScan:
    """The results of a detector for the rows of a file.

    Parameters
    ----------
    scored : RowFigures
        The scores, p-values and thresholds.
    top : list of str
        For rows that may raise an alarm, the columns that contribute most; "" for other rows.
    carried : pyarrow.Table or None
        The columns that the detector was not fitted on, or the file names of images.
    labels : array of shape (n,) or None
        Whether each row is an anomaly.
    drifts : list of Drift
        Comparisons of some rows of each batch with the training rows.
    """

    scored: RowFigures
    top: list[str]
    carried: pa.Table | None
    labels: NDArray[Any] | None
    drifts: list[Drift] = field(default_factory=list)

    def table(self, seen: AlarmCounts, start: int = 0) -> pa.Table:
        """Return one line for each row, from the number `start`; carried columns come first."""
        found = alarm_table(seen, self.top)
        found = found.add_column(0, "row", pa.array(np.arange(start, start + len(found))))
        if self.carried is None:
            return found
        return carried_columns.restore(self.carried, self.carried.column_names, found)


def scan(
    detector: Any,
    path: Path,
    label: str | None,
    *,
    max_p_value: float,
    images: ImageOptions = AS_STORED,
) -> DetectorScan:
    """Score a file in batches.

    Parameters
    ----------
    detector : AnomalyDetector
        A detector of rows.
    path : Path
        The file.
    label : str or None
        The column of labels.
    max_p_value : float
        The reasons of rows with a larger p-value are only computed if their score is above the
        threshold.
    images : ImageOptions
        How the images of a folder are read; their names become a carried column.
    """
    parts = list(_scans(detector, path, label, max_p_value, images))
    carried = None
    if parts[0].carried is not None:
        carried = pa.concat_tables([part.carried for part in parts])
    return DetectorScan(
        RowFigures(*map(np.concatenate, zip(*(part.scored for part in parts), strict=True))),
        [text for part in parts for text in part.top],
        carried,
        None if label is None else np.concatenate([part.labels for part in parts]),
        [each for part in parts for each in part.drifts],
    )


class BatchAlarms:
    """The alarms of a detector of rows in a file, for which no batch is held.

    Parameters
    ----------
    detector, path, images
        As for `scan`.
    """

    def __init__(self, detector: Any, path: Path, images: ImageOptions) -> None:
        self._arguments = (detector, path, None, detector.false_alarm_rate, images)
        self._raised = 0
        self._rows = 0
        self._last: AlarmCounts | None = None
        self._drifts: list[Drift] = []

    def tables(self) -> Iterator[pa.Table]:
        """Yield one line for each row, a batch at a time."""
        for part in _scans(*self._arguments):
            self._last = seen_from(self._arguments[0], *part.scored)
            yield part.table(self._last, self._rows)
            self._rows += len(part.top)
            self._raised += int(self._last.raised.sum())
            self._drifts += part.drifts

    def told(self) -> list[str]:
        """Describe the number of alarms, after all tables."""
        if self._last is None:
            return []
        promise = promise_met(self._raised, self._rows, self._last)[1]
        return [promise, *filter(None, [shift(self._drifts)])]


def _scans(
    detector: Any, path: Path, label: str | None, max_p_value: float, images: ImageOptions
) -> Iterator[DetectorScan]:
    """Score a file, a batch at a time."""
    names = reading.image_names(path)
    for start, whole in batches(detector, path, images):
        extra = carried_columns.unknown(detector, whole)
        rows = carried_columns.without(whole, extra)
        with error_context.adding(error_context.batch_name(path.name, start, len(rows))):
            labels = None if label is None else _labels(path, whole, label)
            carried = whole.select(extra) if extra else None
            if names is not None:
                carried = pa.table({"file": names[start : start + len(rows)]})
            found = _scan_rows(detector, rows, carried, labels, max_p_value)
            yield replace(found, drifts=_drift(detector, rows))


def scan_series(detector: Any, S: SeriesFile, *, max_p_value: float) -> DetectorScan:
    """Score a series."""
    return _scan_rows(detector, S.rows, S.carried, S.labels, max_p_value)


def batches(
    detector: Any, path: Path, images: ImageOptions = AS_STORED
) -> Iterator[tuple[int, Any]]:
    """Read a file in batches; yield the number of the first row, and the rows."""
    start, noted = 0, False
    for rows in reading.stream(path, text=detector.schema_.text_options, images=images):
        extra = carried_columns.unknown(detector, rows)
        if extra and not noted:
            noted = True
            warnings.warn(
                f"The detector was not fitted on {name_list(extra)}; passed on unchanged.",
                DataWarning,
                stacklevel=2,
            )
        yield start, rows
        start += len(rows)


def _drift(detector: Any, rows: Any) -> list[Drift]:
    """Compare a batch with the training rows, by a sample of it; too few rows show nothing."""
    count = len(rows)
    if count < _FEWEST_COMPARED or not hasattr(detector, "drift"):
        return []
    chosen = np.arange(0, count, max(1, count // _MOST_COMPARED))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # given for the whole batch already
        return [detector.drift(take(rows, chosen))]


def shift(drifts: list[Drift]) -> str:
    """Return a sentence if a batch differs from the training rows, "" otherwise.

    The false-alarm rate is not guaranteed for such rows.
    """
    if not drifts:
        return ""
    worst = min(drifts, key=lambda each: each.score)
    p_value = min(1.0, len(drifts) * worst.score)
    if p_value >= _ALPHA:
        return ""
    name = min(worst.columns, key=worst.columns.__getitem__)
    return (
        f"The rows differ from the training rows (p = {number(p_value, 2)}; most in {name!r}), so "
        "the false-alarm rate is not guaranteed for them. Unless they contain many anomalies, fit "
        "again with recent normal rows."
    )


def _labels(path: Path, rows: Any, name: str) -> NDArray[Any]:
    purpose = "says which rows are anomalies"
    return carried_columns.option_column(path, rows, name, option="--label", purpose=purpose)


def _scan_rows(
    detector: Any,
    rows: Any,
    carried: pa.Table | None,
    labels: NDArray[Any] | None,
    max_p_value: float,
) -> DetectorScan:
    found = scored(detector, rows)
    with np.errstate(invalid="ignore"):
        candidates = (found.p_values <= max_p_value) | (found.scores > found.thresholds)
    top = top_columns(detector, rows, candidates)
    return DetectorScan(found, top, carried, labels)
