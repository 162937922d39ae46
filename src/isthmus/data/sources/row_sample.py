"""A uniform random sample of the rows of a stream, in constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.core import processes
from isthmus.data.sources.row_exchange import shared_rows
from isthmus.data.sources.source import Rows, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]


def row_hashes(numbers: Numbers) -> Hashes:
    """Return a hash of each row number; different numbers have different hashes.

    The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), which permutes the 64-bit integers.
    """
    z = numbers.astype(np.uint64)
    with np.errstate(over="ignore"):
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


class RowSample:
    """The rows of a stream whose numbers have the smallest hashes.

    They depend only on how many rows there are, not on how these are read.

    Parameters
    ----------
    size : int
        Most rows to keep.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._limit = np.uint64(np.iinfo(np.uint64).max)
        self._rows: list[Rows] = []
        self._numbers: list[Numbers] = []

    def add(self, rows: Rows, first_row: int) -> None:
        """Look at rows, of which the first has the number `first_row`."""
        numbers = np.arange(first_row, first_row + len(rows), dtype=np.int64)
        chosen = np.flatnonzero(row_hashes(numbers) <= self._limit)
        if not chosen.size:
            return
        self._rows.append(_taken(rows, chosen))
        self._numbers.append(numbers[chosen])
        if sum(map(len, self._numbers)) > 2 * self._size:
            self._reduce()

    def result(self) -> tuple[Rows, Numbers]:
        """Return the rows, at least one, in the order of their numbers, and the numbers."""
        self._reduce()
        numbers = self._numbers[0]
        order = np.argsort(numbers)
        return _taken(self._rows[0], order), numbers[order]

    def share(self) -> None:
        """Replace the sample by that of the rows that all processes have looked at.

        Each sends only what the others need: its rows whose hashes are small enough.
        """
        self._reduce()
        hashes = row_hashes(self._numbers[0]) if self._numbers else np.empty(0, np.uint64)
        everywhere = np.concatenate(
            [np.frombuffer(each, np.uint64) for each in processes.gathered_bytes(hashes.tobytes())]
        )
        if len(everywhere) > self._size:
            self._limit = np.partition(everywhere, self._size - 1)[self._size - 1]
        rows: list[Rows] = []
        numbers: list[Numbers] = []
        if self._numbers:
            kept = np.flatnonzero(hashes <= self._limit)
            rows, numbers = [_taken(self._rows[0], kept)], [self._numbers[0][kept]]
        self._rows = shared_rows(rows)
        own = np.concatenate(numbers) if numbers else np.empty(0, np.int64)
        self._numbers = [
            np.frombuffer(each, np.int64)
            for each in processes.gathered_bytes(own.tobytes())
            if each
        ]

    def _reduce(self) -> None:
        if not self._numbers:
            return
        rows, numbers = joined(self._rows), np.concatenate(self._numbers)
        if len(numbers) > self._size:
            hashes = row_hashes(numbers)
            kept = np.argpartition(hashes, self._size - 1)[: self._size]
            rows, numbers, self._limit = _taken(rows, kept), numbers[kept], hashes[kept].max()
        self._rows, self._numbers = [rows], [numbers]


def _taken(rows: Rows, chosen: NDArray[Any]) -> Rows:
    if isinstance(rows, pa.Table):
        return rows.unify_dictionaries().take(pa.array(chosen)).combine_chunks()
    return rows[chosen]
