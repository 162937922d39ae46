"""Distributions of values around their predictions, as frequency tables in integers.

The distribution is a mixture of logistic ones. Its scale and shape are chosen by the encoder for
each level of uncertainty. Values far from their prediction are coded in bins as wide as a fraction
of the scale, and the place within a bin as plain bits.
"""

from __future__ import annotations

import functools
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import numpy as np

from isthmus.compression.planes.prediction import FINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

LEVELS = 100
SCALES = 4 * 46
"""Scales are 2^(k / 4 - 5)."""
SHAPES: tuple[tuple[tuple[int, int], ...], ...] = (
    ((256, 16),),
    ((205, 12), (51, 32)),
    ((154, 10), (102, 27)),
    ((218, 11), (31, 32), (7, 96)),
    ((243, 13), (13, 64)),
    ((154, 8), (90, 26), (12, 80)),
)
"""Mixtures: shares in 1/256, and scales in 1/16 of the scale."""
SLOTS = 1 << 16
_UNIT = 64
_REACH = 24
_ONE = 1 << 32
_QUARTERS = (65536, 77936, 92682, 110218)
"""2^16 times 2^(k / 4)."""
_LOWEST = -8
_LADDER = np.array(
    [2.0 ** (k // 2) * (1.0 if k % 2 == 0 else 1.4142135623730951) for k in range(_LOWEST, 91)]
)


def level_of(uncertainty: Floats) -> Integers:
    """Return the level of uncertainty on a logarithmic scale, below `LEVELS`."""
    return np.searchsorted(_LADDER, uncertainty, "right")


def scale_of(number: int) -> float:
    """Return a scale by its number."""
    return float(2.0 ** (number / 4 - 5))


def depth_of(number: int) -> int:
    """Return how many of the lowest bits of a residual are coded as they are."""
    return max(0, number // 4 - 5 - 2)


def bins_of(number: int) -> int:
    """Return the number of bins on each side of the prediction."""
    relative = scale_of(number) / 2 ** depth_of(number)
    return min(200, max(4, int(20 * relative) + 3))


def cumulative(scale: int, shape: int) -> Integers:
    """Return the ends of the symbols' ranges for each fraction of a prediction, (`FINE`, symbols).

    Parameters
    ----------
    scale, shape : int
        Numbers of a scale and of one of `SHAPES`.
    """
    depth, bins = depth_of(scale), bins_of(scale)
    edges = np.arange(-bins, bins + 1) * FINE
    shift = (FINE // 2 + np.arange(FINE)) >> depth
    quarter, power = scale % 4, scale // 4 - 5 - depth
    width = _QUARTERS[quarter] << power if power >= 0 else _QUARTERS[quarter] >> -power
    place = edges[None, :] - shift[:, None]
    total = np.zeros(place.shape, dtype=np.int64)
    for share, part in SHAPES[shape]:
        total += share * _logistic(place, width * part)
    symbols = 2 * bins + 2
    inner = (total >> 8) * (SLOTS - symbols) // _ONE + np.arange(1, symbols)
    return np.concatenate([inner, np.full((FINE, 1), SLOTS)], axis=1)


class FrequencyTables:
    """The frequency tables of the levels of uncertainty that occur.

    Parameters
    ----------
    levels : dict
        The numbers of scale and shape for each level. Other levels take those of the level below.
    """

    def __init__(self, levels: dict[int, tuple[int, int]]) -> None:
        self._table_of = np.zeros(LEVELS, dtype=np.int64)
        self._depths = np.zeros(LEVELS, dtype=np.int64)
        self._bins = np.zeros(LEVELS, dtype=np.int64)
        stops: list[Integers] = []
        for place, (level, (scale, shape)) in enumerate(sorted(levels.items())):
            self._table_of[level:] = place
            self._depths[place], self._bins[place] = depth_of(scale), bins_of(scale)
            stops.extend(cumulative(scale, shape))
        counts = np.array([len(each) for each in stops])
        self._first = np.cumsum(counts) - counts
        self._stops = np.concatenate(stops)
        self._starts = np.concatenate([np.r_[0, each[:-1]] for each in stops])
        self._keys = self._stops + np.repeat(np.arange(len(stops)) * SLOTS, counts)

    def select(self, uncertain: Integers, fine: Integers) -> tuple[Integers, Integers, Integers]:
        """Return the table, the depth and the number of bins for predictions at these levels."""
        number = self._table_of[uncertain]
        return number * FINE + (fine & FINE - 1), self._depths[number], self._bins[number]

    def ranges(self, tables: Integers, symbols: Integers) -> tuple[Integers, Integers]:
        """Return the ranges of slots of symbols."""
        place = self._first[tables] + symbols
        return self._starts[place], self._stops[place]

    def find(self, tables: Integers, slots: Integers) -> tuple[Integers, Integers, Integers]:
        """Return the symbols that have these slots, their first slots and their frequencies."""
        place = np.searchsorted(self._keys, tables * SLOTS + slots, "right")
        starts = self._starts[place]
        return place - self._first[tables], starts, self._stops[place] - starts


def _logistic(place: Integers, width: int) -> Integers:
    """Return the logistic function of place / FINE / (width / 2^16 / 16), times 2^32."""
    table = _logistic_table()
    fine = (place << 24) * _UNIT // width + ((_REACH * _UNIT) << 8)
    fine = np.clip(fine, 0, ((2 * _REACH * _UNIT) << 8) - 1)
    at, rest = fine >> 8, fine & 255
    found: Integers = table[at] + ((table[at + 1] - table[at]) * rest >> 8)
    return found


@functools.cache
def _logistic_table() -> Integers:
    """Return the logistic function at multiples of 1 / `_UNIT`, times 2^32.

    It is computed in decimal arithmetic, which rounds the same on every machine.
    """
    with localcontext() as context:
        context.prec = 20
        upper = [
            int(_ONE / (1 + (Decimal(-place) / _UNIT).exp())) for place in range(_REACH * _UNIT + 1)
        ]
    half = np.array(upper, dtype=np.int64)
    return np.concatenate([_ONE - half[:0:-1], half])
