"""The rows that an estimator is fitted on: in memory, or read in batches."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from isthmus.core import processes
from isthmus.core.errors import InvalidData
from isthmus.data.sources.shuffled_rows import ShuffledRows
from isthmus.data.sources.summary import SourceSummary, summarise
from isthmus.estimators import input_checks, resolved_settings, row_split, warm_start
from isthmus.estimators.streamed_labels import ClassReader, TargetReader
from isthmus.training.devices import Devices
from isthmus.training.progress import RowCount
from isthmus.training.row_stream import chunk_rows

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.data.sources.labelled import LabelledSource
    from isthmus.data.sources.source import BatchSource
    from isthmus.estimators.labels import Labelling
    from isthmus.estimators.streamed_labels import StoredLabels
    from isthmus.training.interrupt import Interrupt
    from isthmus.training.loop import TrainingData


@dataclass(frozen=True, eq=False)
class FitRows:
    """The rows of a fit.

    Attributes
    ----------
    schema : Schema
        The schema of the rows.
    matrix : ndarray of float32, shape (n, *sample_shape)
        The rows in scaled units; a random sample of them if they are read in batches.
    labels : ndarray, optional
        Their encoded labels.
    inputs : ndarray of float32, optional
        What the network sees instead of `matrix`.
    summary : SourceSummary, optional
        Where all rows are, if they are read in batches.
    stored_labels : StoredLabels, optional
        The labels of all rows, if they are read in batches.
    """

    schema: Schema
    matrix: Floats
    labels: Floats | None = None
    inputs: Floats | None = None
    summary: SourceSummary | None = None
    stored_labels: StoredLabels | None = None

    @property
    def every_label(self) -> Floats | None:
        """The encoded labels of all rows."""
        return self.labels if self.stored_labels is None else self.stored_labels.of(slice(None))

    @property
    def count(self) -> int:
        """Number of all rows."""
        return len(self.matrix) if self.summary is None else self.summary.rows

    def training_data(self, fraction: float, seed: int, batch_size: int) -> TrainingData:
        """Split the rows; parameters as for `isthmus.estimators.row_split.part`."""
        if self.summary is None:
            return row_split.part(
                self.matrix, self.schema, self.labels, fraction, seed, inputs=self.inputs
            )
        data = row_split.part_sample(
            self.matrix, self.schema, self.labels, fraction, seed, rows=self.count
        )
        held_out = self.summary.numbers[[] if data.validation is None else data.validation]
        cells = math.prod(self.schema.sample_shape)
        stored = self.stored_labels
        batch_size = Devices.available().rounded(batch_size)
        stream = ShuffledRows(
            self.summary,
            self.schema,
            held_out,
            seed=seed,
            chunk_rows=chunk_rows(batch_size, cells, self.count - len(held_out)),
            # Each process has all labels, so each reads all rows.
            group=(processes.index(), processes.count()) if stored is None else (0, 1),
            labels_of=None if stored is None else stored.of,
        )
        return row_split.with_stream(data, stream)


def summarised(estimator: Any, source: BatchSource, y: Any, interrupt: Interrupt) -> FitRows:
    """Read a source once, and learn its schema unless there is one to go on with.

    Raises
    ------
    InvalidData, UnreadableFile
        The rows cannot be read or learned, or there are labels or clean samples that are not part
        of the source.
    KeyboardInterrupt
        Ctrl-C was pressed.
    """
    if estimator.supervised:
        raise InvalidData(
            "y",
            expected="the name of a column of the data, or batches that are pairs (X, y), as the "
            "rows do not fit in memory",
            received="nothing" if y is None else type(y).__name__,
            remedy="pass y='column', a function that yields pairs, or fewer rows",
        )
    if y is not None:
        raise InvalidData(
            source.name,
            expected="rows that fit in memory, because labels or clean samples are given, too",
            received="more than that",
            remedy="pass fewer rows, or leave y out",
        )
    return _summarised(estimator, source, interrupt)


def summarised_with_labels(
    estimator: Any, source: LabelledSource, interrupt: Interrupt, known: Labelling | None
) -> tuple[FitRows, Labelling]:
    """Read a source once, and learn its schema and its labels.

    Parameters
    ----------
    known : Classes, Targets or None
        Of an earlier fit, to go on with.

    Raises
    ------
    InvalidData, UnreadableFile
        Rows or labels cannot be read or learned.
    KeyboardInterrupt
        Ctrl-C was pressed.
    """
    reader = ClassReader() if estimator.task == "classification" else TargetReader()
    rows = _summarised(estimator, source.observed(reader.add), interrupt, divided=False)
    if rows.summary is None:
        raise AssertionError("rows of a source have a summary")
    labelling, stored = reader.result(known)
    labelled = replace(
        rows,
        labels=stored.of(rows.summary.numbers),
        summary=replace(rows.summary, source=source.rows),
        stored_labels=stored,
    )
    return labelled, labelling


def _summarised(
    estimator: Any, source: BatchSource, interrupt: Interrupt, *, divided: bool = True
) -> FitRows:
    with RowCount(shown=bool(estimator.verbose)) as count:

        def on_rows(rows: int) -> None:
            interrupt.raise_if_requested()
            count.show(rows)

        summary = summarise(source, on_rows=on_rows, divided=divided)
    if warm_start.applies(estimator):
        schema = warm_start.schema_of(estimator)
    else:
        series = resolved_settings.is_for_series(estimator)
        schema = summary.schema(scale=estimator.scale, unknown=estimator.unknown, series=series)
        extended = schema.to_matrix(summary.extended)
        schema = resolved_settings.values_for_loss(estimator, schema, extended)
    input_checks.remember_columns(estimator, schema)
    return FitRows(schema, schema.to_matrix(summary.sample), summary=summary)
