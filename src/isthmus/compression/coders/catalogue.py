"""The coders of numeric blocks by name; the smallest result is kept, and the file says whose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from isthmus.compression.coders import general_compressors, matrix_bytes
from isthmus.compression.coders.block import ColumnBlock, Layout, from_integers
from isthmus.compression.coders.byte_cursor import Cursor, piece, refuse
from isthmus.compression.coders.context_mixing import MOST_CELLS, ContextMixing
from isthmus.compression.coders.residual_tables import ResidualTables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

SAMPLE_CELLS = 1 << 14
"""A contest is held on so many numbers of a larger block."""
MARGIN = 1.03
"""Who is this much larger on the sample is not tried on the whole block."""
FRESH = 8
"""So many large blocks have one sample."""


class Coder(Protocol):
    """Makes bytes of a block.

    One that learns has `to_arrays` besides, and is a thing of its own for each fit.
    """

    name: str
    number: int
    """In files, for ever."""

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the block as bytes, None if it is not of a kind that this coder takes."""

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns, each (rows,); raises InvalidArchive."""

    def describe(self, packed: memoryview) -> str:
        """Return in words how the bytes were made."""


class BlockEncoder(Protocol):
    """Makes bytes of blocks, in one way or another."""

    def encode(self, block: ColumnBlock) -> tuple[bytes, float]:
        """Return a block's bytes, for `decode`, and the largest error."""


class GeneralPurposeCoder:
    """Well-known compressors: of the values as they are, or of integers made of them."""

    name, number = "plain", 0

    def __init__(self, layout: int, choose: Callable[[bytes], tuple[int, bytes]]) -> None:
        self._layout, self._choose = layout, choose

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the block as bytes in the one layout."""
        if self._layout in _AS_THEY_ARE:
            if not block.layout.uniform:
                return None
            values = np.stack(block.columns, axis=1)
            values = values.astype(_little(values.dtype))
            if self._layout == _VALUE_PLANES:
                values = values.T.reshape(-1, 1).view(np.uint8).T
            number, packed = self._choose(values.tobytes())
            return bytes([self._layout, number]) + packed
        matrix, kept = block.integers
        packed = matrix_bytes.pack(matrix, self._layout, self._choose)
        return packed[:2] + piece(kept) + packed[2:]

    @staticmethod
    def decode(packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns."""
        cursor = Cursor(packed)
        head = cursor.take(2)
        if head[0] in _AS_THEY_ARE:
            if not layout.uniform:
                refuse("columns of several types where one was expected")
            content = general_compressors.unpack(head[1], cursor.rest(), rows * layout.row_bytes)
            kind = _little(layout.dtypes[0])
            if head[0] == _VALUES:
                values = np.frombuffer(content, kind).reshape(rows, -1).T
            else:
                planes = np.frombuffer(content, np.uint8).reshape(kind.itemsize, -1)
                values = planes.T.copy().view(kind).reshape(-1, rows)
            return list(values.astype(layout.dtypes[0]))
        kept = Cursor(cursor.piece())
        matrix = matrix_bytes.unpack(head, cursor.rest(), rows, len(layout.dtypes))
        columns = from_integers(matrix, kept, layout)
        kept.close()
        return columns

    @staticmethod
    def describe(packed: memoryview) -> str:
        """Return the compressor and the layout."""
        compressor = general_compressors.COMPRESSORS[packed[1]].name
        layout = _AS_THEY_ARE.get(packed[0]) or matrix_bytes.LAYOUTS[packed[0]]
        return f"{compressor} ({layout})"


_VALUES, _VALUE_PLANES = 255, 254
_AS_THEY_ARE = {_VALUES: "values", _VALUE_PLANES: "byte planes of values"}
_DECODERS: Mapping[int, Any] = {
    each.number: each for each in (GeneralPurposeCoder, ContextMixing, ResidualTables)
}


