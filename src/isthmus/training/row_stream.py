"""Training rows that are read while the network is trained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from isthmus.core import processes
from isthmus.core.randomness import generator_for
from isthmus.training import batches

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

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

    @property
    def share(self) -> float:
        """The largest part of a chunk that a process usually reads; 1 if each reads all rows."""

    def chunks(self, epoch: int, first: int = 0) -> Generator[ReadChunk, None, None]:
        """Yield chunks from number `first` on."""


class ReadChunk(Protocol):
    """A chunk of rows, of which this process may have only some."""

    @property
    def matrix(self) -> Floats:
        """(chunk_rows, *sample_shape); the rows of this process come first."""

    @property
    def owners(self) -> NDArray[np.int32]:
        """(rows,), the process that has each row of the chunk."""

    @property
    def labels(self) -> Floats | None:
        """(chunk_rows,) or (chunk_rows, targets), those of `matrix`; None without labels."""


class StreamChunk(NamedTuple):
    """A chunk of rows, and the batches that they are trained in."""

    matrix: Floats
    plan: BatchPlan
    number: int
    """Its number within the run, counted from 1: it tells apart the noise of different chunks."""
    labels: Floats | None = None
    """The encoded labels of the rows of `matrix`; only if no other process has some of them."""


def planned(
    stream: RowStream,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    steps: int,
    process: int = 0,
    devices: int = 1,
) -> Generator[StreamChunk, None, None]:
    """Yield the chunks of an epoch with their batches, after `steps` steps that are done.

    Rows are shuffled within a chunk. If processes share the rows, a batch has the same rows as that
    of a single process, and the plan only those that this `process` has, for its `devices`. Plans
    then have one of two sizes, otherwise all have the same, so that few programs serve them.
    """
    chunk_steps = stream.chunk_rows // batch_size
    number = steps // chunk_steps
    before = (epoch - 1) * -(-stream.rows // stream.chunk_rows)
    widths = own_widths(batch_size, stream.share, devices)
    chunks = stream.chunks(epoch, number)
    try:
        for chunk in _read_together(chunks) if stream.share < 1 else chunks:
            count = len(chunk.owners)
            order = generator_for(seed, f"shuffle/{epoch}/{number}").permutation(count)
            plan = batches.in_order(order, batch_size, steps=chunk_steps)
            if stream.share < 1:
                plan = batches.own_rows(plan, chunk.owners, process, widths)
            number += 1
            yield StreamChunk(chunk.matrix, plan, before + number, chunk.labels)
    finally:
        chunks.close()


def _read_together(chunks: Generator[ReadChunk, None, None]) -> Iterator[ReadChunk]:
    """Yield the chunks; all processes end if one of them cannot read its rows."""
    while True:
        with processes.together("reading the rows"):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def own_widths(batch_size: int, share: float, devices: int) -> tuple[int, int]:
    """Return how many rows of a batch a process has: usually, and at most.

    The rows of a batch are drawn at random from a chunk, so their number varies by the
    hypergeometric distribution; five standard deviations of the binomial, which is wider, are
    rarely exceeded in a chunk of thousands of steps.
    """
    deviation = math.sqrt(batch_size * share * (1 - share))
    grain = 8 * devices
    usual, most = (
        grain * math.ceil(rows / grain) for rows in (batch_size * share + 5 * deviation, batch_size)
    )
    return min(usual, most), most


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
