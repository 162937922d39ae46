"""Sources whose rows have labels: in a column, or yielded beside the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.core.errors import InvalidData
from isthmus.core.name_lists import name_list
from isthmus.data.frames import is_table
from isthmus.data.reading import label_values
from isthmus.data.sources.source import BatchSource, Part, RowForm, Rows, as_rows, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    OnLabels = Callable[[NDArray[Any], int], None]


@dataclass(frozen=True, eq=False)
class LabelledSource:
    """A source of rows and their labels.

    Parameters
    ----------
    source : BatchSource
        Its batches are tables, or pairs of rows and labels.
    column : str or None
        The column of labels of tables; None for pairs.
    """

    source: BatchSource
    column: str | None = None

    @cached_property
    def rows(self) -> BatchSource:
        """The rows without labels.

        Raises
        ------
        InvalidData
            There is no such column, or it is the only one.
        """
        form = None if self.column is None else self._form_without(self.column)
        return self._source(form, None)

    def observed(self, on_labels: OnLabels) -> BatchSource:
        """Return the rows as a source that calls a function with the labels of what it reads.

        Parameters
        ----------
        on_labels : callable
            Called with the labels of a batch and the number of its rows, in the order of the rows.
        """
        return self._source(self.rows.form, on_labels)

    def read_at_most(self, most_bytes: int) -> tuple[Rows, NDArray[Any]] | None:
        """Return rows and labels if the rows' matrix has at most so many bytes; else None."""
        labels: list[NDArray[Any]] = []
        held, count = [], 0
        observed = self.observed(lambda found, _: labels.append(found))
        for batch in observed.stream(1 << 14):
            held.append(batch)
            count += 4 * len(batch) * math.prod(observed.form.sample_shape)
            if count > most_bytes:
                return None
        return joined(held), np.concatenate(labels)

    def _source(self, form: RowForm | None, on_labels: OnLabels | None) -> BatchSource:
        source = self.source

        def part_of(part: Part) -> Part:
            def batches() -> Iterator[Any]:
                for batch in part.open():
                    rows, labels = self._split(batch)
                    if on_labels is not None:
                        on_labels(labels, len(rows))
                    yield rows

            return Part(part.name, batches, part.rows)

        return BatchSource(
            source.name,
            tuple(map(part_of, source.parts)),
            form,
            source.container,
            source.bytes_in_memory,
        )

    def _split(self, batch: Any) -> tuple[Rows, NDArray[Any]]:
        if self.column is not None:
            table = self.source.form.fitted(as_rows(batch))
            return table.drop_columns([self.column]), label_values(table, self.column)
        if not is_pair(batch):
            raise InvalidData(
                "a batch",
                expected="a pair of rows and labels, like the first batch",
                received=type(batch).__name__,
                remedy="yield (X, y) for every batch; None or NaN marks a missing label",
            )
        rows, labels = as_rows(batch[0]), as_labels(batch[1])
        if len(labels) != len(rows):
            raise InvalidData(
                "a batch",
                expected=f"one label for each of its {len(rows)} rows",
                received=f"{len(labels)} labels",
                remedy="yield pairs (X, y) of the same length",
            )
        return rows, labels

    def _form_without(self, column: str) -> RowForm:
        columns = self.source.form.columns
        names = [] if columns is None else columns.names
        if columns is None or column not in names:
            raise _no_such_column(column, names)
        if len(names) == 1:
            raise InvalidData(
                self.source.name,
                expected="columns beside that of the labels",
                received=f"only {column!r}",
                remedy="pass data with columns to learn from",
            )
        left = pa.schema([field for field in columns if field.name != column])
        return RowForm(left, (len(left),))


def with_labels(source: BatchSource) -> LabelledSource | None:
    """Return a source whose batches are pairs of rows and labels; None if they are not."""
    for part in source.parts:
        for batch in part.open():
            return LabelledSource(source) if is_pair(batch) else None
    return None


def is_pair(batch: Any) -> bool:
    """Whether a batch is a pair of rows and labels."""
    return isinstance(batch, tuple) and len(batch) == 2


def as_labels(labels: Any) -> NDArray[Any]:
    """Return labels as an array; a list keeps its types, which NumPy would make texts."""
    return np.asarray(labels, dtype=object if isinstance(labels, (list, tuple)) else None)


def split_table(table: Any, column: str) -> tuple[Any, NDArray[Any]]:
    """Return a table in memory without a column, and the values of the column.

    Raises
    ------
    InvalidData
        There is no such column.
    """
    names = list(getattr(table, "column_names", getattr(table, "columns", [])))
    if not is_table(table) or column not in names:
        raise _no_such_column(column, names if is_table(table) else [])
    if isinstance(table, pa.Table):
        return table.drop_columns([column]), label_values(table, column)
    labels = as_labels(table[column].to_numpy())
    if type(table).__module__.startswith("polars"):
        return table.drop(column), labels
    return table.drop(columns=column), labels


def _no_such_column(column: str, names: list[Any]) -> InvalidData:
    return InvalidData(
        "y",
        expected=f"one of the columns {name_list(names)}" if names else "labels, one for each row",
        received=repr(column),
        remedy="pass the name of the column of labels"
        if names
        else "pass the labels themselves: only columns of tables have names",
    )
