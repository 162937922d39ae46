"""Files of one small chunk of an array, with a head of about 10 bytes instead of a manifest.

::

    magic       b"ISZ", and the format number 2 in one byte
    head        1 byte: the number of the type in `_TYPES`, plus 16 for the other byte order, plus
                32 if an error bound follows, plus 64 if rows are not single numbers
    bound       if the head says so: m and e of ``m · 10^e``
    shape       if the head says so: how many dimensions a row has, and their sizes
    rows        their number
    payload     up to the last 4 bytes of the file
    check       the CRC-32 of all bytes before it

Numbers are encoded as `varint`, e as `signed`. The checksum is compared first, so the rest is read
from damaged files only if it was forged.
"""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.compression.coders.byte_cursor import Cursor, refuse, signed, varint, varints

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 2
LARGEST = 1 << 16
"""The largest payload. Beyond it, a head does not count, and a damaged one loses more rows."""
MOST_ROWS = 2**48
_TYPES = ("|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8")
_OTHER_ORDER, _BOUNDED, _SHAPED = 16, 32, 64
_MOST_DIMENSIONS = 31
_MOST_EXPONENT = 400
_CHECK = 4


class SmallFile(NamedTuple):
    """The content of a small file.

    Parameters
    ----------
    manifest : dict
        The type and the shape of rows, and the error bound if it is one for all columns.
    rows : int
        The number of rows; without rows, there is no chunk.
    start, length : int
        The place of the payload in the file.
    """

    manifest: dict[str, Any]
    rows: int
    start: int
    length: int


def to_bytes(magic: bytes, manifest: Mapping[str, Any], rows: int, payload: bytes) -> bytes | None:
    """Return a small file; None if its head cannot describe these rows.

    Parameters
    ----------
    magic : bytes
        What files begin with, before the format number.
    manifest : mapping
        As in larger files. Bounds that differ by column are left out: no reader needs them.
    rows : int
    payload : bytes
    """
    head = _head(manifest)
    if head is None or len(payload) > LARGEST:
        return None
    content = magic + bytes([FORMAT]) + head + varint(rows) + payload
    return content + zlib.crc32(content).to_bytes(_CHECK, "little")


def read(content: bytes, start: int) -> SmallFile:
    """Read a small file from its whole content; its head begins at `start`.

    Raises
    ------
    InvalidArchive
        `to_bytes` cannot have written these bytes.
    """
    body, check = content[:-_CHECK], content[-_CHECK:]
    if len(body) < start or check != zlib.crc32(body).to_bytes(_CHECK, "little"):
        refuse("bytes that do not match their checksum")
    cursor = Cursor(body[start:])
    first = cursor.read(1)[0]
    number = first % _OTHER_ORDER
    if first >= 2 * _SHAPED or number >= len(_TYPES):
        refuse(f"the unknown type {first}")
    name = _TYPES[number]
    if first & _OTHER_ORDER:
        name = np.dtype(name).newbyteorder("S").str
    manifest: dict[str, Any] = {"dtype": name, "row": []}
    if first & _BOUNDED:
        manifest["bound"] = _read_bound(cursor)
    if first & _SHAPED:
        count = cursor.varint(_MOST_DIMENSIONS)
        manifest["row"] = [cursor.varint() for _ in range(count)]
    rows = cursor.varint(MOST_ROWS)
    return SmallFile(manifest, rows, start + cursor.position, cursor.remaining)


def _head(manifest: Mapping[str, Any]) -> bytes | None:
    if not {"dtype", "row"} <= set(manifest) <= {"dtype", "row", "bound"}:
        return None
    name, row, bound = manifest["dtype"], manifest["row"], manifest.get("bound")
    little = name.replace(">", "<") if isinstance(name, str) else ""
    sizes = isinstance(row, list) and all(type(size) is int and 0 <= size < 2**63 for size in row)
    if little not in _TYPES or not sizes or len(row) > _MOST_DIMENSIONS:
        return None
    first = _TYPES.index(little) + (_OTHER_ORDER if name != little else 0)
    rest = b""
    if isinstance(bound, float) and 0 < bound < np.inf:
        first, rest = first + _BOUNDED, _bound(bound)
    elif bound is not None and not isinstance(bound, list):
        return None
    if row:
        first, rest = first + _SHAPED, rest + varint(len(row)) + varints(row)
    return bytes([first]) + rest


def _bound(bound: float) -> bytes:
    """Return the shortest decimal that is the bound; six digits take 4 bytes at most."""
    _, digits, exponent = Decimal(repr(bound)).normalize().as_tuple()
    return varint(int("".join(map(str, digits)))) + signed(int(exponent))


def _read_bound(cursor: Cursor) -> float:
    digits, exponent = cursor.varint(), cursor.signed()
    if abs(exponent) > _MOST_EXPONENT:
        refuse(f"an error bound of {digits}e{exponent}")
    return float(f"{digits}e{exponent}")
