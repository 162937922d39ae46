"""One pass over a source, which several processes share: each reads some of the parts."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from isthmus.core import processes
from isthmus.core.errors import InvalidData, IsthmusError

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.data.sources.source import BatchSource, Part, Rows


class SharedPass:
    """A pass over the rows of a source, in order.

    Parameters
    ----------
    source : BatchSource
        The rows. If several processes train together and the number of rows of each part is known,
        each process reads about as many rows as the others: parts that follow each other.
    divided : bool
        Whether they share the rows; otherwise each process reads all.

    Attributes
    ----------
    shared : bool
        Whether this process reads only some of the rows.
    """

    def __init__(self, source: BatchSource, *, divided: bool = True) -> None:
        self._source = source
        self._own = range(len(source.parts))
        self.shared = False
        if divided and processes.count() > 1 and source.rows:
            counts = np.array([part.rows for part in source.parts])
            bounds = _bounds(counts, processes.count())
            self.shared = all(counts[a:b].any() for a, b in itertools.pairwise(bounds))
            if self.shared:
                self._own = range(*bounds[processes.index() : processes.index() + 2])

    def counts(
        self,
        batch_rows: int,
        visit: Callable[[Rows, int, int], None],
        on_rows: Callable[[int], None] = lambda _: None,
    ) -> tuple[int, ...]:
        """Read the rows once, and return the number of rows of each part, of all processes.

        Parameters
        ----------
        batch_rows : int
            Rows of a batch, at most; a batch is within one part.
        visit : callable
            Called with each batch, the number of its first row, and that number within its part.
        on_rows : callable
            Called with the number of rows that were read so far, after each batch. It may raise.

        Raises
        ------
        UnreadableFile, InvalidData
            A part cannot be read, or `visit` raises; the message names the part. Or there are none.
        ProcessLost
            Another process cannot read its parts.
        """
        counts = np.zeros(len(self._source.parts))
        if not self.shared:
            self._read(batch_rows, visit, on_rows, counts)
        else:
            with processes.together("reading the data"):
                self._read(batch_rows, visit, on_rows, counts)
            counts = processes.gathered([*counts]).sum(axis=0)
        found = tuple(map(int, counts))
        self._source.check_counts(found)
        return found

    def _read(
        self,
        batch_rows: int,
        visit: Callable[[Rows, int, int], None],
        on_rows: Callable[[int], None],
        counts: np.ndarray,
    ) -> None:
        parts = self._source.parts
        total = first = sum(part.rows or 0 for part in parts[: self._own.start])
        for place in self._own:
            start = total
            for rows in self._source.batches(batch_rows, place):
                try:
                    visit(rows, total, total - start)
                except IsthmusError as error:
                    raise error.about(parts[place].name) from None
                total += len(rows)
                on_rows(total - first)
            counts[place] = total - start
            if self.shared and counts[place] != parts[place].rows:
                raise _another_number(parts[place])


def _bounds(counts: np.ndarray, shares: int) -> list[int]:
    """Cut parts of so many rows into ranges of about as many rows each; return their ends."""
    middles = np.cumsum(counts) - counts / 2
    cuts = np.searchsorted(middles, np.arange(1, shares) * counts.sum() / shares)
    return [0, *map(int, cuts), len(counts)]


def _another_number(part: Part) -> InvalidData:
    return InvalidData(
        part.name,
        expected=f"{part.rows} rows, as it says",
        received="another number of rows",
        remedy="do not change the data while a model is fitted",
    )
