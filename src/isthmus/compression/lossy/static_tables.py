"""Entropy coding of integers, with a static frequency table for each column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.compression.coders.byte_cursor import Cursor, length_prefixed, signed, varint
from isthmus.compression.entropy.integer_networks import STEPS_PER_BIT, TOTAL_BITS, Odds
from isthmus.compression.entropy.rans import RansDecoder, RansEncoder
from isthmus.compression.lossy.arrays import checked_array, refuse_model, refuse_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.lossy.arrays import Arrays

    Integers = NDArray[np.int64]

NEAR = 3
"""Integers up to this magnitude have their own probability; beyond, it falls geometrically."""
MOST_REACH = 127
_SLOPE_STEPS = 16
_LANE_BYTES = 512
"""Bytes in a lane: enough to make the overhead of about four bytes per lane negligible."""
_MOST_LANES = 2**12
_FLATTEST, _STEEPEST = 1, 2**12


@dataclass(frozen=True)
class StaticTables:
    """The probabilities of integers in columns.

    Parameters
    ----------
    columns : ndarray of uint16, shape (c,)
        The columns that are coded, in increasing order; the others are always 0.
    logits : ndarray of int16, shape (2 * NEAR + 1, c)
        The logits of the integers from -`NEAR` to `NEAR`, in units of 1 / 32 of a bit.
    slopes : ndarray of int16, shape (2, c)
        The decrease of the logits per integer beyond `NEAR` on either side, in 1 / 16 of that unit.
    reach : int
        From `NEAR` to 127. Integers of larger magnitude are stored as patches.
    """

    columns: NDArray[np.uint16]
    logits: NDArray[np.int16]
    slopes: NDArray[np.int16]
    reach: int

    def __post_init__(self) -> None:
        steps = np.diff(self.columns.astype(np.int64))
        if not NEAR <= self.reach <= MOST_REACH or (steps < 1).any():
            refuse_model("tables", "increasing columns and a reach from 3 to 127", f"{self.reach}")
        if self.slopes.size and not _FLATTEST <= self.slopes.min() <= self.slopes.max():
            refuse_model("tables", "probabilities that decrease", "probabilities that do not")

    @cached_property
    def _bounds(self) -> NDArray[np.uint32]:
        """The first slot of each integer in each column, shape (2 * reach + 2, c)."""
        beyond = np.arange(1, self.reach - NEAR + 1)[:, None]
        low, high = (
            edge - beyond * slope.astype(np.int64) // _SLOPE_STEPS
            for edge, slope in zip(self.logits[[0, -1]], self.slopes, strict=True)
        )
        odds = Odds(np.concatenate([low[::-1], self.logits, high]).astype(np.float32))
        classes = np.arange(2 * self.reach + 2)[:, None]
        bounds = [odds.starts(np.full(len(odds), k[0], np.intp)) for k in classes]
        return np.stack(bounds)

    @classmethod
    def of(cls, numbers: Integers) -> Self:
        """Estimate probabilities from the integers in columns: shape (n, columns)."""
        columns = np.flatnonzero(numbers.any(0)).astype(np.uint16)
        numbers = numbers[:, columns]
        largest = int(np.abs(numbers).max(initial=0))
        sides = [_far(numbers, sign) for sign in (-1, 1)]
        inner = [np.count_nonzero(numbers == k, axis=0) for k in range(1 - NEAR, NEAR)]
        counts = np.array([sides[0][0], *inner, sides[1][0]], np.float64).reshape(7, -1) + 0.05
        logits = np.round(np.log2(counts / len(numbers)) * STEPS_PER_BIT)
        slopes = np.array([side[1] for side in sides]).reshape(2, -1)
        reach = min(max(NEAR, largest), MOST_REACH)
        return cls(columns, logits.astype(np.int16), slopes.astype(np.int16), reach)

    def bits(self, numbers: Integers) -> NDArray[np.float64]:
        """Return the approximate number of bits of each row: shape (n,)."""
        kept = numbers[:, self.columns]
        clipped = np.clip(kept, -self.reach, self.reach) + self.reach
        each = np.arange(len(self.columns))
        widths = (self._bounds[clipped + 1, each] - self._bounds[clipped, each]).astype(np.float64)
        apart = np.abs(kept) > self.reach
        bits: NDArray[np.float64] = (TOTAL_BITS - np.log2(widths) + 24.0 * apart).sum(1)
        return bits

    def encode(self, numbers: Integers) -> bytes:
        """Return integers (n, all columns) as bytes; columns without a table are dropped."""
        kept = np.ascontiguousarray(numbers[:, self.columns].T).reshape(-1)
        lanes = int(self.bits(numbers).sum() / 8 / _LANE_BYTES)
        lanes = min(max(1, lanes), _MOST_LANES, max(1, len(kept)))
        inside = np.clip(kept, -self.reach, self.reach)
        apart = np.flatnonzero(inside != kept)
        column = np.arange(len(kept)) // max(1, len(numbers))
        encoder = RansEncoder(lanes)
        if len(kept):
            symbols = inside + self.reach
            encoder.push(self._bounds[symbols, column], self._bounds[symbols + 1, column])
        steps = np.diff(apart, prepend=0)
        patches = [varint(int(a)) + signed(int(b)) for a, b in zip(steps, kept[apart], strict=True)]
        return (
            varint(len(apart))
            + length_prefixed(b"".join(patches))
            + varint(lanes)
            + encoder.finish()
        )

    def decode(self, packed: bytes, rows: int, width: int) -> Integers:
        """Return the integers in all columns: shape (rows, width); raises InvalidArchive.

        The caller limits `rows` to what fits in memory. The bytes may be damaged.
        """
        cursor = Cursor(packed)
        count = rows * len(self.columns)
        apart = cursor.varint(count)
        patches = Cursor(cursor.length_prefixed())
        lanes = cursor.varint(_MOST_LANES)
        if not lanes:
            refuse_samples("no lanes")
        decoder = RansDecoder(bytes(cursor.rest()), lanes)
        kept = decoder.pop(count, lambda shares, part: self._find(shares, part, rows)) - self.reach
        decoder.finish()
        place = 0
        for _ in range(apart):
            place += patches.varint(count - 1 - place)
            value = patches.signed()
            if abs(value) >= 2**31:
                refuse_samples(f"the number {value}")
            kept[place] = value
        patches.close()
        numbers = np.zeros((rows, width), np.int64)
        numbers[:, self.columns] = kept.reshape(-1, rows).T
        return numbers

    def _find(self, shares: NDArray[np.uint32], part: slice, rows: int) -> Any:
        column = np.arange(part.start, part.stop) // rows
        classes = np.count_nonzero(self._bounds[1:, column] <= shares, axis=0)
        known = np.minimum(classes, 2 * self.reach)
        starts = self._bounds[known, column]
        widths = self._bounds[known + 1, column] - starts
        return known, starts, np.where(classes == known, widths, 0)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the tables as arrays, for `from_arrays`."""
        return {
            "columns": self.columns,
            "logits": self.logits,
            "slopes": self.slopes,
            "reach": np.array([self.reach], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, width: int) -> Self:
        """Return the tables that `to_arrays` described, for `width` columns."""
        count = np.size(arrays.get("columns", ()))
        columns = checked_array(arrays, "columns", np.uint16, (count,))
        if count and int(columns[-1]) >= width:
            refuse_model("columns", f"fewer than {width}", f"{columns[-1]}")
        logits = checked_array(arrays, "logits", np.int16, (2 * NEAR + 1, count))
        slopes = checked_array(arrays, "slopes", np.int16, (2, count))
        return cls(columns, logits, slopes, int(checked_array(arrays, "reach", np.int64, (1,))[0]))


def _far(numbers: Integers, sign: int) -> tuple[Any, Any]:
    """Return the count of `NEAR` on one side, and the slope of the probabilities from there.

    With a mean distance d beyond `NEAR`, the maximum-likelihood geometric distribution has the
    ratio d / (1 + d).
    """
    beyond = numbers * sign - NEAR
    there = beyond >= 0
    count = np.count_nonzero(there, axis=0)
    mean = np.where(there, beyond, 0).sum(0) / np.maximum(1, count)
    ratio = np.maximum((mean + 0.02) / (1.02 + mean), 1e-9)
    slope = np.clip(-np.log2(ratio) * STEPS_PER_BIT * _SLOPE_STEPS, _FLATTEST, _STEEPEST)
    return count * (1 - ratio), np.round(slope)
