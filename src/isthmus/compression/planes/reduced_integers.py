"""Integers of an array, reduced to a range from 0 by their minimum and their common divisor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse, signed, varint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.byte_cursor import Cursor

    Integers = NDArray[np.int64]

SPAN = 2**40
"""The largest range of integers that predictions can take without overflow."""


@dataclass(frozen=True)
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
    """

    lowest: int
    step: int
    span: int
    middle: int

    @classmethod
    def of(cls, q: Integers) -> tuple[ReducedIntegers, Integers]:
        """Return the description of integers, and the reduced integers."""
        lowest = int(q.min())
        reduced = q - lowest
        step = max(1, int(np.gcd.reduce(reduced.ravel())))
        reduced //= step
        found = cls(lowest, step, int(reduced.max()), int(np.median(reduced)))
        return found, reduced

    def restored(self, reduced: Integers) -> Integers:
        """Return the integers that `of` reduced."""
        return reduced * self.step + self.lowest

    def to_bytes(self) -> bytes:
        """Return these numbers as bytes."""
        return signed(self.lowest) + varint(self.step) + varint(self.span) + varint(self.middle)

    @classmethod
    def read(cls, cursor: Cursor) -> ReducedIntegers:
        """Read what `to_bytes` wrote; raises InvalidArchive."""
        lowest, step = cursor.signed(), cursor.varint(2 * SPAN)
        span = cursor.varint(SPAN)
        if abs(lowest) > SPAN or step * span > 2 * SPAN:
            refuse("integers out of range")
        return cls(lowest, step, span, cursor.varint(span))
