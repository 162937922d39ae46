"""Contexts of a value, from what encoder and decoder both know before it is coded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.compression.coders.predictors import SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.predictors import Predictor, Reference

    Integers = NDArray[np.int64]

CONTEXTS = 10
_THRESHOLDS = np.array([int(2 ** (k / 2)) for k in range(3, 90)], dtype=np.int64)
"""Limits of the logarithmic scale: two steps for each factor of 2."""


class Contexts:
    """Predictions and contexts of values, from earlier values and earlier prediction errors.

    Parameters
    ----------
    matrix : int64 array of shape (rows, columns)
        The values, known up to the one being coded.
    """

    def __init__(self, matrix: Integers) -> None:
        self._matrix = matrix
        self._errors = np.zeros(matrix.shape, dtype=np.int64)

    def _at(self, reference: Reference, at: Integers, step: int) -> Integers:
        if step < reference.back:
            return np.zeros(len(at), dtype=np.int64)
        values: Integers = self._matrix[at - reference.back, reference.column]
        return values

    def predict(self, predictor: Predictor, at: Integers, step: int) -> Integers:
        """Return the predicted values, (n,), in units of 1 / `SCALE`."""
        if any(step < reference.back for reference in predictor.taps):
            return np.full(len(at), predictor.centre)
        prediction = np.full(len(at), predictor.offset)
        for reference, weight in zip(predictor.taps, predictor.weights, strict=True):
            prediction += self._at(reference, at, step) * weight
        return prediction

    def contexts(
        self, predictor: Predictor, prediction: Integers, at: Integers, step: int, j: int
    ) -> Integers:
        """Return a hash of each context, (contexts, n)."""
        a, b, c, d = (self._at(each, at, step) for each in predictor.references)
        recent_error = self.recent_error(at, step, j)
        quarter = (prediction + SCALE // 2 & SCALE - 1) >> 6
        whole = prediction >> 8
        before = self._matrix[at - 1, j] if step else np.zeros_like(a)
        ab = _hash(a, b)
        found = np.stack(
            [
                np.zeros_like(a),
                a,
                ab,
                _hash(ab, c),
                _hash(a, d),
                recent_error,
                _hash(recent_error, quarter),
                _hash(whole, a),
                _hash(_rough(a - b), _rough(b - c), recent_error >> 1),
                _hash(d - whole, before - a, recent_error >> 1),
            ]
        )
        return found * 0x1000193 + _SALT + j * 15485863

    def recent_error(self, at: Integers, step: int, j: int) -> Integers:
        """Return the mean size of recent prediction errors, on a logarithmic scale, (n,)."""
        errors = self._errors
        total = np.zeros(len(at), dtype=np.int64)
        for back, weight in ((1, 4), (2, 2), (3, 1)) if j == 0 else ((1, 2),):
            if step >= back:
                total += weight * errors[at - back, j]
        for left, weight in ((1, 3), (2, 2), (3, 1)):
            if j >= left:
                total += weight * errors[at, j - left]
        return np.searchsorted(_THRESHOLDS, total >> 6, "right")

    def update(self, prediction: Integers, at: Integers, j: int) -> None:
        """Record the prediction errors of values that are now known."""
        self._errors[at, j] = np.abs(self._matrix[at, j] * SCALE - prediction)


_SALT = (np.arange(CONTEXTS) * 7919 * 1000003)[:, None]


def _hash(*parts: Integers) -> Integers:
    found = np.zeros_like(parts[0])
    for part in parts:
        found = (found * 0x1000193 ^ (part + 77)) * 0x9E3779B1 & 0xFFFFFFFFFF
    return found


def _rough(difference: Integers) -> Integers:
    size = np.searchsorted(_THRESHOLDS, 2 * np.abs(difference), "right")
    return np.where(difference < 0, -size, size)
