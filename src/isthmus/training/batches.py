"""Which rows each step sees.

Batches all have one size, so that one compiled program serves them. The last one is padded with
rows of weight zero; they are real rows, taken from the front of the order, because padding of any
other kind would leak into batch statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isthmus.core.randomness import generator_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import RowNumbers


class BatchPlan(NamedTuple):
    """The rows of each batch and their weights, both (batches, batch_size).

    Behind the batches of the epoch, `steps` of them, there may be idle ones of weight zero.
    """

    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    steps: int


def bucket(size: int) -> int:
    """Return the smallest size from `size` on that programs are compiled for.

    There are eight between a power of two and the next, so that data sets of about one size, such
    as the folds of a cross-validation, share a program, and at most an eighth is padding.
    """
    grain = 1 << max(0, size.bit_length() - 4)
    return -(-size // grain) * grain


def shuffled(rows: RowNumbers, batch_size: int, *, seed: int, epoch: int) -> BatchPlan:
    """Return the plan of one epoch; the same `seed` and `epoch` give the same order."""
    return in_order(generator_for(seed, f"shuffle/{epoch}").permutation(rows), batch_size)


def in_order(rows: RowNumbers, batch_size: int) -> BatchPlan:
    """Return the plan that takes rows, given by their numbers, as they stand."""
    steps = -(-len(rows) // batch_size)
    batches = bucket(steps)
    weights = np.zeros(batches * batch_size, dtype=np.float32)
    weights[: len(rows)] = 1.0
    order = np.resize(rows, batches * batch_size).astype(np.int32)  # again from the front
    return BatchPlan(order.reshape(batches, -1), weights.reshape(batches, -1), steps)
