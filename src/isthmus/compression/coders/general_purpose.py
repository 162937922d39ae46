"""General-purpose compressors, applied to the values themselves or to quantized integers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders import general_compressors, matrix_layouts
from isthmus.compression.coders.block import from_integers
from isthmus.compression.coders.byte_cursor import Cursor, length_prefixed, refuse
from isthmus.compression.coders.coder import Coder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from isthmus.compression.coders.block import ColumnBlock, Layout

VALUES, VALUE_PLANES = 255, 254
VALUE_LAYOUTS = {VALUES: "values", VALUE_PLANES: "byte planes of values"}
"""Byte layouts of values that are not quantized, by their numbers in files.

They share one byte with the numbers of `matrix_layouts.LAYOUTS`, which count from 0.
"""
LAYOUT_NUMBERS = (*matrix_layouts.LAYOUTS, *VALUE_LAYOUTS)


class GeneralPurposeCoder(Coder):
    """Applies a general-purpose compressor to a block in one byte layout.

    Parameters
    ----------
    layout : int
        One of `LAYOUT_NUMBERS`.
    choose : function of bytes
        Returns the number of a compressor and the compressed bytes.
    """

    name, number = "plain", 0

    def __init__(
        self,
        layout: int = matrix_layouts.ROWS.number,
        choose: Callable[[bytes], tuple[int, bytes]] = general_compressors.smallest,
    ) -> None:
        self._layout, self._choose = layout, choose

    @classmethod
    def variants(cls) -> Sequence[Coder]:
        """Return a coder for each byte layout, with all compressors."""
        return [cls(layout) for layout in LAYOUT_NUMBERS]

    def at_scale(self, factor: float) -> Coder:
        """Return this coder with the settings of compressors for contents as many times larger."""
        choose = partial(general_compressors.smallest, factor=factor)
        return GeneralPurposeCoder(self._layout, choose)

    def narrowed(self, packed: bytes, *, thorough: bool) -> Coder:
        """Return this coder with the compressor that did best, and those that may do better."""
        choose = partial(
            general_compressors.smallest_after_sample, sampled=packed[1], thorough=thorough
        )
        return GeneralPurposeCoder(self._layout, choose)

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the encoded block; None if the layout does not suit it."""
        if self._layout in VALUE_LAYOUTS:
            return self._encode_values(block) if block.layout.uniform else None
        matrix, quantizers = block.integers
        layout = matrix_layouts.LAYOUTS[self._layout]
        if not layout.suits(matrix):
            return None
        packed = matrix_layouts.pack(matrix, layout, self._choose)
        return packed[:2] + length_prefixed(quantizers) + packed[2:]

    def _encode_values(self, block: ColumnBlock) -> bytes:
        values = np.stack(block.columns, axis=1)
        values = values.astype(_little_endian(values.dtype))
        if self._layout == VALUE_PLANES:
            values = values.T.reshape(-1, 1).view(np.uint8).T
        number, packed = self._choose(values.tobytes())
        return bytes([self._layout, number]) + packed

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns."""
        cursor = Cursor(packed)
        head = cursor.read(2)
        if head[0] in VALUE_LAYOUTS:
            return _decode_values(head, cursor.rest(), rows, layout)
        quantizers = Cursor(cursor.length_prefixed())
        matrix = matrix_layouts.unpack(head, cursor.rest(), rows, len(layout.dtypes))
        columns = from_integers(matrix, quantizers, layout)
        quantizers.close()
        return columns

    def describe(self, packed: memoryview) -> str:
        """Return the names of the compressor and the layout."""
        compressor = general_compressors.COMPRESSORS[packed[1]].name
        number = packed[0]
        layout = VALUE_LAYOUTS.get(number) or matrix_layouts.LAYOUTS[number].name
        return f"{compressor} ({layout})"


def _decode_values(
    head: memoryview, packed: memoryview, rows: int, layout: Layout
) -> list[NDArray[Any]]:
    if not layout.uniform:
        refuse("values of one type for columns of several types")
    content = general_compressors.unpack(head[1], packed, rows * layout.row_bytes)
    stored = _little_endian(layout.dtypes[0])
    if head[0] == VALUES:
        values = np.frombuffer(content, stored).reshape(rows, -1).T
    else:
        planes = np.frombuffer(content, np.uint8).reshape(stored.itemsize, -1)
        values = planes.T.copy().view(stored).reshape(-1, rows)
    return list(values.astype(layout.dtypes[0]))


def _little_endian(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")
