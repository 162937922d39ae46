"""Splits the rows of the matrix into training and validation rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.randomness import generator_for
from isthmus.training.loop import TrainingData

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.training.row_stream import RowStream

# With fewer rows, the validation set would be too small: all rows are used for training.
_FEWEST_TO_PART = 20


def part(
    matrix: Floats,
    schema: Schema,
    labels: Floats | None,
    validation_fraction: float,
    seed: int,
    *,
    inputs: Floats | None = None,
) -> TrainingData:
    """Choose validation rows at random, leaving at least one row for training.

    With labels, at least one row of each class is left for training.

    Parameters
    ----------
    matrix : float32 array of shape (n, *sample_shape)
        The rows to reconstruct, in scaled units.
    schema : Schema
        Of these rows.
    labels : array of shape (n,) or (n, targets), or None
        The encoded labels.
    validation_fraction : float
        Fraction of the rows.
    seed : int
        Determines the rows.
    inputs : float32 array of shape (n, *sample_shape), optional
        What the network sees instead of `matrix`.
    """
    n, names = len(matrix), _cell_names(schema)
    held_out = min(n - 1, round(validation_fraction * n)) if n >= _FEWEST_TO_PART else 0
    if held_out == 0:
        return TrainingData(matrix, np.arange(n), None, names, labels, inputs)
    order = generator_for(seed, "validation").permutation(n)
    if labels is not None:
        order, groups = _with_each_label_last(order, labels)
        held_out = min(held_out, n - groups)
    # Sorted, because reading rows of the matrix in order is faster.
    validation, training = np.sort(order[:held_out]), np.sort(order[held_out:])
    kept = validation if held_out else None
    return TrainingData(matrix, training, kept, names, labels, inputs)


def part_sample(
    matrix: Floats,
    schema: Schema,
    labels: Floats | None,
    validation_fraction: float,
    seed: int,
    *,
    rows: int,
) -> TrainingData:
    """Choose validation rows among a random sample of `rows` rows, at most half of the sample.

    Parameters are as for `part`.
    """
    held_out = min(len(matrix) // 2, round(validation_fraction * rows))
    order = generator_for(seed, "validation").permutation(len(matrix))
    if labels is not None:
        order, groups = _with_each_label_last(order, labels)
        held_out = min(held_out, len(matrix) - groups)
    validation, others = np.sort(order[:held_out]), np.sort(order[held_out:])
    kept = validation if held_out else None
    return TrainingData(matrix, others, kept, _cell_names(schema), labels)


def with_stream(data: TrainingData, stream: RowStream) -> TrainingData:
    """Return data whose training rows are read while training."""
    return replace(data, stream=stream)


def _with_each_label_last(order: NDArray[np.intp], labels: Floats) -> tuple[NDArray[np.intp], int]:
    """Move one row of each group to the end of the order; return it and the number of groups."""
    _, firsts = np.unique(_groups(labels)[order], return_index=True)
    return np.concatenate([np.delete(order, firsts), order[firsts]]), len(firsts)


def _groups(labels: Floats) -> NDArray[np.float32]:
    """Return the class of each row, or 0 for rows with targets; -1 without a label, (n,)."""
    if labels.ndim == 1:
        return np.nan_to_num(labels, nan=-1.0)
    return np.where(np.isnan(labels).all(axis=1), -1.0, 0.0).astype(np.float32)


def _cell_names(schema: Schema) -> tuple[str, ...]:
    """Return the user's column for each cell of a row of the matrix."""
    if not schema.segments:
        return schema.columns
    return tuple(s.name for s in schema.segments for _ in range(s.start, s.stop))
