"""Training rows that are read while the network is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from isthmus.core.randomness import generator_for
from isthmus.training import batches

if TYPE_CHECKING:
    from collections.abc import Generator

    from isthmus.core.types import Floats
    from isthmus.training.batches import BatchPlan


class RowStream(Protocol):
    """The training rows of a run in chunks, whose order differs in each epoch.

    Implemented by `isthmus.data.sources.shuffled_rows.ShuffledRows`.
    """

    @property
    def rows(self) -> int:
        """Rows of an epoch."""

    @property
    def chunk_rows(self) -> int:
        """Rows of a chunk, a multiple of the batch size; the last of an epoch may have fewer."""

    @property
    def missing(self) -> bool:
        """Whether some cells are NaN."""

    def chunks(self, epoch: int, first: int = 0) -> Generator[tuple[Floats, int], None, None]:
        """Yield chunks from number `first` on, (chunk_rows, *sample_shape), and their rows."""


class StreamChunk(NamedTuple):
    """A chunk of rows, and the batches that they are trained in."""

    matrix: Floats
    plan: BatchPlan
    number: int
    """Its number within the run, counted from 1: it tells apart the noise of different chunks."""


def planned(
    stream: RowStream, batch_size: int, *, seed: int, epoch: int, steps: int
) -> Generator[StreamChunk, None, None]:
    """Yield the chunks of an epoch with their batches, after `steps` steps that are done.

    Rows are shuffled within a chunk. All plans have the same size, so that one program serves them.
    """
    chunk_steps = stream.chunk_rows // batch_size
    number = steps // chunk_steps
    before = (epoch - 1) * -(-stream.rows // stream.chunk_rows)
    chunks = stream.chunks(epoch, number)
    try:
        for matrix, count in chunks:
            order = generator_for(seed, f"shuffle/{epoch}/{number}").permutation(count)
            plan = batches.in_order(order, batch_size, steps=chunk_steps)
            number += 1
            yield StreamChunk(matrix, plan, before + number)
    finally:
        chunks.close()


def chunk_rows(batch_size: int, cells: int, rows: int) -> int:
    """Return how many rows of a chunk use memory well: a multiple of the batch size.

    Parameters
    ----------
    batch_size : int
        Rows of a step.
    cells : int
        Cells of a row.
    rows : int
        Rows of an epoch, more than which are not needed.
    """
    most = min(CHUNK_CELLS // cells, -(-rows // batch_size) * batch_size)
    return batch_size * int(np.clip(most // batch_size, 1, _MOST_STEPS))


CHUNK_CELLS = 1 << 24
"""Cells of a chunk: 64 MiB as float32; three chunks are in memory."""
_MOST_STEPS = 1 << 13
"""Most steps of a chunk, after each of which a checkpoint can be written."""
