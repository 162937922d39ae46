"""The rows of each training step.

All batches have the same size, so that one compiled program serves them. The last one is padded
with rows of weight zero. These are real rows from the front of the order, because other padding
would distort batch statistics.
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

    The first `steps` batches are those of the epoch; any others have weight zero and are not used.
    """

    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    steps: int


def bucket(size: int) -> int:
    """Round `size` up to a size for which programs are compiled.

    There are eight such sizes from one power of two to the next, so that data sets of similar size,
    such as the folds of a cross-validation, share a program, and at most an eighth is padding.
    """
    grain = 1 << max(0, size.bit_length() - 4)
    return -(-size // grain) * grain


def shuffled(rows: RowNumbers, batch_size: int, *, seed: int, epoch: int) -> BatchPlan:
    """Return the plan of one epoch; the same `seed` and `epoch` give the same order."""
    return in_order(generator_for(seed, f"shuffle/{epoch}").permutation(rows), batch_size)


def in_order(rows: RowNumbers, batch_size: int, *, steps: int | None = None) -> BatchPlan:
    """Return the plan that takes rows, given by their numbers, in order.

    With `steps`, it is of the size of a plan of so many steps, which are at least as many.
    """
    batches = bucket(steps or -(-len(rows) // batch_size))
    steps = -(-len(rows) // batch_size)
    weights = np.zeros(batches * batch_size, dtype=np.float32)
    weights[: len(rows)] = 1.0
    order = np.resize(rows, batches * batch_size).astype(np.int32)  # repeats from the front
    return BatchPlan(order.reshape(batches, -1), weights.reshape(batches, -1), steps)


def own_rows(
    plan: BatchPlan, owners: NDArray[np.int32], process: int, widths: tuple[int, ...]
) -> BatchPlan:
    """Return the rows of each batch that a process has, numbered among its own rows.

    Parameters
    ----------
    plan : BatchPlan
        The batches, the same in all processes.
    owners : ndarray of int, of shape (rows,)
        The process that has each row.
    process : int
        The process.
    widths : tuple of int
        Sizes for the batches of the result, the last at least that of `plan`. The first one that
        is enough in all processes is taken; what is left has weight zero.
    """
    counted = np.where(plan.weights > 0, owners[plan.rows], -1)
    most = max(int((counted == each).sum(axis=1).max()) for each in np.unique(owners))
    width = next(width for width in widths if width >= most)
    numbers = np.cumsum(owners == process) - 1  # of the rows of this process
    own = counted == process
    first = np.argsort(~own, axis=1, kind="stable")[:, :width]
    batches, size = own.shape
    rows, weights = np.zeros((batches, width), np.int32), np.zeros((batches, width), np.float32)
    taken = np.take_along_axis(own, first, axis=1)
    rows[:, : min(width, size)] = np.where(
        taken, numbers[np.take_along_axis(plan.rows, first, axis=1)], 0
    )
    weights[:, : min(width, size)] = taken
    return BatchPlan(rows, weights, plan.steps)
