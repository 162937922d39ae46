"""Splits data into rows to train on and held-out rows to evaluate on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidData
from isthmus.core.randomness import generator_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.sample_words import SampleNoun
    from isthmus.data.reading import Dataset

MAX_HELD_OUT = 10_000
_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class RowParts:
    """Rows to train on, held-out rows, and how they were chosen."""

    train: Any
    held_out: Any
    held_out_labels: Any
    origin: str
    """Where the held-out rows came from, as a part of a sentence."""
    train_labels: Any = None
    """The labels of the rows to train on, or their column in these rows."""
    held_out_names: list[str] | None = None
    """The files of held-out images."""
    compared: Any = None
    """Some of the rows to train on, if these are read in batches."""

    @property
    def noun(self) -> SampleNoun:
        """What the rows are called: images if they are files of their own."""
        return "row" if self.held_out_names is None else "image"

    @property
    def count(self) -> int:
        """Number of rows to train on."""
        return len(self.train) if self.compared is None else int(self.train.rows)


def split_rows(dataset: Dataset, *, test: Dataset | None, seed: int) -> RowParts:
    """Choose the rows to hold out from training.

    They are the rows of `test`, else the file's own test rows, else a random tenth of its rows, at
    most 10,000, which depends only on `seed`. Of that tenth, rows with a category that no training
    row has, or with a value in a column that is empty in all training rows, are trained on: a model
    can only be evaluated on what it could learn.

    Raises
    ------
    InvalidData
        There are fewer than two rows.
    """
    if test is not None:
        origin = f"the rows of {test.name}"
        return RowParts(dataset.X, test.X, test.y, origin, dataset.y, test.names)
    if dataset.X_test is not None:
        origin = "the file's own test rows"
        return RowParts(dataset.X, dataset.X_test, dataset.y_test, origin, dataset.y)
    rows = len(dataset.X)
    if rows < 2:
        raise InvalidData(
            dataset.name,
            expected="at least 2 rows, one to train on and one to evaluate on",
            received=f"{rows} row{'' if rows == 1 else 's'}",
            remedy="add rows, or pass a file of test rows with --test",
        )
    order = generator_for(seed, "held-out rows").permutation(rows)
    count = min(max(1, rows // 10), MAX_HELD_OUT)
    # Sorted below, so that a memory-mapped file is read in one direction.
    chosen, train = order[:count], order[count:]
    alone = _hold_unseen(dataset.X, chosen, train)
    if not alone.all():
        chosen, train = chosen[~alone], np.concatenate([train, chosen[alone]])
    held_out, train = np.sort(chosen), np.sort(train)
    return RowParts(
        take(dataset.X, train),
        take(dataset.X, held_out),
        None if dataset.y is None else dataset.y[held_out],
        "chosen at random, never trained on",
        None if dataset.y is None else dataset.y[train],
        None if dataset.names is None else [dataset.names[row] for row in held_out],
    )


def _hold_unseen(X: Any, chosen: NDArray[Any], train: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which chosen rows contain a value that the training rows lack, (len(chosen),)."""
    if isinstance(X, np.ndarray):
        return _hold_unseen_in_array(X, chosen, train)
    found = np.zeros(len(chosen), dtype=bool)
    for column in X.columns:
        found |= _hold_unseen_in_column(column, chosen, train)
    return found


def _hold_unseen_in_array(
    X: NDArray[Any], chosen: NDArray[Any], train: NDArray[Any]
) -> NDArray[np.bool_]:
    empty = np.ones(X.shape[1:], dtype=bool)
    for start in range(0, len(train), _BLOCK_ROWS):
        # x != x is true only for NaN, and defined for every type.
        block = X[train[start : start + _BLOCK_ROWS]]
        empty &= (block != block).all(axis=0)
        if not empty.any():
            return np.zeros(len(chosen), dtype=bool)
    cells = X[chosen][:, empty]
    return np.asarray((cells == cells).any(axis=1))


def _hold_unseen_in_column(
    column: Any, chosen: NDArray[Any], train: NDArray[Any]
) -> NDArray[np.bool_]:
    import pyarrow as pa
    import pyarrow.compute as pc

    from isthmus.data.identifiers import is_identifier

    present = ~np.asarray(column.is_null(nan_is_null=True), dtype=bool)
    if not present[train].any():
        return np.asarray(present[chosen])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    elif not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return np.zeros(len(chosen), dtype=bool)
    known = column.take(train).combine_chunks()
    if is_identifier(pc.count_distinct(known).as_py(), len(known) - known.null_count):
        return np.zeros(len(chosen), dtype=bool)
    seen = np.asarray(pc.is_in(column.take(chosen), value_set=known), dtype=bool)
    return np.asarray(present[chosen] & ~seen)


def take(rows: Any, chosen: Any) -> Any:
    """Return the rows of an array or table at these places."""
    return rows[chosen] if isinstance(rows, np.ndarray) else rows.take(chosen)
