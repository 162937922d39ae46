"""Integers of an array, reduced to a range from 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.byte_cursor import (
    Cursor,
    length_prefixed,
    refuse,
    signed,
    varint,
    varints,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

SPAN = 2**40
"""The largest range of integers that predictions can take without overflow."""


_MOST_VALUES = 1 << 16
_LARGEST_SHARE = 7 / 8
"""Values are numbered if they are at most this share of all in their range."""


@dataclass(frozen=True, eq=False)
class ReducedIntegers:
    """The integers of an array, and how they are restored.

    Parameters
    ----------
    lowest, step : int
        A value is `lowest` + `step` times its integer.
    span : int
        The largest integer.
    middle : int
        The integer that stands for what is outside the array.
    values : int64 array of shape (span + 1,), optional
        If few integers occur, as after a change of contrast, these are what the numbers from 0 to
        `span` stand for.
    """

    lowest: int
    step: int
    span: int
    middle: int
    values: Integers | None = None

    @classmethod
    def of(cls, q: Integers) -> tuple[ReducedIntegers, Integers]:
        """Return the description of integers, and the reduced integers."""
        lowest = int(q.min())
        reduced = q - lowest
        step = max(1, int(np.gcd.reduce(reduced.ravel())))
        reduced //= step
        found = cls(lowest, step, int(reduced.max()), int(np.median(reduced)))
        return found, reduced

    def numbered(self, reduced: Integers) -> tuple[ReducedIntegers, Integers] | None:
        """Return a description by the values that occur, and their numbers; None if many do."""
        values = np.unique(reduced)
        if len(values) > min(_MOST_VALUES, _LARGEST_SHARE * (self.span + 1)):
            return None
        numbers = np.searchsorted(values, reduced)
        middle = int(np.searchsorted(values, self.middle))
        return replace(self, span=len(values) - 1, middle=middle, values=values), numbers

    def restored(self, reduced: Integers) -> Integers:
        """Return the integers that were reduced."""
        if self.values is not None:
            reduced = self.values[reduced]
        return reduced * self.step + self.lowest

    def to_bytes(self) -> bytes:
        """Return these numbers as bytes."""
        head = signed(self.lowest) + varints((self.step, self.span, self.middle))
        if self.values is None:
            return head + varint(0)
        gaps = varints(int(gap) for gap in np.diff(self.values))
        number, packed = general_compressors.smallest(gaps)
        return head + varint(len(gaps)) + bytes([number]) + length_prefixed(packed)

    @classmethod
    def read(cls, cursor: Cursor) -> ReducedIntegers:
        """Read what `to_bytes` wrote; raises InvalidArchive."""
        lowest, step = cursor.signed(), cursor.varint(2 * SPAN)
        span = cursor.varint(SPAN)
        middle = cursor.varint(span)
        size = cursor.varint(10 * _MOST_VALUES)
        values = _read_values(cursor, size, span) if size else None
        largest = span if values is None else int(values[-1])
        if abs(lowest) > SPAN or step * largest > 2 * SPAN:
            refuse("integers out of range")
        return cls(lowest, step, span, middle, values)


def _read_values(cursor: Cursor, size: int, span: int) -> Integers:
    number = cursor.read(1)[0]
    gaps = Cursor(general_compressors.unpack(number, cursor.length_prefixed(), size))
    if span > size:
        refuse(f"{span} gaps in {size} bytes")
    values = np.cumsum([0, *(gaps.varint(SPAN) for _ in range(span))], dtype=np.int64)
    gaps.close()
    return values
