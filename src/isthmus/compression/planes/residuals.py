"""Residuals as symbols of frequency tables and plain bits, in a stream of rANS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse
from isthmus.compression.planes.prediction import FINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.entropy.rans import RansDecoder, RansEncoder
    from isthmus.compression.planes.distributions import FrequencyTables

    Integers = NDArray[np.int64]

_GROUP = 15
"""Plain bits are coded in groups of at most this many."""
_EXPONENT_BITS = 6
_MOST_EXPONENT = 45


def push(
    encoder: RansEncoder,
    tables: FrequencyTables,
    levels: Integers,
    fine: Integers,
    values: Integers,
) -> None:
    """Encode a batch of values, given their predictions and levels of uncertainty."""
    table, depth, bins = tables.select(levels, fine)
    residual = values - (fine // FINE)
    place = residual >> depth
    low, high = place < -bins, place >= bins
    symbols = np.where(low, 0, np.where(high, 2 * bins + 1, place + bins + 1))
    starts, stops = tables.ranges(table, symbols)
    encoder.push(_shares(starts), _shares(stops))
    far = low | high
    _push_bits(encoder, residual, np.where(far, 0, depth))
    if far.any():
        edge = bins[far] << depth[far]
        beyond = np.where(low[far], -edge - 1 - residual[far], residual[far] - edge) + 1
        exponents = np.frexp(beyond.astype(np.float64))[1].astype(np.int64) - 1
        _push_bits(encoder, exponents, np.full(len(exponents), _EXPONENT_BITS))
        _push_bits(encoder, beyond, exponents)


def pop(
    decoder: RansDecoder, tables: FrequencyTables, levels: Integers, fine: Integers
) -> Integers:
    """Decode a batch of values, given their predictions and levels of uncertainty."""
    table, depth, bins = tables.select(levels, fine)

    def find(slots: Any, part: slice) -> Any:
        found, starts, widths = tables.find(table[part], slots.astype(np.int64))
        return found, _shares(starts), _shares(widths)

    symbols = decoder.pop(len(fine), find).astype(np.int64)
    low, high = symbols == 0, symbols == 2 * bins + 1
    far = low | high
    residual = (symbols - bins - 1 << depth) + _pop_bits(decoder, np.where(far, 0, depth))
    if far.any():
        exponents = _pop_bits(decoder, np.full(int(far.sum()), _EXPONENT_BITS))
        if int(exponents.max()) > _MOST_EXPONENT:
            refuse("an integer of too many bits")
        beyond = (1 << exponents) + _pop_bits(decoder, exponents) - 1
        edge = bins[far] << depth[far]
        residual[far] = np.where(low[far], -edge - 1 - beyond, edge + beyond)
    return residual + (fine // FINE)


def _push_bits(encoder: RansEncoder, values: Integers, counts: Integers) -> None:
    """Encode the lowest bits of values, so many of each, the highest ones first."""
    left = counts
    while (deep := np.flatnonzero(left > 0)).size:
        values, left = values[deep], left[deep]
        bits = np.minimum(left, _GROUP)
        left = left - bits
        first = ((values >> left) & ((1 << bits) - 1)) << (16 - bits)
        encoder.push(_shares(first), _shares(first + (1 << (16 - bits))))


def _pop_bits(decoder: RansDecoder, counts: Integers) -> Integers:
    """Decode what `_push_bits` encoded."""
    found = np.zeros(len(counts), dtype=np.int64)
    left = counts.copy()
    while (deep := np.flatnonzero(left > 0)).size:
        bits = np.minimum(left[deep], _GROUP)
        found[deep] = found[deep] << bits | _uniform(decoder, bits)
        left[deep] -= bits
    return found


def _uniform(decoder: RansDecoder, bits: Integers) -> Integers:
    def find(shares: Any, part: slice) -> Any:
        unused = 16 - bits[part]
        found = shares.astype(np.int64) >> unused
        return found, _shares(found << unused), _shares(np.left_shift(1, unused))

    return decoder.pop(len(bits), find).astype(np.int64)


def _shares(values: Any) -> NDArray[np.uint32]:
    found: NDArray[np.uint32] = np.asarray(values).astype(np.uint32)
    return found
