"""Quantizers: formulas that restore the values of a column from integers.

=========  ==============================================================================
integers   ``q · step``, of any integer type, `step` being odd
decimals   ``q · step / 10^p``: floats that are multiples of a power of ten, such as 21.3
lattice    ``q · step`` in float64, rounded to the column's type
bits       the float with the bits q; these integers have the order of the floats
aligned    ``(q · step + offset) / 10^p``, of any integer type (then p = 0) or float
halves     ``(q · step + offset) / (2 · 10^p)``: floats
=========  ==============================================================================

Each formula is integer arithmetic and one multiplication or division in float64, which IEEE 754
defines to the last bit, so every machine restores the same values. Files have the numbers of the
formulas. The first two are aligned ones with the offset 0; new files have them only in that case.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse, signed, varint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.byte_cursor import Cursor

    Integers = NDArray[np.int64]

INTEGERS, DECIMALS, LATTICE, BITS, ALIGNED, HALVES = range(6)
MOST_PLACES = 9
"""The largest number of decimal places."""
_MOST_STEP = 2**53
_MOST_OFFSET = 2**62


@dataclass(frozen=True)
class Quantizer:
    """Restores the values of a column from its integers.

    Parameters
    ----------
    mode : int
        `INTEGERS`, `DECIMALS`, `LATTICE`, `BITS`, `ALIGNED` or `HALVES`.
    step : float
        The quantization step: a whole number, except on a lattice.
    places : int
        The number of decimal places.
    offset : int
        The value of the integer 0, in units of the last place, or half of it for `HALVES`.
    """

    mode: int
    step: float = 1
    places: int = 0
    offset: int = 0

    def values(self, q: Integers, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the values of integers in native byte order; overflow of `dtype` does not warn."""
        with np.errstate(over="ignore", invalid="ignore"):
            if self.mode == BITS:
                return ordered_bits(q.astype(signed_type(dtype))).view(dtype)
            if self.mode == LATTICE:
                return (q.astype(np.float64) * self.step).astype(dtype)
            if self.mode == DECIMALS:
                return (q.astype(np.float64) * self.step / 10.0**self.places).astype(dtype)
            whole = q * np.int64(self.step) + np.int64(self.offset)
            if dtype.kind in "biu":
                return self._within_type(whole, dtype)
            unit = 10.0**self.places * (2 if self.mode == HALVES else 1)
            return (whole.astype(np.float64) / unit).astype(dtype)

    def integers(self, values: NDArray[Any]) -> Integers:
        """Return the nearest integers of values; 0 for values that are not finite."""
        if self.mode == BITS:
            return ordered_bits(values.view(signed_type(values.dtype))).astype(np.int64)
        if values.dtype.kind in "biu":
            return self._nearest(whole_numbers(values))
        finite = np.isfinite(values)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.mode == LATTICE:
                scaled = values.astype(np.float64) / self.step
                return np.rint(np.where(finite, scaled, 0.0)).astype(np.int64)
            scaled = np.where(finite, values.astype(np.float64) * 10.0**self.places, 0.0)
            return self._nearest(np.rint(scaled).astype(np.int64))

    def _nearest(self, whole: Integers) -> Integers:
        step, offset = int(self.step), self.offset
        if self.mode == HALVES:
            whole = 2 * whole
        if step == 1:
            return whole - np.int64(offset) if offset else whole
        return (whole - np.int64(offset) + np.int64(step // 2)) // np.int64(step)

    def _within_type(self, whole: Integers, dtype: np.dtype[Any]) -> NDArray[Any]:
        if self.step > 1:
            limits = np.iinfo(dtype)
            whole = np.clip(whole, max(limits.min, -(2**63)), min(limits.max, 2**63 - 1))
        return whole.astype(dtype)

    def to_bytes(self) -> bytes:
        """Return the encoded quantizer, for `read_quantizer`."""
        first = bytes([self.mode | self.places << 4])
        if self.mode == LATTICE:
            return first + struct.pack("<f", self.step)
        if self.mode == BITS:
            return first
        offset = signed(self.offset) if self.mode in (ALIGNED, HALVES) else b""
        return first + varint(int(self.step)) + offset


def read_quantizer(cursor: Cursor, dtype: np.dtype[Any]) -> Quantizer:
    """Read what `Quantizer.to_bytes` wrote, for values of `dtype`; raises InvalidArchive."""
    first = cursor.read(1)[0]
    mode, places = first & 15, first >> 4
    whole = dtype.kind in "biu"
    known = mode in (INTEGERS, ALIGNED) if whole else INTEGERS < mode <= HALVES
    if not known or places > (0 if whole else MOST_PLACES):
        refuse(f"the unknown quantizer {first} of {dtype}")
    if mode == BITS:
        return Quantizer(mode)
    if mode == LATTICE:
        step = struct.unpack("<f", cursor.read(4))[0]
        if not (np.isfinite(step) and step > 0):
            refuse(f"the step {step}")
        return Quantizer(mode, step)
    size, offset = cursor.varint(_MOST_STEP), 0
    if mode in (ALIGNED, HALVES):
        offset = cursor.signed()
        if not -_MOST_OFFSET < offset < _MOST_OFFSET or not size or dtype.kind == "b":
            refuse(f"a grid of step {size} and offset {offset}")
    return Quantizer(mode, size, places, offset)


def whole_numbers(values: NDArray[Any]) -> Integers:
    """Return integers as int64; those of uint64 above its largest wrap around."""
    return values.view(np.int64) if values.dtype == np.uint64 else values.astype(np.int64)


def signed_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the signed integer type of the same size."""
    return np.dtype(f"i{dtype.itemsize}")


def ordered_bits(bits: NDArray[Any]) -> NDArray[Any]:
    """Map the bits of floats to integers in the order of the floats; it is its own inverse."""
    places = 8 * bits.dtype.itemsize - 1
    found: NDArray[Any] = bits ^ ((bits >> places) & np.array(2**places - 1, bits.dtype))
    return found
