"""The rows that a detector is fitted to, if there are more than fit in memory."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from isthmus.core.errors import DataWarning, InvalidData
from isthmus.data.sources.selection import sampled
from isthmus.data.sources.source import BatchSource

if TYPE_CHECKING:
    from isthmus.data.sources.selection import SampledRows

MOST_ROWS = 1 << 18
"""Rows that a detector is fitted to: with half of them held out, the smallest p-value is 1e-5."""


def rows_in_memory(X: Any, *, is_series: bool) -> Any:
    """Return rows in memory: a random sample of those of a source; other data unchanged.

    Raises
    ------
    InvalidData
        A series is larger than memory: its rows depend on each other.

    Warns
    -----
    DataWarning
        Rows are left out.
    """
    if not isinstance(X, BatchSource):
        return X
    if is_series:
        raise InvalidData(
            X.name,
            expected="a series that fits in memory",
            received="a longer one",
            remedy="pass its last part, and then update() with new rows",
        )
    found = sampled(X, MOST_ROWS)
    warnings.warn(f"The detector is fitted to {described(found)}.", DataWarning, stacklevel=3)
    return found.rows


def described(found: SampledRows) -> str:
    """Return how many of the rows a sample has, as part of a sentence."""
    return f"a random sample of {len(found.numbers):,} of {found.total:,} rows"
