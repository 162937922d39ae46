"""General-purpose compressors with one interface; decompression stops at a known size."""

from __future__ import annotations

import bz2
import lzma
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from isthmus.compression.coders.byte_cursor import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SMALL = 1 << 18
"""The largest content, in bytes, for which the slowest settings are used."""
_LARGEST_WINDOW = 1 << 26


class Compressor(NamedTuple):
    """A compressor of bytes.

    ``encode`` takes bytes and, if settings are to suit a larger content, its size. ``decode`` takes
    the packed bytes and the number of bytes to stop after.
    """

    name: str
    encode: Callable[..., bytes]
    decode: Callable[[memoryview, int], bytes]


def unpack(number: int, packed: memoryview, size: int) -> bytes:
    """Decompress to `size` bytes with compressor `number`.

    Raises
    ------
    InvalidArchive
        There is no such compressor, or it cannot decompress the bytes to this size.
    """
    if number >= len(COMPRESSORS):
        refuse(f"the unknown compressor {number}")
    compressor = COMPRESSORS[number]
    try:
        content = compressor.decode(packed, size + 1)
    except (OSError, ValueError, EOFError, lzma.LZMAError, pa.ArrowException) as error:
        refuse(f"bytes that {compressor.name} cannot unpack ({str(error)[:100]})")
    if len(content) != size:
        refuse(f"{'more' if len(content) > size else 'fewer'} than {size} bytes once unpacked")
    return content


def smallest(content: bytes, *, quick: bool = False, factor: float = 1) -> tuple[int, bytes]:
    """Return the number of the compressor with the smallest result, and the result.

    Parameters
    ----------
    content : bytes
        The bytes to compress.
    quick : bool
        Leave out the compressors that are slower than about 20 MB/s.
    factor : float
        How many times larger the content is of which this is a sample. Settings are those for it.
    """
    return _smallest(content, _QUICK if quick else range(len(COMPRESSORS)), factor)


def smallest_after_sample(content: bytes, *, sampled: int, thorough: bool) -> tuple[int, bytes]:
    """Return the number and result of a compressor, chosen with what a sample says.

    Parameters
    ----------
    content : bytes
        The bytes to compress.
    sampled : int
        The compressor that was best on a sample. bz2, which does better on more bytes, is tried
        as well.
    thorough : bool
        Try lzma too, which also does better on more bytes, and is slow.
    """
    return _smallest(content, sorted({sampled, _BZ2, *(_LZMA if thorough else ())}), 1)


def _smallest(content: bytes, tried: Iterable[int], factor: float) -> tuple[int, bytes]:
    size = int(factor * len(content))
    packed = [(number, COMPRESSORS[number].encode(content, size)) for number in tried]
    return min(packed, key=lambda each: len(each[1]))


def quickest(content: bytes) -> tuple[int, bytes]:
    """Return the number of a quick compressor and its result, to estimate sizes."""
    return 1, _arrow("zstd", 3, content)


def _stored(content: bytes, size: int = 0) -> bytes:
    del size
    return content


def _read_stored(packed: memoryview, limit: int) -> bytes:
    return bytes(packed[:limit])


def _zstd(content: bytes, size: int = 0) -> bytes:
    return _arrow("zstd", 19 if max(len(content), size) <= SMALL else 3, content)


def _brotli(content: bytes, size: int = 0) -> bytes:
    return _arrow("brotli", 11 if max(len(content), size) <= SMALL else 4, content)


def _to_bz2(content: bytes, size: int = 0) -> bytes:
    del size
    return bz2.compress(content)


def _arrow(name: str, level: int, content: bytes) -> bytes:
    packed: bytes = pa.Codec(name, compression_level=level).compress(content, asbytes=True)
    return packed


def _arrow_reader(name: str) -> Callable[[memoryview, int], bytes]:
    def decode(packed: memoryview, limit: int) -> bytes:
        # A stream stops at the limit, whereas pyarrow.decompress trusts the stated size.
        with pa.CompressedInputStream(pa.BufferReader(packed), name) as stream:
            content: bytes = stream.read(limit)
            return content

    return decode


def _bz2(packed: memoryview, limit: int) -> bytes:
    return bz2.BZ2Decompressor().decompress(packed, limit)


def _lzma(literal_bits: int, position_bits: int) -> Compressor:
    """Return raw LZMA (without a container) for records of 2**position_bits bytes."""

    def filters(size: int) -> list[dict[str, Any]]:
        window = 1 << max(12, min(size, _LARGEST_WINDOW).bit_length())
        options = {"lc": literal_bits, "lp": 0, "pb": position_bits, "dict_size": window}
        return [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, **options}]

    def encode(content: bytes, size: int = 0) -> bytes:
        del size
        return lzma.compress(content, lzma.FORMAT_RAW, filters=filters(len(content) + 1))

    def decode(packed: memoryview, limit: int) -> bytes:
        reader = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters(limit))
        return reader.decompress(packed, limit)

    return Compressor("lzma", encode, decode)


COMPRESSORS = (
    Compressor("stored", _stored, _read_stored),
    Compressor("zstd", _zstd, _arrow_reader("zstd")),
    Compressor("brotli", _brotli, _arrow_reader("brotli")),
    Compressor("bz2", _to_bz2, _bz2),
    _lzma(3, 2),
    _lzma(0, 0),
)
"""Files store indices of this tuple. Add new compressors at the end, and never remove one."""
_QUICK = (0, 1, 2)
_BZ2, _LZMA = 3, (4, 5)
