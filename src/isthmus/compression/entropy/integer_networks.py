"""Networks and probabilities in integer arithmetic, with the same results on every machine.

The last bits of a float network depend on threads and libraries, and one wrong bit breaks an
entropy decoder. Here all weights and activations are integers. Matrices are multiplied in float32,
which represents every partial sum below 2**24 exactly, in any order of summation. `IntegerDense`
checks that its weights keep all sums below this bound.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidArchive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats

ACTIVATION_LIMIT = 255
"""Inputs and activations are integers from 0 to this."""
WEIGHT_LIMIT = 127
EXACT_BELOW = 2**24
"""float32 represents every integer up to this."""
STEPS_PER_BIT = 32
"""Logits are in units of 1 / 32 of a bit."""
TOTAL_BITS = 16
"""Probabilities are fractions of 2**16."""
_LARGEST_SHIFT = 16


@dataclass(frozen=True)
class IntegerDense:
    """A dense layer: ``(weights @ inputs + bias) >> shift``.

    Parameters
    ----------
    weights : ndarray of int8, shape (units, inputs)
    bias : ndarray of int32, shape (units,)
    shift : int
        From 0 to 16.
    slack : int
        The largest magnitude of the `extra` term that callers add to the sums.

    Raises
    ------
    InvalidArchive
        A sum could leave the range in which float32 is exact, or `bias` or `shift` is invalid.
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    shift: int
    slack: int = 0
    _matrix: Floats = field(init=False, repr=False, compare=False)
    _column: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.bias.shape != self.weights.shape[:1] or not 0 <= self.shift <= _LARGEST_SHIFT:
            raise InvalidArchive(
                "an integer layer",
                expected=f"a bias for each of its units and a shift from 0 to {_LARGEST_SHIFT}",
                received=f"weights {self.weights.shape}, bias {self.bias.shape}, "
                f"shift {self.shift}",
                remedy="use the file as it was written",
            )
        largest = np.abs(self.weights.astype(np.int64)).sum(1) * ACTIVATION_LIMIT
        largest += np.abs(self.bias.astype(np.int64)) + self.slack
        if largest.size and largest.max() >= EXACT_BELOW:
            raise InvalidArchive(
                "an integer layer",
                expected="sums below 2**24, where float32 is exact",
                received=f"one that can reach {largest.max()}",
                remedy="use the file as it was written",
            )
        object.__setattr__(self, "_matrix", self.weights.astype(np.float32))
        object.__setattr__(self, "_column", self.bias.astype(np.float32)[:, None])

    def __call__(self, inputs: Floats, extra: Floats | None = None) -> Floats:
        """Return whole numbers in float32, shape (units, m), neither clipped nor rectified.

        Parameters
        ----------
        inputs : ndarray of float32, shape (inputs, m)
            Whole numbers from 0 to 255.
        extra : ndarray of float32, shape (units, m), optional
            Whole numbers of magnitude up to `slack`, added to the sums.
        """
        sums: Floats = self._matrix @ inputs
        sums += self._column
        if extra is not None:
            sums += extra
        sums *= np.float32(2.0**-self.shift)
        return np.floor(sums, out=sums)


def activate(sums: Floats) -> Floats:
    """Clip to the range of activations, in place."""
    return np.clip(sums, 0, ACTIVATION_LIMIT, out=sums)


@functools.cache
def power_table() -> Floats:
    """Return ``2**(15 - k / 32)``, at most 1 too small, for k = 0, 1, ... until it is 0.

    It is computed from integer square roots, because math libraries round powers differently.
    """
    bits = 2 * TOTAL_BITS * STEPS_PER_BIT
    step = 1 << (bits - 1)  # 2**-1 with `bits` binary places
    for _ in range(int(math.log2(STEPS_PER_BIT))):
        step = math.isqrt(step << bits)
    powers, power = [], 1 << bits
    while power >> (bits - TOTAL_BITS + 1):
        powers.append(power >> (bits - TOTAL_BITS + 1))
        power = power * step >> bits
    table = np.array([*powers, 0], np.float32)
    table.setflags(write=False)
    return table


class Odds:
    """Frequencies of classes out of 2**16, for each column of logits.

    Every class has at least one slot, and the last slot is unused. So no symbol is free, and a
    stream cannot decode to an unlimited number of symbols.

    Parameters
    ----------
    logits : ndarray of float32, shape (classes, m)
        Whole numbers, in units of 1 / 32 of a bit.
    """

    def __init__(self, logits: Floats) -> None:
        table = power_table()
        below = np.minimum(logits.max(0) - logits, np.float32(len(table) - 1))
        powers = table[below.astype(np.intp)]
        self._sums = np.zeros((len(logits) + 1, logits.shape[1]), np.float32)
        for k, power in enumerate(powers):  # faster than cumsum, which goes down each column
            np.add(self._sums[k], power, out=self._sums[k + 1])

    def __len__(self) -> int:
        return self._sums.shape[1]

    def starts(self, classes: NDArray[np.intp]) -> NDArray[np.uint32]:
        """Return the first slot of one class per column: shape (m,).

        For the class number after the last, this is the end of the last class.
        """
        sums = self._sums[classes, np.arange(len(classes))]
        return self._shares(sums, self._sums[-1], classes)

    def find(
        self, shares: NDArray[np.uint32], part: slice
    ) -> tuple[NDArray[np.intp], NDArray[np.uint32], NDArray[np.uint32]]:
        """Return the classes at these slots, as `RansDecoder.pop` expects."""
        sums = self._sums[:, part]
        ranks = np.arange(len(sums))[:, None]
        bounds = self._shares(sums, sums[-1], ranks)
        classes = np.count_nonzero(bounds[1:] <= shares, axis=0)
        known = np.minimum(classes, len(sums) - 2)
        each = np.arange(len(shares))
        starts = bounds[known, each]
        return known, starts, np.where(classes == known, bounds[known + 1, each] - starts, 0)

    def _shares(self, sums: Floats, total: Floats, ranks: Any) -> NDArray[np.uint32]:
        # Integers below 2**37 are divided by integers below 2**22. The rounding error of float64's
        # quotient is far below its distance to the next integer, so its floor is exact.
        free = 2**TOTAL_BITS - len(self._sums)
        scaled = sums.astype(np.float64)
        scaled *= free
        scaled /= total
        shares: NDArray[np.uint32] = np.floor(scaled, out=scaled).astype(np.uint32)
        shares += ranks.astype(np.uint32)
        return shares
