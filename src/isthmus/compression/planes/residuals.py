"""Residuals as symbols of frequency tables and plain bits, in a stream of rANS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse
from isthmus.compression.entropy.plain_bits import pop_bits, push_bits, shares
from isthmus.compression.planes.prediction import FINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.entropy.rans import RansDecoder, RansEncoder
    from isthmus.compression.planes.distributions import FrequencyTables

    Integers = NDArray[np.int64]

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
    encoder.push(shares(starts), shares(stops))
    far = low | high
    push_bits(encoder, residual, np.where(far, 0, depth))
    if far.any():
        edge = bins[far] << depth[far]
        beyond = np.where(low[far], -edge - 1 - residual[far], residual[far] - edge) + 1
        exponents = np.frexp(beyond.astype(np.float64))[1].astype(np.int64) - 1
        push_bits(encoder, exponents, np.full(len(exponents), _EXPONENT_BITS))
        push_bits(encoder, beyond, exponents)


def pop(
    decoder: RansDecoder, tables: FrequencyTables, levels: Integers, fine: Integers
) -> Integers:
    """Decode a batch of values, given their predictions and levels of uncertainty."""
    table, depth, bins = tables.select(levels, fine)

    def find(slots: Any, part: slice) -> Any:
        found, starts, widths = tables.find(table[part], slots.astype(np.int64))
        return found, shares(starts), shares(widths)

    symbols = decoder.pop(len(fine), find).astype(np.int64)
    low, high = symbols == 0, symbols == 2 * bins + 1
    far = low | high
    residual = (symbols - bins - 1 << depth) + pop_bits(decoder, np.where(far, 0, depth))
    if far.any():
        exponents = pop_bits(decoder, np.full(int(far.sum()), _EXPONENT_BITS))
        if int(exponents.max()) > _MOST_EXPONENT:
            refuse("an integer of too many bits")
        beyond = (1 << exponents) + pop_bits(decoder, exponents) - 1
        edge = bins[far] << depth[far]
        residual[far] = np.where(low[far], -edge - 1 - beyond, edge + beyond)
    return residual + (fine // FINE)
