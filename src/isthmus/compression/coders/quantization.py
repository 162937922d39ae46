"""Quantization of columns to integers, with every value within its error bound.

Several grids keep a bound: the finest, which restores integers and decimals exactly, and coarser
ones. If the values are multiples of a step, as counts and sensor readings are, a coarser grid joins
a whole number of steps in each interval: more than an interval as wide as the bound allows would
hold on average. The grid with the fewest bits in a sample is used. A lattice is left for floats
that are not decimals, and their bits if no grid restores them. Values that would not be restored,
such as NaN and infinities, are stored unchanged (*patches*).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.byte_cursor import length_prefixed, refuse, varint
from isthmus.compression.coders.quantizers import (
    ALIGNED,
    BITS,
    DECIMALS,
    HALVES,
    INTEGERS,
    LATTICE,
    MOST_PLACES,
    Quantizer,
    signed_type,
    whole_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.compression.coders.byte_cursor import Cursor

    Integers = NDArray[np.int64]

_PHASES = 8
"""All places of a grid are tried, and exact values, if at most this many steps are joined."""
_FINE = 64
"""Of floats, at most this many steps are joined; a lattice is nearly as coarse, and is shorter."""
_SAMPLE = 512
_COSTED = 1 << 13
"""Values on which grids are compared."""
_EXACT = 2.0**52
_MOST_STEP = 2**50
_ROOM = 2**62
"""Beyond this, integer arithmetic could overflow."""


def to_integers(
    values: NDArray[Any], bound: float, tried: Sequence[Quantizer] | None = None
) -> tuple[Quantizer, Integers, NDArray[np.intp]]:
    """Quantize a column.

    Parameters
    ----------
    values : array of shape (n,)
        Booleans, integers or floats, in native byte order.
    bound : float
        The error bound; 0 is lossless.
    tried : sequence of Quantizer, optional
        The quantizers to try, the first that fits is used; those of `candidates` by default.

    Returns
    -------
    quantizer, integers, patches
        The quantizer; the integers, (n,); and the rows whose values it would not restore.
    """
    for candidate in candidates(values, bound) if tried is None else tried:
        q = candidate.integers(values)
        if values.dtype.kind in "biu":
            return candidate, q, np.empty(0, np.intp)
        patches = np.flatnonzero(~_within(candidate.values(q, values.dtype), values, bound))
        failed = len(patches) - np.count_nonzero(~np.isfinite(values[patches]))
        if failed <= len(values) // 64:
            q[patches] = _before(q, patches)
            return candidate, q, patches
    bits = Quantizer(BITS)
    return bits, bits.integers(values), np.empty(0, np.intp)


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


def candidates(values: NDArray[Any], bound: float) -> list[Quantizer]:
    """Return quantizers of a column that keep a bound, the most promising first.

    For floats, none may be suitable.
    """
    if values.dtype.kind == "b":
        return [Quantizer(INTEGERS)]
    found = _of_integers(values, bound) if values.dtype.kind in "iu" else _of_floats(values, bound)
    if bound == 0 or len(found) < 2:
        return found
    sample = _sampled(values)
    return sorted(found, key=lambda each: _cost(each, sample, bound))


def _of_integers(values: NDArray[Any], bound: float) -> list[Quantizer]:
    if not len(values) or (
        values.dtype.itemsize == 8 and (int(values.max()) >= _ROOM or int(values.min()) <= -_ROOM)
    ):
        return [Quantizer(INTEGERS)]
    whole = whole_numbers(values)
    step = _common_step(whole)
    base = int(whole[0]) % step
    joined = 2 * int(min(bound, _ROOM)) // step + 1
    return _grids(base, step, [joined], places=0, halves=False)


def _of_floats(values: NDArray[Any], bound: float) -> list[Quantizer]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return [Quantizer(DECIMALS)]
    largest = float(np.abs(finite).max())
    # Leave room for the error of rounding the largest value to the column's type.
    with np.errstate(over="ignore"):
        margin = bound * (1 - 4 * float(np.finfo(finite.dtype).eps))
        margin -= float(np.spacing(finite.dtype.type(largest))) / 2
    found: list[Quantizer] = []
    fine = False
    places = _decimal_places(finite)
    if places is not None and 2 * largest * 10**places < _EXACT:
        whole = np.rint(finite.astype(np.float64) * 10.0**places).astype(np.int64)
        step = _common_step(whole)
        if bound == 0 and _span(Quantizer(BITS).integers(finite)) < _span(whole) // step:
            return []  # the digits are those of the type, not of the values
        # A value that is exactly between two others may need the whole bound.
        widths = [2 * each * 10**places / step for each in (bound * (1 + 1e-12), margin)]
        joined = [int(min(max(width, 0), _MOST_STEP)) + 1 for width in widths]
        found = _grids(int(whole[0]) % step, step, joined, places=places, halves=True)
        fine = max(joined) > _FINE
    if 1e-30 < 2 * margin < 1e30 and largest / margin < _EXACT:
        lattice = np.float32(2 * margin)
        lattice = lattice if lattice <= 2 * margin else np.nextafter(lattice, np.float32(0))
        found = [*(() if fine else found), Quantizer(LATTICE, float(lattice))]
    return found


def _grids(
    base: int, step: int, joined: Sequence[int], *, places: int, halves: bool
) -> list[Quantizer]:
    """Return grids of ``base + k · step`` that join several steps, and the exact one if few."""
    found = []
    joined = [min(each, max(1, _MOST_STEP // step)) for each in joined]
    for many in sorted({*joined, *([1] if max(joined) <= _PHASES else [])}):
        width = (many - 1) * step
        phases = range(many) if many <= _PHASES else [round((-width / 2 - base) / step)]
        for phase in phases:
            twice = 2 * (base + phase * step) + width
            if halves and twice % 2:
                found.append(Quantizer(HALVES, 2 * many * step, places, twice % (2 * many * step)))
                continue
            offset = twice // 2 % (many * step)
            mode = ALIGNED if offset else DECIMALS if halves else INTEGERS
            found.append(Quantizer(mode, many * step, places, offset))
    return found


def _common_step(whole: Integers) -> int:
    """Return the greatest common divisor of all differences; 1 if all are 0."""
    for some in (whole[:_SAMPLE], whole):
        step = int(np.gcd.reduce(some - some[0]))
        if step == 1:
            break
    return step if 0 < step <= _MOST_STEP else 1


def _span(q: Integers) -> int:
    return int(q.max()) - int(q.min())


def _decimal_places(finite: NDArray[Any]) -> int | None:
    """Return how many decimal places represent a sample of floats exactly, or None."""
    sample = finite[:: max(1, len(finite) // _SAMPLE)]
    wide = sample.astype(np.float64)
    for places in range(MOST_PLACES + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            back = (np.rint(wide * 10.0**places) / 10.0**places).astype(sample.dtype)
        if np.count_nonzero(back != sample) <= len(sample) // 64:
            return places
    return None


def _sampled(values: NDArray[Any]) -> NDArray[Any]:
    """Return all values, or four runs of them."""
    if len(values) <= _COSTED:
        return values
    length = _COSTED // 4
    starts = [(len(values) - length) * k // 3 for k in range(4)]
    return np.concatenate([values[start : start + length] for start in starts])


def _cost(quantizer: Quantizer, values: NDArray[Any], bound: float) -> float:
    """Estimate the bits of quantized values: their entropy or that of their differences."""
    q = quantizer.integers(values)
    entropy = min(_bits(q), _bits(np.diff(q, prepend=q[:1])))
    if values.dtype.kind != "f":
        return entropy
    back = quantizer.values(q, values.dtype)
    patches = np.count_nonzero(~_within(back, values, bound) & np.isfinite(values))
    return entropy + float(patches) * 8 * (4 + values.dtype.itemsize)


def _bits(q: Integers) -> float:
    """Return the entropy of all integers in bits, and what their frequencies may take."""
    low, high = int(q.min()), int(q.max())
    if high - low < 1 << 16:
        counts = np.bincount(q - low)
        counts = counts[counts > 0]
    else:
        counts = np.unique(q, return_counts=True)[1]
    return float(counts @ np.log2(len(q) / counts)) + 8.0 * len(counts)


def _within(back: NDArray[Any], values: NDArray[Any], bound: float) -> NDArray[np.bool_]:
    if bound == 0:
        kind = signed_type(values.dtype)
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
