"""A block of numeric columns to be encoded, and the layout that a decoder knows."""

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
    """The types and shape of rows, which all blocks of a file share.

    Parameters
    ----------
    dtypes : tuple of dtype
        The type of each column, in native byte order: booleans, integers, floats of at most 8
        bytes.
    sample_shape : tuple of int
        The shape of one row of an array, whose cells are the columns; () for a table.
    """

    dtypes: tuple[np.dtype[Any], ...]
    sample_shape: tuple[int, ...] = ()

    @cached_property
    def row_bytes(self) -> int:
        """The size of a row in bytes."""
        return sum(dtype.itemsize for dtype in self.dtypes)

    @property
    def uniform(self) -> bool:
        """Whether all columns are of one type."""
        return len(set(self.dtypes)) == 1


class ColumnBlock:
    """Some rows of numeric columns to be encoded.

    Parameters
    ----------
    columns : sequence of arrays of shape (n,)
        In native byte order.
    bounds : sequence of float
        The error bound of each column; 0 is lossless.
    layout : Layout
    """

    def __init__(
        self, columns: list[NDArray[Any]], bounds: tuple[float, ...], layout: Layout
    ) -> None:
        self.columns, self.bounds, self.layout = columns, bounds, layout
        self.rows = len(columns[0])

    @property
    def exact(self) -> bool:
        """Whether the block is to be encoded without loss."""
        return not any(self.bounds)

    @cached_property
    def integers(self) -> tuple[Integers, bytes]:
        """The quantized columns, an (n, m) matrix, and the encoded quantizers."""
        matrix = np.empty((self.rows, len(self.columns)), dtype=np.int64)
        maps, patched = [], []
        for j, (values, bound) in enumerate(zip(self.columns, self.bounds, strict=True)):
            found, matrix[:, j], patches = quantization.to_integers(values, bound)
            maps.append(found.to_bytes())
            if len(patches):
                patched.append(varint(j) + quantization.patches_to_bytes(patches, values))
        same = len(set(maps)) == 1
        quantizers = b"\1" + maps[0] if same else b"\0" + b"".join(maps)
        return matrix, quantizers + varint(len(patched)) + b"".join(patched)

    def sample(self, cells: int) -> ColumnBlock:
        """Return four runs of rows, with about `cells` values in total."""
        length = max(1, cells // (4 * len(self.columns)))
        starts = [(self.rows - length) * k // 3 for k in range(4)]
        rows = np.concatenate([np.arange(start, start + length) for start in starts])
        return ColumnBlock([column[rows] for column in self.columns], self.bounds, self.layout)

    def image(self) -> NDArray[Any]:
        """Return the rows of an array in their shape, (n, *sample_shape)."""
        return np.stack(self.columns, axis=1).reshape(self.rows, *self.layout.sample_shape)


def from_integers(matrix: Integers, quantizers: Cursor, layout: Layout) -> list[NDArray[Any]]:
    """Return the columns that `ColumnBlock.integers` quantized; raises InvalidArchive."""
    same = quantizers.read(1)[0]
    if same > 1:
        refuse(f"{same}, expected 0 or 1")
    maps = [
        quantization.read_quantizer(quantizers, dtype)
        for dtype in layout.dtypes[: 1 if same else None]
    ]
    if same:
        if len({dtype.kind in "biu" for dtype in layout.dtypes}) > 1:
            refuse("one quantizer for integers and floats")
        maps *= len(layout.dtypes)
    columns = [
        each.values(matrix[:, j], dtype)
        for j, (each, dtype) in enumerate(zip(maps, layout.dtypes, strict=True))
    ]
    for _ in range(quantizers.varint(len(columns))):
        quantization.patch(quantizers, columns[quantizers.varint(len(columns) - 1)])
    return columns
