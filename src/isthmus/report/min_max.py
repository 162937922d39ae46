"""The lowest and the highest value of consecutive rows: drawings of these show every extreme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def bucket_starts(n: int, size: int, cuts: ArrayLike = ()) -> NDArray[np.int64]:
    """Divide n rows into buckets of `size` consecutive rows; return the first row of each.

    Parameters
    ----------
    n : int
        Number of rows, at least 1.
    size : int
        Rows per bucket. The last bucket may have fewer.
    cuts : array of int
        Rows that are the first of a bucket whatever the size, such as those after a gap in time.
    """
    regular = np.arange(0, n, size, dtype=np.int64)
    return np.union1d(regular, np.asarray(cuts, dtype=np.int64))


def lowest_and_highest(
    values: ArrayLike, starts: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and the highest value of each bucket, (m,) each.

    Parameters
    ----------
    values : array of shape (n,)
        Values that are not finite count as missing.
    starts : array of shape (m,)
        The first row of each bucket, from `bucket_starts`.

    Returns
    -------
    (array, array)
        NaN where all values are missing.
    """
    kept = as_float32(values)
    return np.fmin.reduceat(kept, starts), np.fmax.reduceat(kept, starts)


def as_float32(values: ArrayLike) -> NDArray[np.float32]:
    """Return values as float32, NaN where they are not finite; huge ones become the largest."""
    given = np.asarray(values, dtype=np.float64)
    largest = float(np.finfo(np.float32).max)
    clipped = np.clip(given, -largest, largest)
    return np.where(np.isfinite(given), clipped, np.nan).astype(np.float32)
