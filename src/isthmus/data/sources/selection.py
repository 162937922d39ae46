"""Some rows of a source: a random sample of them, and the source without these."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from isthmus.data.sources.row_sample import RowSample
from isthmus.data.sources.shared_pass import SharedPass
from isthmus.data.sources.source import BatchSource, Part, Rows, as_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isthmus.core.types import RowNumbers

_BATCH = 1 << 16
_BATCH_CELLS = 1 << 22
_SAMPLED_CELLS = 1 << 24
"""Most cells of a sample: 64 MiB as float32."""


class SampledRows(NamedTuple):
    """A uniform random sample of the rows of a source."""

    rows: Rows
    """In order."""
    numbers: RowNumbers
    """The numbers of these rows."""
    part_rows: tuple[int, ...]
    """The number of rows of each part of the source."""

    @property
    def total(self) -> int:
        """Number of rows of the source."""
        return sum(self.part_rows)


def sampled(source: BatchSource, most_rows: int) -> SampledRows:
    """Read a source once and return a random sample of at most so many rows, fewer if wide.

    Processes that train together share the work, and get the same sample.
    """
    cells = math.prod(source.form.sample_shape)
    sample = RowSample(max(1, min(most_rows, _SAMPLED_CELLS // cells)))
    whole = SharedPass(source)
    counts = whole.counts(
        max(1, min(_BATCH, _BATCH_CELLS // cells)), lambda rows, number, _: sample.add(rows, number)
    )
    if whole.shared:
        sample.share()
    return SampledRows(*sample.result(), counts)


def mapped(source: BatchSource, function: Callable[[Rows], Rows]) -> BatchSource:
    """Return a source with `function` applied to each batch; it keeps the number of rows."""

    def part_of(part: Part) -> Part:
        def batches() -> Iterator[Any]:
            return (function(source.form.fitted(as_rows(batch))) for batch in part.open())

        return Part(part.name, batches, part.rows)

    return BatchSource(
        source.name,
        tuple(map(part_of, source.parts)),
        container=source.container,
        bytes_in_memory=source.bytes_in_memory,
    )


def without_rows(
    source: BatchSource, part_rows: tuple[int, ...], numbers: RowNumbers
) -> BatchSource:
    """Return a source without some rows.

    Parameters
    ----------
    source : BatchSource
        The source.
    part_rows : tuple of int
        The number of rows of each of its parts.
    numbers : ndarray of int
        Numbers of the rows to leave out, sorted.
    """
    ends = np.cumsum([0, *part_rows])
    cuts = np.searchsorted(numbers, ends)

    def part_of(part: Part, place: int) -> Part:
        left_out = numbers[cuts[place] : cuts[place + 1]] - ends[place]

        def batches() -> Iterator[Any]:
            start = 0
            for batch in part.open():
                rows = as_rows(batch)
                low, high = np.searchsorted(left_out, [start, start + len(rows)])
                yield _dropped(rows, left_out[low:high] - start)
                start += len(rows)

        return Part(part.name, batches, part_rows[place] - len(left_out))

    parts = tuple(part_of(part, place) for place, part in enumerate(source.parts))
    return BatchSource(source.name, parts, source.form, source.container)


def _dropped(rows: Rows, left_out: RowNumbers) -> Rows:
    if not len(left_out):
        return rows
    kept = np.delete(np.arange(len(rows)), left_out)
    return rows.take(pa.array(kept)) if isinstance(rows, pa.Table) else rows[kept]
