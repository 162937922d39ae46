"""Some rows of numeric columns, which a coder makes bytes of, and what is known before decoding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders import quantization
from isthmus.compression.coders.byte_cursor import Cursor, refuse, varint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """What all blocks of a file have in common.

    Parameters
    ----------
    dtypes : tuple of dtype
        Of each column, in native byte order: booleans, integers, floats of at most 8 bytes.
    sample_shape : tuple of int
        Of one row of an array; its cells are the columns. () for a table.
    """

    dtypes: tuple[np.dtype[Any], ...]
    sample_shape: tuple[int, ...] = ()

    @cached_property
    def row_bytes(self) -> int:
        """Bytes that a row takes."""
        return sum(dtype.itemsize for dtype in self.dtypes)

    @property
    def uniform(self) -> bool:
        """Whether all columns are of one type."""
        return len(set(self.dtypes)) == 1


class ColumnBlock:
    """Rows to be encoded.

    Parameters
    ----------
    columns : sequence of arrays of shape (n,)
        In native byte order.
    bounds : sequence of float
        How far the values of each column may move; 0 keeps every bit.
    layout : Layout
        What they are.
    """

    def __init__(
        self, columns: list[NDArray[Any]], bounds: tuple[float, ...], layout: Layout
    ) -> None:
        self.columns, self.bounds, self.layout = columns, bounds, layout
        self.rows = len(columns[0])

    @property
    def exact(self) -> bool:
        """Whether no value may move."""
        return not any(self.bounds)

    @cached_property
    def integers(self) -> tuple[Integers, bytes]:
        """The columns as an (n, m) matrix, and how to come back from it."""
        matrix = np.empty((self.rows, len(self.columns)), dtype=np.int64)
        maps, patched = [], []
        for j, (values, bound) in enumerate(zip(self.columns, self.bounds, strict=True)):
            found, matrix[:, j], patches = quantization.to_integers(values, bound)
            maps.append(found.to_bytes())
            if len(patches):
                patched.append(varint(j) + quantization.patches_to_bytes(patches, values))
        same = len(set(maps)) == 1
        kept = b"\1" + maps[0] if same else b"\0" + b"".join(maps)
        return matrix, kept + varint(len(patched)) + b"".join(patched)

    def sample(self, cells: int) -> ColumnBlock:
        """Return four runs of rows with about so many cells in all."""
        length = max(1, cells // (4 * len(self.columns)))
        starts = [(self.rows - length) * k // 3 for k in range(4)]
        rows = np.concatenate([np.arange(start, start + length) for start in starts])
        return ColumnBlock([column[rows] for column in self.columns], self.bounds, self.layout)

    def image(self) -> NDArray[Any]:
        """Return the rows of an array in their shape, (n, *sample_shape)."""
        return np.stack(self.columns, axis=1).reshape(self.rows, *self.layout.sample_shape)


def from_integers(matrix: Integers, kept: Cursor, layout: Layout) -> list[NDArray[Any]]:
    """Return the columns of which `Block.integers` made a matrix."""
    same = kept.take(1)[0]
    if same > 1:
        refuse(f"{same} where 0 or 1 should stand")
    maps = [quantization.read_map(kept, dtype) for dtype in layout.dtypes[: 1 if same else None]]
    if same:
        if len({dtype.kind in "biu" for dtype in layout.dtypes}) > 1:
            refuse("one way back for columns of several kinds")
        maps *= len(layout.dtypes)
    columns = [
        each.values(matrix[:, j], dtype)
        for j, (each, dtype) in enumerate(zip(maps, layout.dtypes, strict=True))
    ]
    for _ in range(kept.varint(len(columns))):
        quantization.patch(kept, columns[kept.varint(len(columns) - 1)])
    return columns
