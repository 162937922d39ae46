"""The rows of a source in scaled units, shuffled anew in each epoch, in chunks of constant size.

Parts are visited in random order, and several at a time: a block of rows of each in turn. Rows of a
chunk are left in this order; training shuffles them. The order depends only on the seed, the epoch
and the number of rows of each part, so reading can begin at any chunk.
"""

from __future__ import annotations

import math
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isthmus.core.aligned_memory import aligned_empty
from isthmus.core.errors import InvalidData, IsthmusError
from isthmus.core.randomness import generator_for

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from isthmus.core.types import Floats, RowNumbers
    from isthmus.data.schema import Schema
    from isthmus.data.sources.source import Rows
    from isthmus.data.sources.summary import SourceSummary

_LANES = 8
"""Parts that are read at the same time."""
_BLOCK = (16, 1 << 14)
"""Fewest and most rows that are read of a part at a time."""
_BLOCK_CELLS = 1 << 19
_MOST_THREADS = 4


class RowBlock(NamedTuple):
    """Rows of one part, from `start` up to `stop`."""

    part: int
    start: int
    stop: int
    last: bool
    """Whether they are the last ones of the part."""


class ShuffledRows:
    """The rows of a source without those that are held out, in scaled units.

    Parameters
    ----------
    summary : SourceSummary
        The source, and how many rows its parts have.
    schema : Schema
        Scales the rows.
    held_out : ndarray of int, of shape (m,)
        Numbers of the rows that are left out.
    seed : int
        Determines the order of parts in each epoch.
    chunk_rows : int
        Rows of a chunk; the last one of an epoch may have fewer.

    Attributes
    ----------
    rows : int
        Rows of an epoch.
    missing : bool
        Whether some cells are missing.
    """

    def __init__(
        self,
        summary: SourceSummary,
        schema: Schema,
        held_out: RowNumbers,
        *,
        seed: int,
        chunk_rows: int,
    ) -> None:
        self._source, self._schema, self._seed = summary.source, schema, seed
        self._part_rows = summary.part_rows
        self._offsets = np.cumsum([0, *summary.part_rows])
        self._held_out = np.sort(held_out)
        self.rows = summary.rows - len(held_out)
        self.chunk_rows = chunk_rows
        self.missing = summary.missing
        cells = math.prod(summary.source.form.sample_shape)
        self._block_rows = min(_BLOCK[1], max(_BLOCK[0], _BLOCK_CELLS // cells))

    def chunks(self, epoch: int, first: int = 0) -> Generator[tuple[Floats, int], None, None]:
        """Yield the chunks of an epoch; while one is used, a thread prepares the next.

        Parameters
        ----------
        epoch : int
            Counted from 1.
        first : int
            The first chunk to return.

        Yields
        ------
        matrix : ndarray of float32, shape (chunk_rows, *sample_shape)
            Aligned for JAX.
        rows : int
            How many rows of it are filled.

        Raises
        ------
        UnreadableFile, InvalidData
            A part cannot be read, or has changed since it was first read.
        """
        chunks = self._filled(self._plan(epoch), first)
        with ThreadPoolExecutor(1) as ahead:
            try:
                coming = ahead.submit(next, chunks, None)
                while (chunk := coming.result()) is not None:
                    coming = ahead.submit(next, chunks, None)
                    yield chunk
            finally:
                ahead.shutdown(cancel_futures=True)
                chunks.close()

    def _plan(self, epoch: int) -> list[RowBlock]:
        """Return the blocks of an epoch in the order in which they are read."""
        order = generator_for(self._seed, f"parts/{epoch}").permutation(len(self._part_rows))
        waiting = deque(int(part) for part in order if self._part_rows[part])
        lanes = deque((waiting.popleft(), 0) for _ in range(min(_LANES, len(waiting))))
        blocks = []
        while lanes:
            part, start = lanes.popleft()
            stop = min(start + self._block_rows, self._part_rows[part])
            last = stop == self._part_rows[part]
            blocks.append(RowBlock(part, start, stop, last))
            if not last:
                lanes.append((part, stop))
            elif waiting:
                lanes.append((waiting.popleft(), 0))
        return blocks

    def _filled(
        self, plan: list[RowBlock], first: int
    ) -> Generator[tuple[Floats, int], None, None]:
        """Yield chunks from number `first` on."""
        ends = np.cumsum([block.stop - block.start - len(self._left_out(block)) for block in plan])
        skipped = first * self.chunk_rows
        begin = int(np.searchsorted(ends, skipped, side="right"))
        skipped -= int(ends[begin - 1]) if begin else 0
        matrix, filled = self._empty(), 0
        for piece in self._encoded(plan[begin:]):
            rest, skipped = piece[skipped:], max(0, skipped - len(piece))
            while len(rest):
                taken = rest[: self.chunk_rows - filled]
                matrix[filled : filled + len(taken)] = taken
                filled, rest = filled + len(taken), rest[len(taken) :]
                if filled == self.chunk_rows:
                    yield matrix, filled
                    matrix, filled = self._empty(), 0
        if filled:
            yield matrix, filled

    def _empty(self) -> Floats:
        return aligned_empty((self.chunk_rows, *self._schema.sample_shape))

    def _encoded(self, plan: list[RowBlock]) -> Iterator[Floats]:
        """Yield the rows of blocks in scaled units, in order; threads convert some at a time."""
        threads = max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // 2))
        futures: deque[Future[Floats]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            try:
                for block, rows in self._read(plan):
                    futures.append(pool.submit(self._converted, block, rows))
                    if len(futures) > 2 * threads:
                        yield futures.popleft().result()
                while futures:
                    yield futures.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _read(self, plan: list[RowBlock]) -> Iterator[tuple[RowBlock, Rows]]:
        """Yield blocks with their rows; each part is opened once, and closed at its end."""
        opened: dict[int, Iterator[Rows]] = {}
        for block in plan:
            if block.part not in opened:
                batches = self._source.batches(self._block_rows, block.part, block.start)
                opened[block.part] = batches
            rows = next(opened[block.part], None)
            if rows is None or len(rows) != block.stop - block.start:
                raise self._changed(block)
            if block.last and next(opened.pop(block.part), None) is not None:
                raise self._changed(block)
            yield block, rows

    def _converted(self, block: RowBlock, rows: Rows) -> Floats:
        """Return the rows that are not held out, in scaled units."""
        try:
            # Only the first result: after it, the generator would compare a block with all rows.
            matrix = next(iter(self._schema.blocks(rows)))
        except IsthmusError as error:
            where = f"{self._source.parts[block.part].name}, counting from row {block.start}"
            raise error.about(where) from None
        left_out = self._left_out(block)
        return np.delete(matrix, left_out, axis=0) if len(left_out) else matrix

    def _left_out(self, block: RowBlock) -> RowNumbers:
        """Return which rows of a block are held out, counted from its first one."""
        first = int(self._offsets[block.part]) + block.start
        low, high = np.searchsorted(self._held_out, [first, first + block.stop - block.start])
        return self._held_out[low:high] - first

    def _changed(self, block: RowBlock) -> InvalidData:
        return InvalidData(
            self._source.parts[block.part].name,
            expected=f"{self._part_rows[block.part]} rows, as when it was first read",
            received="another number of rows",
            remedy="do not change the data while a model is fitted; a function must return the "
            "same batches whenever it is called",
        )
