"""Bits that are 0 or 1 with equal probability, in a stream of rANS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.entropy.rans import RansDecoder, RansEncoder

    Integers = NDArray[np.int64]

_GROUP = 15
"""Bits are coded in groups of at most this many."""


def push_bits(encoder: RansEncoder, values: Integers, counts: Integers) -> None:
    """Encode the lowest bits of values, so many of each, the highest ones first."""
    left = counts
    while (deep := np.flatnonzero(left > 0)).size:
        values, left = values[deep], left[deep]
        bits = np.minimum(left, _GROUP)
        left = left - bits
        first = ((values >> left) & ((1 << bits) - 1)) << (16 - bits)
        encoder.push(shares(first), shares(first + (1 << (16 - bits))))


def pop_bits(decoder: RansDecoder, counts: Integers) -> Integers:
    """Decode what `push_bits` encoded."""
    found = np.zeros(len(counts), dtype=np.int64)
    left = counts.copy()
    while (deep := np.flatnonzero(left > 0)).size:
        bits = np.minimum(left[deep], _GROUP)
        found[deep] = found[deep] << bits | _uniform(decoder, bits)
        left[deep] -= bits
    return found


def shares(values: Any) -> NDArray[np.uint32]:
    """Return slots, or numbers of slots, in the type of rANS."""
    found: NDArray[np.uint32] = np.asarray(values).astype(np.uint32)
    return found


def _uniform(decoder: RansDecoder, bits: Integers) -> Integers:
    def find(slots: Any, part: slice) -> Any:
        unused = 16 - bits[part]
        found = slots.astype(np.int64) >> unused
        return found, shares(found << unused), shares(np.left_shift(1, unused))

    return decoder.pop(len(bits), find).astype(np.int64)
