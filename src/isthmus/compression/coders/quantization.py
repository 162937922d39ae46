"""Quantization of columns to integers and back, with every value within its error bound.

Each column is converted to 64-bit integers q by the first of these quantizers that fits. Its values
are restored as:

=========  ==============================================================================
integers   ``q · step``, of any integer type, `step` being odd
decimals   ``q · step / 10^p``: floats that are multiples of a power of ten, such as 21.3
lattice    ``q · step`` in float64, rounded to the column's type
bits       the float with the bits q; these integers have the order of the floats
=========  ==============================================================================

Each formula is one multiplication or division in float64, which IEEE 754 defines to the last bit,
so every machine restores the same values. The encoder checks them. Values that would not be
restored, such as NaN and infinities, are stored unchanged (*patches*).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.byte_cursor import length_prefixed, refuse, varint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.byte_cursor import Cursor

    Integers = NDArray[np.int64]

INTEGERS, DECIMALS, LATTICE, BITS = range(4)
_PLACES = 9
"""The largest number of decimal places that is tried."""
_FINE = 32
"""`DECIMALS` is used only if the error bound is at most this many steps of the last place."""
_SAMPLE = 512
_EXACT = 2.0**52


@dataclass(frozen=True)
class Quantizer:
    """Restores the values of a column from its integers.

    Parameters
    ----------
    mode : int
        `INTEGERS`, `DECIMALS`, `LATTICE` or `BITS`.
    step : float
        The quantization step: a whole number, except on a lattice.
    places : int
        The number of decimal places.
    """

    mode: int
    step: float = 1
    places: int = 0

    def values(self, q: Integers, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the values of integers in native byte order; overflow of `dtype` does not warn."""
        with np.errstate(over="ignore", invalid="ignore"):
            if self.mode == BITS:
                return _ordered(q.astype(_signed(dtype))).view(dtype)
            if self.mode == INTEGERS:
                return _as_integers(q, int(self.step), dtype)
            product: NDArray[Any] = q.astype(np.float64) * self.step
            if self.mode == DECIMALS:
                product /= 10.0**self.places
            return product.astype(dtype)

    def to_bytes(self) -> bytes:
        """Return the encoded quantizer, for `read_quantizer`."""
        first = bytes([self.mode | self.places << 4])
        if self.mode == LATTICE:
            return first + struct.pack("<f", self.step)
        return first + (b"" if self.mode == BITS else varint(int(self.step)))


def read_quantizer(cursor: Cursor, dtype: np.dtype[Any]) -> Quantizer:
    """Read what `Quantizer.to_bytes` wrote, for values of `dtype`; raises InvalidArchive."""
    first = cursor.read(1)[0]
    mode, places = first & 15, first >> 4
    if mode > BITS or places > _PLACES or (mode == INTEGERS) != (dtype.kind in "biu"):
        refuse(f"the unknown quantizer {first} of {dtype}")
    if mode == BITS:
        return Quantizer(mode)
    if mode == LATTICE:
        step = struct.unpack("<f", cursor.read(4))[0]
        if not (np.isfinite(step) and step > 0):
            refuse(f"the step {step}")
        return Quantizer(mode, step)
    return Quantizer(mode, cursor.varint(2**53), places)


def to_integers(values: NDArray[Any], bound: float) -> tuple[Quantizer, Integers, NDArray[np.intp]]:
    """Quantize a column.

    Parameters
    ----------
    values : array of shape (n,)
        Booleans, integers or floats, in native byte order.
    bound : float
        The error bound; 0 is lossless.

    Returns
    -------
    quantizer, integers, patches
        The quantizer; the integers, (n,); and the rows whose values it would not restore.
    """
    if values.dtype.kind in "biu":
        found = _from_integers(values, bound)
        return found, _over(values, int(found.step)), np.empty(0, np.intp)
    finite = np.isfinite(values)
    for candidate in _candidates(values[finite], bound):
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = values.astype(np.float64) * 10.0**candidate.places / candidate.step
            q = np.rint(np.where(finite, scaled, 0.0)).astype(np.int64)
        patches = np.flatnonzero(~_within(candidate.values(q, values.dtype), values, bound))
        failed = len(patches) - np.count_nonzero(~finite)
        if failed <= len(values) // 64:
            q[patches] = _before(q, patches)
            return candidate, q, patches
    ordered = _ordered(values.view(_signed(values.dtype)))
    return Quantizer(BITS), ordered.astype(np.int64), np.empty(0, np.intp)


def patches_to_bytes(patches: NDArray[np.intp], values: NDArray[Any]) -> bytes:
    """Return the rows and values of patches as bytes, for `patch`."""
    if not len(patches):
        return varint(0)
    gaps = np.diff(patches, prepend=0).astype("<u4").tobytes()
    kept = values[patches].astype(values.dtype.newbyteorder("<")).tobytes()
    number, packed = general_compressors.smallest(gaps + kept)
    return varint(len(patches)) + bytes([number]) + length_prefixed(packed)


