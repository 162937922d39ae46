"""The error of a reconstruction, per column and per row.

Both are computed on scaled values, so that no column outweighs another by its unit. A categorical
column counts once, whatever its number of categories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.core.types import Segment

_BLOCK = 1 << 20
"""Cells that `row_errors` handles at a time; a float64 copy of one block is 8 MiB."""


def cell_errors(
    target: NDArray[Any], prediction: NDArray[Any], segments: Sequence[Segment] = ()
) -> NDArray[np.float64]:
    """Return the squared error of every column of every row.

    Parameters
    ----------
    target, prediction : ndarray of shape (n, *sample_shape)
        Scaled values; a NaN in `target` marks a missing cell. Predictions of categorical and
        binary cells are probabilities.
    segments : sequence of Segment
        The columns of a table's matrix, contiguous and in order; empty for arrays.

    Returns
    -------
    ndarray of shape (n, columns)
        Numeric and binary columns: squared difference. Categorical columns: half the squared
        distance of the two probability vectors, in [0, 1] (the Brier score's multi-class form).
        Without segments, each cell is a column. NaN where the target is missing.
    """
    rows = len(target)
    width = int(np.prod(np.shape(target)[1:]))
    errors: NDArray[np.float64] = np.array(target, dtype=np.float64).reshape(rows, width)
    errors -= np.reshape(prediction, (rows, width))
    np.square(errors, out=errors)
    if not any(segment.kind == "categorical" for segment in segments):
        return errors
    starts = [segment.start for segment in segments]
    columns: NDArray[np.float64] = np.add.reduceat(errors, starts, axis=1)
    columns[:, [segment.kind == "categorical" for segment in segments]] *= 0.5
    return columns


def row_errors(
    target: NDArray[Any], prediction: NDArray[Any], segments: Sequence[Segment] = ()
) -> NDArray[np.float64]:
    """Return the mean of a row's `cell_errors` over its observed columns.

    Parameters
    ----------
    target, prediction, segments
        As for `cell_errors`.

    Returns
    -------
    ndarray of shape (n,)
        At least 0; higher is worse; 0 for a row with no observed cell.
    """
    result = np.zeros(len(target))
    step = max(1, _BLOCK // max(1, int(np.prod(np.shape(target)[1:]))))
    for start in range(0, len(target), step):
        rows = slice(start, start + step)
        errors = cell_errors(target[rows], prediction[rows], segments)
        missing = _missing(np.asarray(target[rows]), segments)
        errors[missing] = 0.0
        observed = errors.shape[1] - missing.sum(axis=1)
        result[rows] = errors.sum(axis=1) / np.maximum(observed, 1)
    return result


def without_padding(prediction: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    """Return reconstructed sequences with NaN after the end of each.

    Parameters
    ----------
    prediction, target : ndarray of shape (n, time, channels)
        A sequence of `target` ends before its last steps that are NaN in all channels.
    """
    empty = np.isnan(target).all(axis=2)
    padding = np.logical_and.accumulate(empty[:, ::-1], axis=1)[:, ::-1]
    return np.where(padding[:, :, None], np.float32(np.nan), prediction)


def _missing(target: NDArray[Any], segments: Sequence[Segment]) -> NDArray[np.bool_]:
    """Mark the missing columns of each row; a missing category is NaN in all of its cells."""
    flat = target.reshape(len(target), -1)
    if segments:
        flat = flat[:, [segment.start for segment in segments]]
    return np.asarray(np.isnan(flat))
