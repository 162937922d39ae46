"""Chunks of arrays as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.container_reading import read_whole
from isthmus.core.errors import InvalidArchive, InvalidParameter

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_max_error(max_error: Any) -> float:
    """Return an error bound that a store may state; raises InvalidParameter."""
    number = isinstance(max_error, (int, float)) and not isinstance(max_error, bool)
    if not (number and 0 <= max_error < np.inf):
        raise InvalidParameter(
            "max_error", expected="a number of at least 0", received=repr(max_error)
        )
    return float(max_error)


def encoded(values: NDArray[Any], max_error: float) -> bytes:
    """Return a chunk as bytes; raises InvalidData if its type is not one of numbers."""
    from isthmus.compression.codec import Codec

    exact = values.dtype.kind == "b"
    rows = np.ascontiguousarray(values).reshape(values.shape or (1,))
    return Codec(max_error=0 if exact else max_error).fit(rows[:0]).compress(rows)


def decoded(content: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the values of a chunk.

    Raises
    ------
    InvalidArchive
        The bytes are damaged, or of an array of another size or type.
    """
    found = read_whole(content, None)
    same = isinstance(found, np.ndarray) and found.dtype.newbyteorder("=") == dtype.newbyteorder(
        "="
    )
    if not same or found.size != int(np.prod(shape)):
        received = f"{found.dtype} of {found.shape}" if isinstance(found, np.ndarray) else "a table"
        raise InvalidArchive(
            "a chunk", expected=f"{dtype} of {shape}", received=received, remedy="write it again"
        )
    values: NDArray[Any] = found.astype(dtype, copy=False).reshape(shape)
    return values
