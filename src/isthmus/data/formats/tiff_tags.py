"""Reads from the header of a TIFF file what its samples are, as TIFF 6.0 (Adobe, 1992) says."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_BIG = (b"II+\0", b"MM\0+")
_BITS, _SAMPLES, _FORMAT = 258, 277, 339
_SHORT = 3
_MOST_SAMPLES = 1024
_UNSIGNED, SIGNED, _FLOAT = 1, 2, 3
_EXACT = {(_UNSIGNED, 16), (SIGNED, 16), (SIGNED, 32), (_FLOAT, 32)}
"""Samples of more than 8 bits that Pillow reads as they are, if a pixel has one."""
_MOST_CHANNELS = 4


class TiffSamples(NamedTuple):
    """The samples of the first image of a TIFF file."""

    kind: int
    """1 for unsigned integers, 2 for signed ones, 3 for floats."""
    bits: int
    channels: int

    @property
    def plain(self) -> bool:
        """Whether Pillow reads them without losing bits or channels."""
        if self.channels > _MOST_CHANNELS:
            return False
        if self.bits <= 8:
            return self.kind == _UNSIGNED
        return self.channels == 1 and (self.kind, self.bits) in _EXACT


def tiff_samples(file: Path) -> TiffSamples | None:
    """Return what the samples of a TIFF file are; None if it is no TIFF file.

    Raises
    ------
    OSError, struct.error
        The file cannot be read, or is cut off.
    """
    with file.open("rb") as opened:
        start = opened.read(4)
        if start in _BIG:  # files beyond 4 GB, which Pillow reads in part
            return TiffSamples(_UNSIGNED, 64, 1)
        if start not in _ORDERS:
            return None
        order = _ORDERS[start]
        (place,) = struct.unpack(f"{order}I", opened.read(4))
        opened.seek(place)
        (entries,) = struct.unpack(f"{order}H", opened.read(2))
        content = opened.read(12 * entries)
        if len(content) < 12 * entries:
            raise struct.error("a header that is cut off")
        found: dict[int, tuple[int, ...]] = {}
        for tag, kind, count, field in struct.iter_unpack(f"{order}HHI4s", content):
            if tag not in (_BITS, _SAMPLES, _FORMAT) or kind != _SHORT or count > _MOST_SAMPLES:
                continue
            if count > 2:
                opened.seek(struct.unpack(f"{order}I", field)[0])
                field = opened.read(2 * count)
            found[tag] = struct.unpack(f"{order}{count}H", field[: 2 * count])
    bits = found.get(_BITS, (1,))
    return TiffSamples(
        max(found.get(_FORMAT, (_UNSIGNED,))), max(bits), found.get(_SAMPLES, (len(bits),))[0]
    )
