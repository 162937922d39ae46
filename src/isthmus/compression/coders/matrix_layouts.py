"""Byte layouts of integer matrices that suit general-purpose compressors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.byte_cursor import Cursor, refuse, signed
from isthmus.compression.coders.numbering import by_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Whole = NDArray[np.uint64]


class MatrixLayout(NamedTuple):
    """An order of the bytes of an integer matrix.

    Parameters
    ----------
    number : int
        Identifies it in files; see `by_number`.
    name : str
        Shown to users.
    order : "rows", "columns" or "planes"
        Row by row, column by column, or column by column with the first bytes of all integers
        first (byte planes).
    differences : bool
        Whether each integer is stored as its difference from the one in the row before.
    shared_base : bool
        Whether one number, not one for each column, is subtracted from all integers.
    bits : bool
        Whether integers take 1, 2 or 4 bits. Differences are then modulo 2, 4 or 16.
    """

    number: int
    name: str
    order: Literal["rows", "columns", "planes"]
    differences: bool
    shared_base: bool = False
    bits: bool = False

    def suits(self, q: Integers) -> bool:
        """Whether the layout may be the best one of a matrix, and can hold it."""
        if self.bits:
            return int(q.max()) - int(q.min()) < 1 << _BITS[-1]
        return self.shared_base is (q.shape[1] > _MANY_COLUMNS)


ROWS = MatrixLayout(0, "rows", "rows", differences=False)
_OWN_BASES = (
    ROWS,
    MatrixLayout(1, "columns", "columns", differences=False),
    MatrixLayout(2, "differences, rows", "rows", differences=True),
    MatrixLayout(3, "differences, columns", "columns", differences=True),
    MatrixLayout(4, "byte planes", "planes", differences=False),
    MatrixLayout(5, "byte planes of differences", "planes", differences=True),
)
LAYOUTS = by_number(
    (
        *_OWN_BASES,
        *(each._replace(number=6 + each.number, shared_base=True) for each in _OWN_BASES),
        MatrixLayout(12, "bits, rows", "rows", False, True, True),
        MatrixLayout(13, "bits, columns", "columns", False, True, True),
        MatrixLayout(14, "bits of differences, rows", "rows", True, True, True),
        MatrixLayout(15, "bits of differences, columns", "columns", True, True, True),
    )
)
_WIDTHS = (0, 1, 2, 4, 8)
_BITS = (1, 2, 4)
_MANY_COLUMNS = 64
"""Of more columns, the bases would take more than they save."""


def pack(q: Integers, layout: MatrixLayout, choose: Callable[[bytes], tuple[int, bytes]]) -> bytes:
    """Return a compressed matrix, for `unpack`.

    Parameters
    ----------
    q : int64 array of shape (n, m)
        The integers.
    layout : MatrixLayout
        One that can hold them; see `MatrixLayout.suits`.
    choose : function of bytes
        Returns the number of a compressor and the compressed bytes.
    """
    if layout.shared_base:
        bases = q.min().reshape(1, 1)
    else:
        bases = q[:1] if layout.differences else q.min(axis=0, keepdims=True)
    whole = _less(q, bases)
    if layout.bits:
        width, content = _bits(whole, layout)
    else:
        width, content = _bytes(whole, layout)
    number, packed = choose(content)
    head = bytes([layout.number, number, width]) + b"".join(signed(int(b)) for b in bases[0])
    return head + packed


def unpack(head: memoryview, packed: memoryview, rows: int, columns: int) -> Integers:
    """Return the matrix of shape (rows, columns) that `pack` compressed; raises InvalidArchive.

    Parameters
    ----------
    head, packed : bytes-like
        The first two bytes, and the remaining bytes.
    rows, columns : int
        The shape. 8 bytes are allocated for each integer.
    """
    cursor = Cursor(packed)
    layout_number, number = head
    width = cursor.read(1)[0]
    layout = LAYOUTS.get(layout_number)
    if layout is None or width not in (_BITS if layout.bits else _WIDTHS):
        refuse(f"the unknown layout {layout_number} of integers of the width {width}")
    count = 1 if layout.shared_base else columns
    bases = np.array([_whole(cursor.signed()) for _ in range(count)], dtype=np.int64)
    shape = rows, columns
    if layout.bits:
        lines, length = shape if layout.order == "rows" else shape[::-1]
        size = lines * -(-length * width // 8)
    else:
        size = rows * columns * width
    content = np.frombuffer(general_compressors.unpack(number, cursor.rest(), size), np.uint8)
    if layout.bits:
        return bases + _from_bits(content, layout, width, shape).astype(np.int64)
    whole = _wide(content, layout, width, shape)
    if layout.differences:
        return bases + np.cumsum(_unzigzag(whole), axis=0, dtype=np.int64)
    return (whole + bases.view(np.uint64)).view(np.int64)


def _bytes(whole: Whole, layout: MatrixLayout) -> tuple[int, bytes]:
    """Return the width of integers or their differences in bytes, and the bytes in order."""
    if layout.differences:
        whole = _zigzag(np.diff(whole, axis=0, prepend=np.uint64(0)).view(np.int64))
    width = next(w for w in _WIDTHS if int(whole.max()) < 1 << 8 * w)
    narrow = whole.astype(f"<u{width}") if width else np.empty((0, 0), np.uint8)
    if layout.order == "columns":
        narrow = narrow.T
    elif layout.order == "planes":
        narrow = narrow.T.reshape(-1, 1).view(np.uint8).T
    return width, np.ascontiguousarray(narrow).tobytes()


def _bits(whole: Whole, layout: MatrixLayout) -> tuple[int, bytes]:
    """Return how many bits integers have, and the bits; each row or column begins a byte."""
    width = next(w for w in _BITS if int(whole.max()) < 1 << w)
    narrow: NDArray[np.uint8] = whole.astype(np.uint8)
    if layout.differences:
        narrow = np.diff(narrow, axis=0, prepend=np.uint8(0)) & np.uint8((1 << width) - 1)
    lines = narrow if layout.order == "rows" else narrow.T
    places = lines[:, :, None] >> np.arange(width - 1, -1, -1, dtype=np.uint8) & 1
    return width, np.packbits(places.reshape(len(lines), -1), axis=1).tobytes()


def _from_bits(
    content: NDArray[np.uint8], layout: MatrixLayout, width: int, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    lines, length = shape if layout.order == "rows" else shape[::-1]
    places = np.unpackbits(content.reshape(lines, -1), axis=1, count=length * width)
    places = places.reshape(lines, length, width) << np.arange(width - 1, -1, -1, dtype=np.uint8)
    narrow: NDArray[np.uint8] = places.sum(axis=2, dtype=np.uint8)
    narrow = narrow if layout.order == "rows" else narrow.T
    if layout.differences:
        narrow = np.cumsum(narrow, axis=0, dtype=np.uint8) & np.uint8((1 << width) - 1)
    return narrow


def _whole(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        refuse(f"the base {value}")
    return value


def _wide(content: NDArray[Any], layout: MatrixLayout, width: int, shape: tuple[int, int]) -> Whole:
    rows, columns = shape
    if not width:
        return np.zeros(shape, dtype=np.uint64)
    if layout.order == "planes":
        content = np.ascontiguousarray(content.reshape(width, -1).T).reshape(-1)
    narrow = content.view(f"<u{width}")
    if layout.order == "rows":
        return narrow.reshape(rows, columns).astype(np.uint64)
    return narrow.reshape(columns, rows).T.astype(np.uint64)


def _less(q: Integers, base: Integers) -> Whole:
    return q.view(np.uint64) - base.view(np.uint64)  # modulo 2⁶⁴, as in `unpack`


def _zigzag(q: Integers) -> Whole:
    return ((q << 1) ^ (q >> 63)).view(np.uint64)


def _unzigzag(whole: Whole) -> Integers:
    return (whole >> np.uint64(1)).view(np.int64) ^ -(whole & np.uint64(1)).view(np.int64)
