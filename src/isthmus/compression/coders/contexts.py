"""What encoder and decoder both know of a number before it is coded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.compression.coders.predictors import FINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.predictors import Predictors, Reference

    Integers = NDArray[np.int64]

CONTEXTS = 10
_THRESHOLDS = np.array([int(2 ** (k / 2)) for k in range(3, 90)], dtype=np.int64)
"""Of half octaves."""


class Contexts:
    """What is known of a number before it is: numbers before it and how far guesses were off."""

    def __init__(self, matrix: Integers) -> None:
        self._matrix = matrix
        self._off = np.zeros(matrix.shape, dtype=np.int64)

    def _at(self, reference: Reference, at: Integers, step: int) -> Integers:
        if step < reference.back:
            return np.zeros(len(at), dtype=np.int64)
        values: Integers = self._matrix[at - reference.back, reference.column]
        return values

    def foreseen(self, foresight: Predictors, at: Integers, step: int) -> Integers:
        """Return the weighted sum of references, in units of 1 / `FINE`."""
        if any(step < reference.back for reference in foresight.taps):
            return np.full(len(at), foresight.centre)
        fine = np.full(len(at), foresight.offset)
        for reference, weight in zip(foresight.taps, foresight.weights, strict=True):
            fine += self._at(reference, at, step) * weight
        return fine

    def contexts(
        self, foresight: Predictors, fine: Integers, at: Integers, step: int, j: int
    ) -> Integers:
        """Return a hash of each context, (contexts, n)."""
        a, b, c, d = (self._at(each, at, step) for each in foresight.references)
        spread = self.spread(at, step, j)
        quarter = (fine + FINE // 2 & FINE - 1) >> 6
        whole = fine >> 8
        before = self._matrix[at - 1, j] if step else np.zeros_like(a)
        ab = _hash(a, b)
        found = np.stack(
            [
                np.zeros_like(a),
                a,
                ab,
                _hash(ab, c),
                _hash(a, d),
                spread,
                _hash(spread, quarter),
                _hash(whole, a),
                _hash(_rough(a - b), _rough(b - c), spread >> 1),
                _hash(d - whole, before - a, spread >> 1),
            ]
        )
        return found * 0x1000193 + _SALT + j * 15485863

    def spread(self, at: Integers, step: int, j: int) -> Integers:
        """Return how far guesses were off of late, in half octaves, (n,)."""
        off = self._off
        total = np.zeros(len(at), dtype=np.int64)
        for back, share in ((1, 4), (2, 2), (3, 1)) if j == 0 else ((1, 2),):
            if step >= back:
                total += share * off[at - back, j]
        for left, share in ((1, 3), (2, 2), (3, 1)):
            if j >= left:
                total += share * off[at, j - left]
        return np.searchsorted(_THRESHOLDS, total >> 6, "right")

    def learn(self, fine: Integers, at: Integers, j: int) -> None:
        """Note how far the foreseen numbers were from those that came."""
        self._off[at, j] = np.abs(self._matrix[at, j] * FINE - fine)


_SALT = (np.arange(CONTEXTS) * 7919 * 1000003)[:, None]


def _hash(*parts: Integers) -> Integers:
    found = np.zeros_like(parts[0])
    for part in parts:
        found = (found * 0x1000193 ^ (part + 77)) * 0x9E3779B1 & 0xFFFFFFFFFF
    return found


def _rough(difference: Integers) -> Integers:
    size = np.searchsorted(_THRESHOLDS, 2 * np.abs(difference), "right")
    return np.where(difference < 0, -size, size)
