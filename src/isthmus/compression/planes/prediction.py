"""Predictions of values from their neighbours: linear experts, blended by their recent errors.

Every expert is a linear function of the neighbours, fitted by the encoder to a part of the array.
Near a value, the experts that predicted its known neighbours well have the largest weights (Meyer
and Tischer, 1997, "TMW: a new method for lossless image compression"). All arithmetic is on
integers, or consists of single operations that IEEE 754 defines, so every machine predicts the
same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from isthmus.compression.planes.geometry import Offset

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Errors = NDArray[np.float32]
    Near = Callable[[tuple[Offset, ...]], Iterable[Any]]
    """Returns the neighbours of values at several offsets, an array for each."""

SCALE = 256
"""Weights and predictions of experts are in units of 1 / this."""
FINE = 16
"""Blended predictions are in units of 1 / this."""
OWN: tuple[Offset, ...] = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0),
    (-2, -1), (-1, -2), (-2, 1), (-2, 2), (-2, -2), (0, -3),
)  # fmt: skip
"""Neighbours in the same plane, the most useful ones first."""
OTHER: tuple[Offset, ...] = (
    (0, -1), (0, 0), (-1, 0), (-1, -1), (-1, 1), (0, 1), (1, 0), (1, -1), (1, 1),
)  # fmt: skip
"""Neighbours in a known plane; the others are compared with the first one."""
WEST: Offset = OWN[0]
_RECENT_AT: tuple[Offset, ...] = (*OWN[:8], (-2, 1))
_RECENT_WEIGHTS = (1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25)
"""The neighbours whose errors count, and how much."""
_KNOWN_AT: tuple[Offset, ...] = ((0, 0), (0, 1), (1, 0))
_LEAST_ERROR = 0.5
_VARIATION = 0.125


@dataclass(frozen=True)
class Experts:
    """Linear predictions.

    Parameters
    ----------
    weights : int64 array of shape (experts, features)
        In units of 1 / `SCALE`, for the features of `features`.
    own : int
        How many of `OWN` are used.
    """

    weights: Integers
    own: int

    def predict(self, near: Near, known: Sequence[Near], outside: int) -> Integers:
        """Return the predictions of all experts, (experts, *shape of values), times `SCALE`."""
        (west,) = near((WEST,))
        every = features(near, known, outside, self.own)
        if west.ndim == 1:
            found: Integers = self.weights @ np.stack(list(every)) + west * SCALE
            return found
        # Of whole planes, all features at once would take too much memory.
        found = np.repeat(west[None] * SCALE, len(self.weights), axis=0)
        for feature, weights in zip(every, self.weights.T, strict=True):
            for expert, weight in zip(found, weights, strict=True):
                expert += feature * weight
        return found


def feature_count(own: int, known: int) -> int:
    """Return the number of features for so many own neighbours and known planes."""
    return own + known * (len(OTHER) - 1)


def features(near: Near, known: Sequence[Near], outside: int, own: int) -> Iterator[Integers]:
    """Yield differences between neighbours, each of the shape of the values."""
    west, *others = near(OWN[:own])
    for each in others:
        yield each - west
    yield outside - west
    for plane in known:
        base, *others = plane(OTHER)
        for each in others:
            yield each - base


def squared_errors(predictions: Integers, values: Integers) -> Errors:
    """Return the squared errors of experts."""
    difference = (predictions - values * SCALE).astype(np.float64) / SCALE
    found: Errors = (difference * difference).astype(np.float32)
    return found


def blended(predictions: Integers, errors_near: Near, span: int) -> Integers:
    """Return the blended prediction of each value, times `FINE`.

    Parameters
    ----------
    predictions : int64 array of shape (experts, *shape of values)
        What `Experts.predict` returned.
    errors_near : callable
        Returns the squared errors of the experts near each value, in the same shape.
    span : int
        The largest value of the array; the smallest is 0.
    """
    blend = predictions[0].astype(np.float64)
    if len(predictions) > 1:
        recent = recent_errors(errors_near) + _LEAST_ERROR
        weights = 1 / (recent * recent * recent)
        total, blend = weights[0].copy(), weights[0] * blend
        for weight, prediction in zip(weights[1:], predictions[1:], strict=True):
            total += weight
            blend += weight * prediction
        blend /= total
    found: Integers = np.rint(blend / (SCALE // FINE)).astype(np.int64)
    return np.clip(found, 0, span * FINE)


def recent_errors(near: Near) -> Floats:
    """Return the weighted sum of the errors near each value."""
    first, *others = near(_RECENT_AT)
    total: Floats = first.astype(np.float64)
    for each, weight in zip(others, _RECENT_WEIGHTS[1:], strict=True):
        total += each.astype(np.float64) * weight
    return total


def sizes_of_errors(fine: Integers, values: Integers) -> Errors:
    """Return the sizes of the errors of blended predictions."""
    found: Errors = (np.abs(fine - values * FINE).astype(np.float64) / FINE).astype(np.float32)
    return found


def uncertainty(values_near: Near, near: Near, known: Sequence[Near]) -> Floats:
    """Return how large the error of each blended prediction is expected to be.

    Parameters
    ----------
    values_near, near : callable
        Return the values, and the sizes of their errors, near each value in the same plane.
    known : sequence of callable
        The sizes of errors in the known planes.
    """
    west, north, corner, east = values_near(OWN[:4])
    variation = np.abs(west - corner) + np.abs(north - corner) + np.abs(north - east)
    total: Floats = recent_errors(near) + variation * _VARIATION
    for plane in known:
        same, right, below = plane(_KNOWN_AT)
        total += same.astype(np.float64) * 1.5
        total += (right.astype(np.float64) + below.astype(np.float64)) * 0.25
    return total
