"""Describes where a non-finite loss occurred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

# Scaled values of ordinary data are far below this.
_LARGE = 20.0


def describe_step(
    epoch: int, step: int, rows: NDArray[np.int32], matrix: Floats, columns: Sequence[str]
) -> str:
    """Return "the loss of epoch 3, batch 17 (...)", naming the column with the largest value.

    Parameters
    ----------
    epoch, step : int
        Counted from 1.
    rows : ndarray of shape (batch_size,)
        Row numbers of the batch.
    matrix : ndarray of shape (n, *sample_shape)
        The scaled data.
    columns : sequence of str
        Names of the cells of a row, flattened; may be empty.
    """
    where = f"the loss of epoch {epoch}, batch {step}"
    cells = np.abs(np.nan_to_num(matrix[rows].reshape(len(rows), -1), nan=0.0))
    row, cell = divmod(int(cells.argmax()), cells.shape[1])
    size = float(cells[row, cell])
    name = repr(columns[cell]) if cell < len(columns) else f"number {cell}"
    if size > _LARGE:
        return f"{where} (column {name} reaches {size:.3g} scaled units in row {rows[row]})"
    return f"{where} (rows {int(rows[0])}, {int(rows[-1])} and others)"