def patch(cursor: Cursor, values: NDArray[Any]) -> None:
    """Restore patches in `values`, (n,); raises InvalidArchive."""
    count = cursor.varint(len(values))
    if not count:
        return
    number, itemsize = cursor.read(1)[0], values.dtype.itemsize
    content = general_compressors.unpack(number, cursor.length_prefixed(), count * (4 + itemsize))
    places = np.cumsum(np.frombuffer(content, "<u4", count), dtype=np.int64)
    if places[-1] >= len(values):
        refuse(f"a value at row {places[-1]} of {len(values)}")
    kept = np.frombuffer(content, values.dtype.newbyteorder("<"), count, 4 * count)
    values[places] = kept.astype(values.dtype)


def _signed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"i{dtype.itemsize}")


def _ordered(bits: NDArray[Any]) -> NDArray[Any]:
    """Map the bits of floats to integers in the order of the floats; it is its own inverse."""
    places = 8 * bits.dtype.itemsize - 1
    ordered: NDArray[Any] = bits ^ ((bits >> places) & np.array(2**places - 1, bits.dtype))
    return ordered


def _from_integers(values: NDArray[Any], bound: float) -> Quantizer:
    # An odd step has a middle integer. Beyond 2⁶² the arithmetic would overflow.
    limit = 2**62
    room = values.dtype.itemsize < 8 or not (
        len(values) and (int(values.max()) >= limit or int(values.min()) <= -limit)
    )
    lossy = values.dtype.kind != "b" and room and bound >= 1
    return Quantizer(INTEGERS, 2 * int(min(bound, 2**50)) + 1 if lossy else 1)


def _over(values: NDArray[Any], step: int) -> Integers:
    q = values.view(np.int64) if values.dtype == np.uint64 else values.astype(np.int64)
    return q if step == 1 else (q + step // 2) // step


def _as_integers(q: Integers, step: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    whole = q * np.int64(step)
    if step > 1:
        limits = np.iinfo(dtype)
        whole = np.clip(whole, max(limits.min, -(2**63)), min(limits.max, 2**63 - 1))
    return whole.astype(dtype)


def _candidates(finite: NDArray[Any], bound: float) -> list[Quantizer]:
    """Return the quantizers to try for floats, the one with the smallest integers first."""
    if not len(finite):
        return [Quantizer(DECIMALS)]
    found = []
    largest = float(np.abs(finite).max())
    margin = bound * (1 - 4 * float(np.finfo(finite.dtype).eps))
    places = _decimal_places(finite)
    if places is not None and largest * 10**places < _EXACT:
        steps = int(bound) if places == 0 else int(min(margin * 10**places, 2**40))
        if steps <= _FINE:
            found.append(Quantizer(DECIMALS, 2 * steps + 1, places))
    # Leave room for the error of rounding the largest value to the column's type.
    with np.errstate(over="ignore"):
        step = 2 * margin - float(np.spacing(finite.dtype.type(largest)))
    if step > 1e-30 and step < 1e30 and largest / step < _EXACT:
        lattice = np.float32(step)
        lattice = lattice if lattice <= step else np.nextafter(lattice, np.float32(0))
        found.append(Quantizer(LATTICE, float(lattice)))
    return found


def _decimal_places(finite: NDArray[Any]) -> int | None:
    """Return how many decimal places represent a sample of floats exactly, or None."""
    sample = finite[:: max(1, len(finite) // _SAMPLE)]
    wide = sample.astype(np.float64)
    for places in range(_PLACES + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            back = (np.rint(wide * 10.0**places) / 10.0**places).astype(sample.dtype)
        if np.count_nonzero(back != sample) <= len(sample) // 64:
            return places
    return None


def _within(back: NDArray[Any], values: NDArray[Any], bound: float) -> NDArray[np.bool_]:
    if bound == 0:
        kind = _signed(values.dtype)
        same: NDArray[np.bool_] = back.view(kind) == values.view(kind)
        return same
    with np.errstate(over="ignore", invalid="ignore"):
        distance = np.abs(back.astype(np.float64) - values.astype(np.float64))
        near: NDArray[np.bool_] = np.isfinite(values) & (distance <= bound)
    return near


def _before(q: Integers, places: NDArray[np.intp]) -> Integers:
    """Return the last integer before each place that is not at a place itself; 0 at the start."""
    good = np.ones(len(q), dtype=bool)
    good[places] = False
    last = np.maximum.accumulate(np.where(good, np.arange(len(q)), -1))[places]
    return np.where(last >= 0, q[last], 0)
