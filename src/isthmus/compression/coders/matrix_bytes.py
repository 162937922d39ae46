"""Integer matrices as bytes that compressors of bytes do well with, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.byte_cursor import Cursor, refuse, signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Whole = NDArray[np.uint64]

ROWS, COLUMNS, ROW_STEPS, COLUMN_STEPS, ROW_PLANES, STEP_PLANES = range(6)
LAYOUTS = {
    ROWS: "rows",
    COLUMNS: "columns",
    ROW_STEPS: "differences, rows",
    COLUMN_STEPS: "differences, columns",
    ROW_PLANES: "byte planes",
    STEP_PLANES: "byte planes of differences",
}
"""How the integers are laid out, by the number in files."""
_WIDTHS = (0, 1, 2, 4, 8)


def pack(q: Integers, layout: int, choose: Callable[[bytes], tuple[int, bytes]]) -> bytes:
    """Return a matrix as bytes, for `unpack`.

    Parameters
    ----------
    q : int64 array of shape (n, m)
        The integers.
    layout : int
        One of `LAYOUTS`.
    choose : function of bytes
        Returns the number of a compressor and what it makes of the bytes.
    """
    base = q[:1] if _steps(layout) else q.min(axis=0, keepdims=True)
    whole = _zigzag(np.diff(q, axis=0, prepend=q[:1])) if _steps(layout) else _less(q, base)
    width = next(w for w in _WIDTHS if int(whole.max()) < 1 << 8 * w)
    narrow = whole.astype(f"<u{width}") if width else np.empty((0, 0), np.uint8)
    if layout in (COLUMNS, COLUMN_STEPS):
        narrow = narrow.T
    elif layout in (ROW_PLANES, STEP_PLANES):
        narrow = narrow.T.reshape(-1, 1).view(np.uint8).T
    number, packed = choose(np.ascontiguousarray(narrow).tobytes())
    head = bytes([layout, number, width]) + b"".join(signed(int(each)) for each in base[0])
    return head + packed


def unpack(head: memoryview, packed: memoryview, rows: int, columns: int) -> Integers:
    """Return the matrix of shape (rows, columns) that `pack` made bytes of.

    Parameters
    ----------
    head, packed : bytes-like
        The first two bytes, and the others.
    rows, columns : int
        Their product times 8 is what this may allocate.
    """
    cursor = Cursor(packed)
    layout, number = head
    width = cursor.take(1)[0]
    if layout not in LAYOUTS or width not in _WIDTHS:
        refuse(f"the layout {layout} of {width} bytes each, which is none")
    first = np.array([cursor.signed() for _ in range(columns)], dtype=np.int64)
    size = rows * columns * width
    content = np.frombuffer(general_compressors.unpack(number, cursor.rest(), size), np.uint8)
    whole = _wide(content, layout, width, (rows, columns))
    if _steps(layout):
        return first + np.cumsum(_unzigzag(whole), axis=0, dtype=np.int64)
    return (whole + first.view(np.uint64)).view(np.int64)


def _wide(content: NDArray[Any], layout: int, width: int, shape: tuple[int, int]) -> Whole:
    rows, columns = shape
    if not width:
        return np.zeros(shape, dtype=np.uint64)
    if layout in (ROW_PLANES, STEP_PLANES):
        content = np.ascontiguousarray(content.reshape(width, -1).T).reshape(-1)
    narrow = content.view(f"<u{width}")
    if layout in (ROWS, ROW_STEPS):
        return narrow.reshape(rows, columns).astype(np.uint64)
    return narrow.reshape(columns, rows).T.astype(np.uint64)


def _steps(layout: int) -> bool:
    return layout in (ROW_STEPS, COLUMN_STEPS, STEP_PLANES)


def _less(q: Integers, base: Integers) -> Whole:
    return q.view(np.uint64) - base.view(np.uint64)  # modulo 2⁶⁴, as is the way back


def _zigzag(q: Integers) -> Whole:
    return ((q << 1) ^ (q >> 63)).view(np.uint64)


def _unzigzag(whole: Whole) -> Integers:
    return (whole >> np.uint64(1)).view(np.int64) ^ -(whole & np.uint64(1)).view(np.int64)
