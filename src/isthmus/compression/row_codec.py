"""The interface of row codecs, which encode chunks of the rows of arrays or tables."""

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
"""A chunk of an untrusted file takes at most a small multiple of this in memory."""


class RowCodec(ABC):
    """Encodes and decodes chunks of rows of one type.

    Attributes
    ----------
    names : tuple of str
        Names of the numeric columns.
    layout : Layout
        Their types.
    """

    names: tuple[str, ...]
    layout: Layout

    @property
    @abstractmethod
    def chunk_rows(self) -> int:
        """The number of rows in a chunk."""

    @abstractmethod
    def manifest(self) -> dict[str, Any]:
        """Return the entries that `rows_from` needs."""

    @abstractmethod
    def encode(
        self, part: Any, bounds: tuple[float, ...], encoder: BlockEncoder
    ) -> tuple[bytes, float]:
        """Return the encoded rows, and the largest error."""

    @abstractmethod
    def decode(self, payload: bytes, rows: int, fitted: Sequence[Any]) -> Any:
        """Return the rows; raises InvalidArchive."""

    @abstractmethod
    def join(self, parts: list[Any]) -> Any:
        """Concatenate parts, and return them in the type that was compressed."""

    @abstractmethod
    def ranges(self, part: Any) -> NDArray[np.float64]:
        """Return the smallest and the largest finite value of each range, (2, ranges)."""

    @abstractmethod
    def describe_coder(self, payload: bytes, fitted: Sequence[Any]) -> str:
        """Return the name of the coder of a chunk."""

    @abstractmethod
    def raw_bytes(self, rows: int) -> int:
        """Return the size of that many rows in bytes, without text."""

    def check_chunk(self, rows: int) -> None:
        """Raise InvalidArchive for a chunk that would take more than `CHUNK_LIMIT` bytes."""
        if rows * max(self.layout.row_bytes, 1) > max(CHUNK_LIMIT, self.layout.row_bytes):
            refuse(f"a chunk of {rows} rows, which would take more than {CHUNK_LIMIT} bytes")


def finite_range(column: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest finite value of a column, NaN if it has none."""
    if column.dtype.kind == "f":
        column = column[np.isfinite(column)]
    if not len(column) or column.dtype.kind == "b":
        return np.nan, np.nan
    return float(column.min()), float(column.max())


def refuse_manifest(received: str) -> NoReturn:
    """Raise InvalidArchive for an invalid manifest."""
    raise InvalidArchive("the manifest", expected="what compress() wrote", received=received)
