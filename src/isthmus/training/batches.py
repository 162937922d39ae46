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


class Plan(NamedTuple):
    """The rows of each batch, (steps * batch_size,), and their weights, of the same shape."""

    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    batch_size: int

    @property
    def steps(self) -> int:
        """Number of batches."""
        return len(self.rows) // self.batch_size


def shuffled(rows: RowNumbers, batch_size: int, *, seed: int, epoch: int) -> Plan:
    """Return the plan of one epoch; the same `seed` and `epoch` give the same order."""
    return in_order(generator_for(seed, f"shuffle/{epoch}").permutation(rows), batch_size)


def in_order(rows: RowNumbers, batch_size: int) -> Plan:
    """Return the plan that takes rows, given by their numbers, as they stand."""
    return _padded(rows.astype(np.int32), min(batch_size, len(rows)))


def _padded(order: NDArray[np.int32], batch_size: int) -> Plan:
    missing = -len(order) % batch_size
    weights = np.ones(len(order) + missing, dtype=np.float32)
    weights[len(order) :] = 0.0
    return Plan(np.concatenate([order, order[:missing]]), weights, batch_size)
