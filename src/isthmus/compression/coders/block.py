"""A block of numeric columns to be encoded, and the layout that a decoder knows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders import general_compressors, matrix_layouts, quantization
from isthmus.compression.coders.byte_cursor import Cursor, refuse, varint
from isthmus.compression.coders.quantizers import read_quantizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

_MOST_CHOICES = 64
"""Of more columns than this, and than an eighth of the rows, all have the same quantizer."""
_ESTIMATED = 1 << 17
"""Values on which quantizations are compared."""


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
        return self._quantized(self._useful_bounds())

    def _useful_bounds(self) -> tuple[float, ...]:
        """Return the bounds to quantize with, at most those of the block.

        It is not always best to quantize each column as coarsely as its own bound allows: columns
        that repeat each other no longer do so with different steps. So the narrowest bound for all
        columns and exact values are tried on some rows.
        """
        if self.exact or self._joint or len(self.columns) == 1:
            return self.bounds
        narrowest = min(bound for bound in self.bounds if bound)
        tried = [
            self.bounds,
            tuple(min(bound, narrowest) for bound in self.bounds),
            (0.0,) * len(self.columns),
        ]
        rows = max(1, _ESTIMATED // len(self.columns))
        part = ColumnBlock([column[:rows] for column in self.columns], self.bounds, self.layout)
        return min(dict.fromkeys(tried), key=part._estimate)

    def _estimate(self, bounds: tuple[float, ...]) -> int:
        """Return about how many bytes the integers may take, by a quick compressor."""
        matrix, quantizers = self._quantized(bounds)
        sizes = [
            len(matrix_layouts.pack(matrix, layout, general_compressors.quickest))
            for layout in matrix_layouts.LAYOUTS.values()
            if layout.suits(matrix) and layout.order != "planes"
        ]
        return min(sizes) + len(quantizers)

    @property
    def _joint(self) -> bool:
        """Whether one quantizer is chosen for all columns: those of fields, volumes and images."""
        columns, shape = len(self.columns), self.layout.sample_shape
        wide = len(shape) > 1 or columns > max(_MOST_CHOICES, self.rows // 8)
        return wide and self.layout.uniform and len(set(self.bounds)) == 1

    def _quantized(self, bounds: tuple[float, ...]) -> tuple[Integers, bytes]:
        matrix = np.empty((self.rows, len(self.columns)), dtype=np.int64)
        maps, patched, tried = [], [], None
        if self._joint:
            tried = quantization.candidates(np.stack(self.columns, axis=1).ravel(), bounds[0])
        for j, (values, bound) in enumerate(zip(self.columns, bounds, strict=True)):
            found, matrix[:, j], patches = quantization.to_integers(values, bound, tried)
            maps.append(found.to_bytes())
            if len(patches):
                patched.append(varint(j) + quantization.patches_to_bytes(patches, values))
        same = len(set(maps)) == 1
        quantizers = b"\1" + maps[0] if same else b"\0" + b"".join(maps)
        return matrix, quantizers + varint(len(patched)) + b"".join(patched)

    def sample(self, cells: int) -> ColumnBlock:
        """Return four runs of rows, with about `cells` values in total; more of wide rows."""
        columns = len(self.columns)
        length = max(1, cells // (4 * columns), min(16, 2 * cells // columns))
        length = min(length, self.rows)
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
    maps = [read_quantizer(quantizers, dtype) for dtype in layout.dtypes[: 1 if same else None]]
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
