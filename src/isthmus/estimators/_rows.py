"""Rows of the matrix: which to learn from and which to validate by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.randomness import generator_for
from isthmus.training.loop import TrainingData

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema

# With fewer rows, a validation share would be too small to choose by: all are trained on.
_FEWEST_TO_PART = 20


def part(matrix: Floats, schema: Schema, validation_fraction: float, seed: int) -> TrainingData:
    """Choose the rows to validate by, at random; at least one row is left to learn from."""
    n, names = len(matrix), _cell_names(schema)
    held_out = min(n - 1, round(validation_fraction * n)) if n >= _FEWEST_TO_PART else 0
    if held_out == 0:
        return TrainingData(matrix, np.arange(n), None, names)
    order = generator_for(seed, "validation").permutation(n)
    # In order, since reading rows of the matrix forwards is quicker.
    return TrainingData(matrix, np.sort(order[held_out:]), np.sort(order[:held_out]), names)


def _cell_names(schema: Schema) -> tuple[str, ...]:
    """Return the person's column for each cell of a row of the matrix."""
    if not schema.segments:
        return schema.columns
    return tuple(s.name for s in schema.segments for _ in range(s.start, s.stop))