class CoderSelection:
    """Encodes the blocks of a file, each as the fewest bytes that any coder makes of it.

    On a block of many numbers only those coders are tried that do well on a sample of it, which
    is taken anew once in a while.

    Parameters
    ----------
    fitted : sequence of Coder
        Those that have learned from data like these.
    """

    def __init__(self, fitted: Sequence[Coder] = ()) -> None:
        every = [
            GeneralPurposeCoder(layout, general_compressors.smallest)
            for layout in (*matrix_bytes.LAYOUTS, *_AS_THEY_ARE)
        ]
        self._every: list[Any] = [*every, ContextMixing(), ResidualTables(), *fitted]
        self._fitted = fitted
        self._promising: list[Any] = []
        self._blocks = 0

    def encode(self, block: ColumnBlock) -> tuple[bytes, float]:
        """Return a block's bytes, once they are decoded and found right, and the largest error.

        Parameters
        ----------
        block : Block
            At least one row and one column.
        """
        results = [(each, each.encode(block)) for each in self._contestants(block)]
        packed = [bytes([each.number]) + found for each, found in results if found is not None]
        for candidate in sorted(packed, key=len):
            back = decode(memoryview(candidate), block.rows, block.layout, self._fitted)
            errors = [_error(*each) for each in zip(block.columns, back, block.bounds, strict=True)]
            if None not in errors:
                return candidate, max(error or 0.0 for error in errors)
        raise RuntimeError("no coder gave the values back")  # pragma: no cover

    def _contestants(self, block: ColumnBlock) -> list[Any]:
        if not self._blocks and block.rows * len(block.columns) <= 2 * SAMPLE_CELLS:
            return self._every
        if block.rows * len(block.columns) > MOST_CELLS:
            # It is no use to be thorough with what is left at the end of a large file.
            self._every = [each for each in self._every if not isinstance(each, ContextMixing)]
        if self._blocks % FRESH == 0:
            self._promising = _promising(self._every, block.sample(SAMPLE_CELLS))
        self._blocks += 1
        return self._promising


def _error(values: NDArray[Any], back: NDArray[Any], bound: float) -> float | None:
    """Return the largest distance of values from what they came back as, None if beyond bounds."""
    same = values == back
    if values.dtype.kind == "f":
        bits = f"u{values.dtype.itemsize}"
        alike = values.view(bits) == back.view(bits)
        same = alike if bound == 0 else alike | same
    if same.all():
        return 0.0
    if bound == 0:
        return None
    ahead, behind = np.maximum(values, back)[~same], np.minimum(values, back)[~same]
    if values.dtype.kind == "f":
        ahead, behind = ahead.astype(np.float64), behind.astype(np.float64)
    else:
        ahead, behind = ahead.astype(object), behind.astype(object)
    worst = float((ahead - behind).max())
    return worst if worst <= bound else None


def decode(
    packed: memoryview, rows: int, layout: Layout, fitted: Sequence[Coder] = ()
) -> list[NDArray[Any]]:
    """Return the columns of a block, each (rows,).

    Raises
    ------
    InvalidArchive
        The bytes are not what `encode` made, or need a model that is not among `fitted`.
    """
    cursor = Cursor(packed)
    coder = _coder(cursor.take(1)[0], fitted)
    columns: list[NDArray[Any]] = coder.decode(cursor.rest(), rows, layout)
    return columns


def describe(packed: memoryview, fitted: Sequence[Coder] = ()) -> str:
    """Return in words which coder made the bytes of a block; raises InvalidArchive."""
    coder = _coder(Cursor(packed).take(1)[0], fitted)
    try:
        words: str = coder.describe(packed[1:])
    except (IndexError, KeyError):
        refuse("a block that was made in no known way")
    return words


def _coder(number: int, fitted: Sequence[Coder]) -> Any:
    for each in fitted:
        if each.number == number:
            return each
    if number not in _DECODERS:
        refuse(f"a block of coder {number}, which is unknown or needs its model")
    return _DECODERS[number]


def _promising(contestants: Sequence[Any], sample: ColumnBlock) -> list[Any]:
    """Return who does about best on a sample; of plain ones, with the compressor that did."""
    results = [(each, each.encode(sample)) for each in contestants]
    sizes = {id(each): len(packed) for each, packed in results if packed is not None}
    best = min(sizes.values()) * MARGIN + 16
    kept = []
    for each, packed in results:
        # A sample has too few numbers for tables of their odds to pay.
        if packed is not None and (len(packed) <= best or isinstance(each, ResidualTables)):
            kept.append(
                GeneralPurposeCoder(each._layout, _only(packed[1]))
                if isinstance(each, GeneralPurposeCoder)
                else each
            )
    return kept


def _only(number: int) -> Callable[[bytes], tuple[int, bytes]]:
    return lambda content: (number, general_compressors.COMPRESSORS[number].encode(content))


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")
