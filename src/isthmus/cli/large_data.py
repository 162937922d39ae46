"""Rows to train on, and held-out rows, of data that are larger than memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.cli.row_split import MAX_HELD_OUT, RowParts, take
from isthmus.core.errors import InvalidParameter
from isthmus.core.randomness import generator_for
from isthmus.data.reading import Dataset, label_values
from isthmus.data.sources import opening
from isthmus.data.sources.selection import mapped, sampled, without_rows

if TYPE_CHECKING:
    from pathlib import Path

    from isthmus.cli.column_options import ColumnOptions
    from isthmus.data.sources.selection import SampledRows
    from isthmus.data.sources.source import BatchSource

_COMPARED = 50_000
"""Training rows that PCA is fitted to."""


def large_source(path: Path, files: ColumnOptions) -> BatchSource | None:
    """Return the files of a path as a source if their rows do not fit in memory, else None."""
    return opening.large_source(path, text=files.text(), images=files.images)


def split_source(
    source: BatchSource,
    path: Path,
    label: str | None,
    files: ColumnOptions,
    *,
    test: Dataset | None,
    seed: int,
    supervised: bool,
) -> RowParts:
    """Choose the rows to hold out, in one pass; they are at most 10,000, as in `split_rows`.

    Parameters
    ----------
    source : BatchSource
        The rows.
    path : Path
        Names them in messages.
    label : str, optional
        The column of labels, which is not reconstructed.
    files : ColumnOptions
        What the user said about the columns.
    test : Dataset, optional
        Other rows to evaluate on.
    seed : int
        Determines which rows are held out.
    supervised : bool
        Whether labels are learned: then they stay in the rows to train on.
    """
    found = sampled(source, MAX_HELD_OUT + _COMPARED)
    labels = _labels(found.rows, label, path)
    order = generator_for(seed, "held-out rows").permutation(len(found.numbers))
    count = (
        0 if test is not None else max(1, len(order) * MAX_HELD_OUT // (MAX_HELD_OUT + _COMPARED))
    )
    held_out, others = np.sort(order[:count]), np.sort(order[count:])
    rest = without_rows(source, found.part_rows, found.numbers[held_out])

    def learned(rows: Any) -> Any:
        return files.chosen(path, _without(rows, label))

    train_labels = label if supervised else None

    def with_labels(rows: Any) -> Any:
        kept = learned(rows)
        if train_labels is None:
            return kept
        return kept.append_column(train_labels, rows.column(train_labels))

    train = mapped(rest, with_labels)
    compared = learned(take(found.rows, others))
    if test is not None:
        return RowParts(
            train, test.X, test.y, f"the rows of {test.name}", train_labels, test.names, compared
        )
    rows = take(found.rows, held_out)
    return RowParts(
        train,
        learned(rows),
        None if labels is None else labels[held_out],
        "chosen at random, never trained on",
        train_labels,
        compared=compared,
    )


def sample_dataset(
    source: BatchSource, path: Path, label: str | None, files: ColumnOptions, most_rows: int
) -> tuple[Dataset, SampledRows]:
    """Return a random sample of the rows, as a file that has only these."""
    found = sampled(source, most_rows)
    rows = files.chosen(path, _without(found.rows, label))
    dataset = Dataset(path.name, rows, _labels(found.rows, label, path))
    return dataset, found


def _without(rows: Any, label: str | None) -> Any:
    if label is None or not isinstance(rows, pa.Table) or label not in rows.column_names:
        return rows
    return rows.drop_columns([label])


def _labels(rows: Any, label: str | None, path: Path) -> Any:
    if label is None:
        return None
    if label not in getattr(rows, "column_names", []):
        raise InvalidParameter(
            "label",
            expected=f"a column of {path.name}",
            received=repr(label),
            remedy="give the name of the column of labels",
        )
    return label_values(rows, label)
