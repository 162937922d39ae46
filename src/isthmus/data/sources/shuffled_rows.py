"""The rows of a source in scaled units, shuffled anew in each epoch, in chunks of constant size.

Parts are visited in random order, and several at a time: a block of rows of each in turn. Rows of a
chunk are left in this order; training shuffles them. The order depends only on the seed, the epoch
and the number of rows of each part, so reading can begin at any chunk.

Processes that train together share the parts: at any time, each reads as many of them as the
others. All know which process has which row of a chunk, so the order is that of a single process.
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
    from collections.abc import Callable, Generator, Iterator

    from numpy.typing import NDArray

    from isthmus.core.types import Floats, RowNumbers
    from isthmus.data.schema import Schema
    from isthmus.data.sources.source import Rows
    from isthmus.data.sources.summary import SourceSummary

_LANES = 8
"""Parts that are read at the same time."""
_BLOCK = (16, 1 << 14)
"""Fewest and most rows that are read of a part at a time."""
_BLOCK_CELLS = 1 << 19
_BLOCKS_OF_CHUNK = 8
"""Blocks of a chunk that each of many processes reads."""
_MOST_THREADS = 4
_EVEN = 0.5
"""Processes share the parts if that makes at least this fraction of the chunks even."""


class RowBlock(NamedTuple):
    """Rows of one part, from `start` up to `stop`."""

    part: int
    start: int
    stop: int
    last: bool
    """Whether they are the last ones of the part."""
    owner: int
    """The process that reads them."""


class RowChunk(NamedTuple):
    """A chunk of rows, of which this process may have only some."""

    matrix: Floats
    """(chunk_rows, *sample_shape), aligned for JAX; the rows of this process come first."""
    owners: NDArray[np.int32]
    """(rows,), the process that has each row of the chunk."""
    labels: Floats | None = None
    """(chunk_rows,) or (chunk_rows, targets), those of `matrix`; None without labels."""


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
    group : tuple of int
        The number of this process and of all processes that train together.
    labels_of : callable, optional
        Returns the encoded labels of rows, given their numbers.

    Attributes
    ----------
    rows : int
        Rows of an epoch.
    missing : bool
        Whether some cells are missing.
    share : float
        The largest part of a chunk that a process usually reads. It is 1 if each reads all rows:
        there is one process, or there are too few parts to divide, or some are much larger than
        others.
    """

    def __init__(
        self,
        summary: SourceSummary,
        schema: Schema,
        held_out: RowNumbers,
        *,
        seed: int,
        chunk_rows: int,
        group: tuple[int, int] = (0, 1),
        labels_of: Callable[[RowNumbers], Floats] | None = None,
    ) -> None:
        self._labels_of = labels_of
        self._source, self._schema, self._seed = summary.source, schema, seed
        self._part_rows = summary.part_rows
        self._offsets = np.cumsum([0, *summary.part_rows])
        self._held_out = np.sort(held_out)
        self.rows = summary.rows - len(held_out)
        self.chunk_rows = chunk_rows
        self.missing = summary.missing
        cells = math.prod(summary.source.form.sample_shape)
        self._block_rows = min(_BLOCK[1], max(_BLOCK[0], _BLOCK_CELLS // cells))
        usual = self._block_rows
        self._process, self._processes = group
        if self._processes > _LANES:  # so that each has rows in each chunk
            finer = chunk_rows // (_BLOCKS_OF_CHUNK * self._processes)
            self._block_rows = min(usual, max(_BLOCK[0], finer))
        self.share = self._usual_share()
        if self.share == 1:
            self._process, self._processes, self._block_rows = 0, 1, usual

    def _usual_share(self) -> float:
        """Return the `share` of processes that divide the parts, 1 if that does not pay."""
        if self._processes == 1:
            return 1.0
        lanes = min(self._lanes, sum(map(bool, self._part_rows)))
        block = min(self._block_rows, max(self._part_rows))
        share = min(1.0, -(-lanes // self._processes) / lanes + block / self.chunk_rows)
        blocks = self._plan(1)
        found = np.zeros((-(-self.rows // self.chunk_rows), self._processes))
        ends = np.cumsum([self._kept(each) for each in blocks])
        chunk = np.minimum(ends // self.chunk_rows, len(found) - 1)
        np.add.at(found, (chunk, [each.owner for each in blocks]), np.diff(ends, prepend=0))
        even = found.max(axis=1) <= share * found.sum(axis=1)
        return share if even.mean() >= _EVEN else 1.0

    @property
    def _lanes(self) -> int:
        return max(_LANES, self._processes)

    def chunks(self, epoch: int, first: int = 0) -> Generator[RowChunk, None, None]:
        """Yield the chunks of an epoch; while one is used, a thread prepares the next.

        Parameters
        ----------
        epoch : int
            Counted from 1.
        first : int
            The first chunk to return.

        Yields
        ------
        RowChunk
            The rows that this process reads.

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
        owners = _Owners(self._processes)
        lanes: deque[tuple[int, int, int]] = deque()

        def begin() -> None:
            part = waiting.popleft()
            lanes.append((part, 0, owners.take(self._part_rows[part])))

        for _ in range(min(self._lanes, len(waiting))):
            begin()
        blocks = []
        while lanes:
            part, start, owner = lanes.popleft()
            stop = min(start + self._block_rows, self._part_rows[part])
            last = stop == self._part_rows[part]
            blocks.append(RowBlock(part, start, stop, last, owner))
            if not last:
                lanes.append((part, stop, owner))
                continue
            owners.release(owner)
            if waiting:
                begin()
        return blocks

    def _filled(self, plan: list[RowBlock], first: int) -> Generator[RowChunk, None, None]:
        """Yield chunks from number `first` on."""
        counts = [self._kept(block) for block in plan]
        ends = np.cumsum(counts)
        skipped = first * self.chunk_rows
        begin = int(np.searchsorted(ends, skipped, side="right"))
        skipped -= int(ends[begin - 1]) if begin else 0
        pieces = self._encoded([b for b in plan[begin:] if b.owner == self._process])
        matrix, filled = self._empty(), 0
        owners: list[NDArray[np.int32]] = []
        own: list[RowNumbers] = []
        room = self.chunk_rows
        for block, count in zip(plan[begin:], counts[begin:], strict=True):
            piece = next(pieces)[skipped:] if block.owner == self._process else None
            numbers = None
            if self._labels_of is not None and piece is not None:
                numbers = self._numbers(block)[skipped:]
            rest, skipped = count - skipped, 0
            while rest:
                taken = min(rest, room)
                owners.append(np.full(taken, block.owner, np.int32))
                rest, room = rest - taken, room - taken
                if piece is not None:
                    matrix[filled : filled + taken] = piece[:taken]
                    filled, piece = filled + taken, piece[taken:]
                if numbers is not None:
                    own.append(numbers[:taken])
                    numbers = numbers[taken:]
                if not room:
                    yield RowChunk(matrix, np.concatenate(owners), self._labels(own))
                    matrix, filled, owners, room = self._empty(), 0, [], self.chunk_rows
                    own = []
        if owners:
            yield RowChunk(matrix, np.concatenate(owners), self._labels(own))

    def _labels(self, numbers: list[RowNumbers]) -> Floats | None:
        """Return the labels of a chunk, given the numbers of its rows in their order."""
        if self._labels_of is None:
            return None
        known = self._labels_of(np.concatenate(numbers))
        labels = np.full((self.chunk_rows, *known.shape[1:]), np.nan, np.float32)
        labels[: len(known)] = known
        return labels

    def _empty(self) -> Floats:
        matrix = aligned_empty((self.chunk_rows, *self._schema.sample_shape))
        matrix[0] = 0  # a process that has no row repeats this one
        return matrix

    def _kept(self, block: RowBlock) -> int:
        return block.stop - block.start - len(self._left_out(block))

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

    def _numbers(self, block: RowBlock) -> RowNumbers:
        """Return the numbers of the rows of a block that are not held out."""
        first = int(self._offsets[block.part]) + block.start
        numbers = np.arange(first, first + block.stop - block.start)
        return np.delete(numbers, self._left_out(block))

    def _changed(self, block: RowBlock) -> InvalidData:
        return InvalidData(
            self._source.parts[block.part].name,
            expected=f"{self._part_rows[block.part]} rows, as when it was first read",
            received="another number of rows",
            remedy="do not change the data while a model is fitted; a function must return the "
            "same batches whenever it is called",
        )


class _Owners:
    """Gives each part to the process that reads the fewest at the time, or has had fewest rows."""

    def __init__(self, processes: int) -> None:
        self._open = [0] * processes
        self._rows = [0] * processes

    def take(self, rows: int) -> int:
        """Return the process that reads a part of so many rows."""
        owner = min(range(len(self._open)), key=lambda p: (self._open[p], self._rows[p], p))
        self._open[owner] += 1
        self._rows[owner] += rows
        return owner

    def release(self, owner: int) -> None:
        """Note that a part of this process is at its end."""
        self._open[owner] -= 1
