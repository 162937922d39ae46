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
    """

    number: int
    name: str
    order: Literal["rows", "columns", "planes"]
    differences: bool


ROWS = MatrixLayout(0, "rows", "rows", differences=False)
LAYOUTS = by_number(
    (
        ROWS,
        MatrixLayout(1, "columns", "columns", differences=False),
        MatrixLayout(2, "differences, rows", "rows", differences=True),
        MatrixLayout(3, "differences, columns", "columns", differences=True),
        MatrixLayout(4, "byte planes", "planes", differences=False),
        MatrixLayout(5, "byte planes of differences", "planes", differences=True),
    )
)
_WIDTHS = (0, 1, 2, 4, 8)


def pack(q: Integers, layout: MatrixLayout, choose: Callable[[bytes], tuple[int, bytes]]) -> bytes:
    """Return a compressed matrix, for `unpack`.

    Parameters
    ----------
    q : int64 array of shape (n, m)
        The integers.
    layout : MatrixLayout
    choose : function of bytes
        Returns the number of a compressor and the compressed bytes.
    """
    base = q[:1] if layout.differences else q.min(axis=0, keepdims=True)
    whole = _zigzag(np.diff(q, axis=0, prepend=q[:1])) if layout.differences else _less(q, base)
    width = next(w for w in _WIDTHS if int(whole.max()) < 1 << 8 * w)
    narrow = whole.astype(f"<u{width}") if width else np.empty((0, 0), np.uint8)
    if layout.order == "columns":
        narrow = narrow.T
    elif layout.order == "planes":
        narrow = narrow.T.reshape(-1, 1).view(np.uint8).T
    number, packed = choose(np.ascontiguousarray(narrow).tobytes())
    head = bytes([layout.number, number, width]) + b"".join(signed(int(each)) for each in base[0])
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
    if layout_number not in LAYOUTS or width not in _WIDTHS:
        refuse(f"the unknown layout {layout_number} of integers of {width} bytes")
    layout = LAYOUTS[layout_number]
    first = np.array([cursor.signed() for _ in range(columns)], dtype=np.int64)
    size = rows * columns * width
    content = np.frombuffer(general_compressors.unpack(number, cursor.rest(), size), np.uint8)
    whole = _wide(content, layout, width, (rows, columns))
    if layout.differences:
        return first + np.cumsum(_unzigzag(whole), axis=0, dtype=np.int64)
    return (whole + first.view(np.uint64)).view(np.int64)


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
