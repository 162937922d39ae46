"""One pass over a source, from which its schema is learned."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isthmus.data.schema import infer_schema
from isthmus.data.sources.column_extremes import ArrayExtremes, TableExtremes
from isthmus.data.sources.row_sample import RowSample
from isthmus.data.sources.shared_pass import SharedPass
from isthmus.data.table_schema import TableSchema

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from isthmus.data.schema import Schema
    from isthmus.data.sources.source import BatchSource, Rows
    from isthmus.data.unseen_values import Unknown

_MOST_SAMPLED = 1 << 17
_FEWEST_SAMPLED = 1 << 10
_SAMPLED_CELLS = 1 << 24
"""Most cells of the sample, unless a row has many: 64 MiB as float32."""
_BATCH = 1 << 16
_BATCH_CELLS = 1 << 22


@dataclass(frozen=True, eq=False)
class SourceSummary:
    """What one pass over a source found.

    Attributes
    ----------
    part_rows : tuple of int
        Number of rows of each part.
    sample : array or table of shape (k, ...)
        A uniform random sample of rows, in order; all of them if they are few.
    numbers : ndarray of int, of shape (k,)
        The numbers of these rows.
    extended : array or table
        The sample, and rows with extreme values and rare categories that it lacks.
    source : BatchSource
        The source.
    missing : bool
        Whether a cell of some row is missing.
    """

    part_rows: tuple[int, ...]
    sample: Rows
    numbers: NDArray[np.int64]
    extended: Rows
    source: BatchSource
    missing: bool

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.part_rows)

    def schema(self, *, scale: str, unknown: Unknown, series: bool) -> Schema:
        """Learn the schema; parameters as for `isthmus.data.schema.infer_schema`.

        Ranges and categories are those of all rows. Medians, spreads, decimal grids and which
        columns identify rows are learned from the sample.
        """
        schema = infer_schema(self.extended, scale=scale, unknown=unknown, series=series)
        if isinstance(schema, TableSchema):
            return replace(schema, container=self.source.container)
        return schema


def summarise(
    source: BatchSource, *, on_rows: Callable[[int], None] = lambda _: None, divided: bool = True
) -> SourceSummary:
    """Read a source once; processes that train together share the work, and learn the same.

    Parameters
    ----------
    source : BatchSource
        The rows.
    on_rows : callable
        Called with the number of rows that were read, after each batch. It may raise.
    divided : bool
        Whether processes share the work; otherwise each reads all rows.

    Raises
    ------
    UnreadableFile, InvalidData
        Rows cannot be read, there are none, or a number is infinite; the message names the part.
    """
    cells = math.prod(source.form.sample_shape)
    sample = RowSample(max(_FEWEST_SAMPLED, min(_MOST_SAMPLED, _SAMPLED_CELLS // cells)))
    columns = source.form.columns
    extremes = ArrayExtremes(source.form.sample_shape) if columns is None else None
    found = extremes or TableExtremes(columns)

    def visit(rows: Rows, number: int, within: int) -> None:
        found.add(rows, within)
        sample.add(rows, number)

    whole = SharedPass(source, divided=divided)
    counts = whole.counts(max(1, min(_BATCH, _BATCH_CELLS // cells)), visit, on_rows)
    if whole.shared:
        found.share()
        sample.share()
    kept, numbers = sample.result()
    extended = found.added_to(kept) if len(kept) < sum(counts) else kept
    return SourceSummary(counts, kept, numbers, extended, source, found.missing)
