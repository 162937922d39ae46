"""Small numbers and pieces of bytes, one after the other; reading never trusts a length."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NoReturn

from isthmus.core.errors import InvalidArchive

if TYPE_CHECKING:
    from collections.abc import Iterable

_VARINT_BYTES = 10


def varint(value: int) -> bytes:
    """Return an integer from 0 to 2⁶⁴ - 1 as 1 to 10 bytes of 7 bits, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """Return a signed 64-bit integer as a `varint`, small magnitudes in few bytes."""
    return varint(2 * value if value >= 0 else -2 * value - 1)


def varints(values: Iterable[int]) -> bytes:
    """Return several `varint` after one another."""
    return b"".join(map(varint, values))


def piece(content: bytes) -> bytes:
    """Return bytes that begin with their length."""
    return varint(len(content)) + content


class Cursor:
    """Reads what the functions of this file wrote.

    Parameters
    ----------
    content : bytes-like
        What is read; it may come from a stranger.
    """

    def __init__(self, content: bytes | memoryview) -> None:
        self._view = memoryview(content)
        self._at = 0

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        return self._at

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._view) - self._at

    def varint(self, limit: int = 2**64 - 1) -> int:
        """Read a `varint` of at most `limit`."""
        value = 0
        for place in range(_VARINT_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if value > limit:
                    refuse(f"the number {value}, where at most {limit} makes sense")
                return value
        return refuse("a number without an end")

    def signed(self) -> int:
        """Read a `signed`."""
        value = self.varint()
        return value >> 1 if value % 2 == 0 else -(value + 1 >> 1)

    def double(self) -> float:
        """Read 8 bytes as a float64."""
        value: float = struct.unpack("<d", self.take(8))[0]
        return value

    def take(self, length: int) -> memoryview:
        """Read so many bytes."""
        if length > self.left:
            refuse(f"an end where {length} bytes more should stand")
        self._at += length
        return self._view[self._at - length : self._at]

    def piece(self) -> memoryview:
        """Read a `piece`."""
        return self.take(self.varint())

    def rest(self) -> memoryview:
        """Read all that is left."""
        return self.take(self.left)

    def close(self) -> None:
        """Refuse bytes that nobody has read."""
        if self.left:
            refuse(f"{self.left} bytes too many")


def refuse(received: str) -> NoReturn:
    """Raise InvalidArchive about bytes that cannot be what `compress` wrote."""
    raise InvalidArchive("compressed data", expected="what compress() wrote", received=received)
