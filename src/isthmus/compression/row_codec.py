"""What rows are, whether of an array or of a table: what both have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse
from isthmus.core.errors import InvalidArchive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.compression.coders.block import Layout
    from isthmus.compression.coders.coder import BlockEncoder

CHUNK_BYTES = 8 * 2**20
CHUNK_LIMIT = 64 * 2**20
"""No chunk of a stranger's file may take more memory than a small multiple of this."""


class RowCodec(ABC):
    """Rows of one kind: their columns' types, how many make a chunk, and a chunk as bytes.

    Attributes
    ----------
    names : tuple of str
        Of the columns of numbers.
    layout : Layout
        Of these.
    """

    names: tuple[str, ...]
    layout: Layout

    @property
    @abstractmethod
    def chunk_rows(self) -> int:
        """How many rows a chunk has."""

    @abstractmethod
    def manifest(self) -> dict[str, Any]:
        """Return what `rows_from` needs."""

    @abstractmethod
    def encode(
        self, part: Any, bounds: tuple[float, ...], encoder: BlockEncoder
    ) -> tuple[bytes, float]:
        """Return some rows as bytes, and the largest error."""

    @abstractmethod
    def decode(self, payload: bytes, rows: int, fitted: Sequence[Any]) -> Any:
        """Return the rows; raises InvalidArchive."""

    @abstractmethod
    def join(self, parts: list[Any]) -> Any:
        """Return several parts as one, in the kind that was compressed."""

    @abstractmethod
    def ranges(self, part: Any) -> NDArray[np.float64]:
        """Return the smallest and the largest finite value of each range, (2, ranges)."""

    @abstractmethod
    def ways(self, payload: bytes, fitted: Sequence[Any]) -> str:
        """Return in words how a chunk was made."""

    @abstractmethod
    def raw_bytes(self, rows: int) -> int:
        """Return how many bytes that many rows take, text apart."""

    def check_chunk(self, rows: int) -> None:
        """Refuse a chunk that states more than any chunk has."""
        if rows * max(self.layout.row_bytes, 1) > max(CHUNK_LIMIT, self.layout.row_bytes):
            refuse(f"a chunk of {rows} rows, which would take more than {CHUNK_LIMIT} bytes")


def span(column: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest finite value of a column, NaN if it has none."""
    if column.dtype.kind == "f":
        column = column[np.isfinite(column)]
    if not len(column) or column.dtype.kind == "b":
        return np.nan, np.nan
    return float(column.min()), float(column.max())


def senseless(received: str) -> NoReturn:
    """Raise InvalidArchive about a manifest."""
    raise InvalidArchive("the manifest", expected="what compress() wrote", received=received)
