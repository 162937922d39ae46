"""Variable-length integers and length-prefixed bytes, and a reader that checks all lengths."""

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
    """Return several integers, each as a `varint`."""
    return b"".join(map(varint, values))


def length_prefixed(content: bytes) -> bytes:
    """Return bytes preceded by their length."""
    return varint(len(content)) + content


class Cursor:
    """Reads what the functions of this module wrote, and checks lengths before it reads.

    Parameters
    ----------
    content : bytes-like
        The bytes, which may come from an untrusted file.
    """

    def __init__(self, content: bytes | memoryview) -> None:
        self._view = memoryview(content)
        self._at = 0

    @property
    def position(self) -> int:
        """The number of bytes read."""
        return self._at

    @property
    def remaining(self) -> int:
        """The number of bytes not read yet."""
        return len(self._view) - self._at

    def varint(self, limit: int = 2**64 - 1) -> int:
        """Read a `varint` of at most `limit`."""
        value = 0
        for place in range(_VARINT_BYTES):
            byte = self.read(1)[0]
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if value > limit:
                    refuse(f"the number {value}, expected at most {limit}")
                return value
        return refuse("a number of more than 10 bytes")

    def signed(self) -> int:
        """Read an integer that `signed` wrote."""
        value = self.varint()
        return value >> 1 if value % 2 == 0 else -(value + 1 >> 1)

    def double(self) -> float:
        """Read 8 bytes as a float64."""
        value: float = struct.unpack("<d", self.read(8))[0]
        return value

    def read(self, length: int) -> memoryview:
        """Read this many bytes."""
        if length > self.remaining:
            refuse(f"the end of the data, expected {length} more bytes")
        self._at += length
        return self._view[self._at - length : self._at]

    def length_prefixed(self) -> memoryview:
        """Read bytes that `length_prefixed` wrote."""
        return self.read(self.varint())

    def rest(self) -> memoryview:
        """Read all remaining bytes."""
        return self.read(self.remaining)

    def close(self) -> None:
        """Refuse bytes that were not read."""
        if self.remaining:
            refuse(f"{self.remaining} unexpected bytes at the end")


def refuse(received: str) -> NoReturn:
    """Raise InvalidArchive for bytes that `compress` cannot have written."""
    raise InvalidArchive("compressed data", expected="what compress() wrote", received=received)
