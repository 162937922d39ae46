"""Choices of the encoder of planes: experts and distributions, fitted to a part of the array."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.planes import distributions, prediction
from isthmus.compression.planes.channel_model import MOST_WEIGHT
from isthmus.compression.planes.prediction import FINE, SCALE, Experts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.planes.geometry import Frame
    from isthmus.compression.planes.prediction import Near
    from isthmus.compression.planes.walk import Visit

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

PLANS = ((4, 1), (6, 1), (12, 1), (12, 2), (12, 6))
"""The numbers of own neighbours and of experts that are tried."""
_ROUNDS = 5
_MOST_SAMPLES = 2000
_BITS_PER_WEIGHT = 7
_BITS_PER_LEVEL = 16
_LEAST_SHARE = 4
"""An expert is fitted to at least this many values for each of its weights."""


class Planes:
    """The values of some planes, and the predictions of an encoder, which knows them.

    Parameters
    ----------
    values : int64 array of shape (planes, height, width)
    visit : Visit
        What is known before them.
    outside : int
        The value outside the array.
    span : int
        The largest value; the smallest is 0.
    """

    def __init__(self, values: Integers, visit: Visit, outside: int, span: int) -> None:
        self.values, self._visit, self._outside, self._span = values, visit, outside, span
        self._frame = visit.frame
        self._near = _near(self._frame, self._frame.padded(values, outside))
        self._known = [_near(self._frame, each) for each in visit.known]

    @property
    def west(self) -> Integers:
        """The values to the left."""
        found: Integers
        (found,) = self._near((prediction.WEST,))
        return found

    def features(self, own: int) -> Floats:
        """Return the features of all values, (values, features)."""
        found = prediction.features(self._near, self._known, self._outside, own)
        return np.stack([each.ravel() for each in found], axis=1).astype(np.float64)

    def recent_errors(self, errors: NDArray[np.float32]) -> Floats:
        """Return what `prediction.recent_errors` does, for errors (experts, *shape of values)."""
        return prediction.recent_errors(self._near_errors(errors))

    def modelled(self, experts: Experts) -> tuple[Integers, Integers, NDArray[np.float32]]:
        """Return blended predictions, levels of uncertainty, and padded sizes of errors."""
        found = experts.predict(self._near, self._known, self._outside)
        errors = prediction.squared_errors(found, self.values)
        fine = prediction.blended(found, self._near_errors(errors), self._span)
        sizes = self._frame.with_zeros(prediction.sizes_of_errors(fine, self.values))
        known = [_near(self._frame, each) for each in self._visit.known_errors]
        uncertain = prediction.uncertainty(self._near, _near(self._frame, sizes), known)
        return fine, distributions.level_of(uncertain), sizes

    def _near_errors(self, errors: NDArray[np.float32]) -> Near:
        return _near(self._frame, self._frame.with_zeros(errors))


def _near(frame: Frame, padded: NDArray[Any]) -> Near:
    return lambda offsets: [frame.inner(padded, each) for each in offsets]


def fitted(planes: Planes, own: int, count: int) -> Experts:
    """Fit experts by alternating between them and the values that each predicts best nearby."""
    X = planes.features(own)
    y = (planes.values - planes.west).ravel().astype(np.float64)
    label = _textures(X, count)
    weights = np.zeros((count, X.shape[1]))
    importance = np.ones(len(y))
    for _ in range(_ROUNDS):
        for expert in range(count):
            own_rows = label == expert
            if own_rows.sum() >= _LEAST_SHARE * X.shape[1] or count == 1:
                weights[expert] = _least_squares(X[own_rows], y[own_rows], importance[own_rows])
        errors = np.stack([(X @ each - y) ** 2 for each in weights]).astype(np.float32)
        recent = planes.recent_errors(errors.reshape(count, *planes.values.shape))
        nearby = recent.reshape(count, -1)
        label = (nearby + errors).argmin(axis=0)
        importance[:] = 1 / (nearby.min(axis=0) + 2)
    return Experts(np.rint(weights * SCALE).astype(np.int64), own)


def _textures(X: Floats, count: int) -> Integers:
    """Return a first grouping of values, by how much and in which direction they vary nearby."""
    if count == 1:
        return np.zeros(len(X), dtype=np.int64)
    north_west = X[:, 1]  # differences from the value to the left
    across, down = np.abs(north_west), np.abs(X[:, 0] - north_west)
    activity = across + down + np.abs(X[:, 2] - X[:, 0])
    limits = np.quantile(activity, [1 / 3, 2 / 3])
    found: Integers = (2 * np.searchsorted(limits, activity) + (across > down)) % count
    return found


def _least_squares(X: Floats, y: Floats, importance: Floats) -> Floats:
    weighted = X * importance[:, None]
    gram = weighted.T @ X
    gram[np.diag_indices(len(gram))] += 1e-3 * np.trace(gram) / len(gram) / 100 + 1e-6
    found = np.linalg.solve(gram, weighted.T @ y)
    return np.clip(found, -MOST_WEIGHT / SCALE, MOST_WEIGHT / SCALE)


def fitted_levels(
    fine: Integers, level: Integers, values: Integers
) -> tuple[dict[int, tuple[int, int]], float]:
    """Choose a distribution for each level of uncertainty.

    Returns
    -------
    levels, bits
        The numbers of scale and shape by level; and about how many bits the values take. A level
        that would save too little has none, and takes that of the level below.
    """
    found: dict[int, tuple[int, int]] = {}
    last, bits = -1, 0.0
    difference = (values - fine / FINE).ravel()
    order = np.argsort(level.ravel(), kind="stable")
    present, starts = np.unique(level.ravel()[order], return_index=True)
    for number, part in zip(present, np.split(difference[order], starts[1:]), strict=True):
        stride = -(-len(part) // _MOST_SAMPLES)
        costs = _costs(part[::stride]) * len(part)
        best = int(costs.argmin())
        if last < 0 or costs.flat[last] - costs.flat[best] > _BITS_PER_LEVEL:
            last = best
            scale, shape = divmod(best, len(distributions.SHAPES))
            found[int(number)] = scale, shape
            bits += _BITS_PER_LEVEL
        bits += float(costs.flat[last])
    return found, bits


def _costs(difference: Floats) -> Floats:
    """Return the mean bits of differences from predictions, by scale and shape."""
    found = np.full((distributions.SCALES, len(distributions.SHAPES)), 64.0)
    middle = int(4 * (np.log2(np.abs(difference).mean() + 2.0**-6) + 5))
    scales = np.arange(max(0, middle - 10), min(distributions.SCALES, middle + 6))
    widths = 2.0 ** (scales / 4 - 5)
    parts, shares = _mixtures()
    units = (widths[:, None] * parts)[:, :, None]
    upper, lower = (difference + 0.5) / (2 * units), (difference - 0.5) / (2 * units)
    chances = shares @ ((np.tanh(upper) - np.tanh(lower)) / 2)
    found[scales] = -np.log2(chances * 0.997 + 2.0**-18).mean(axis=2)
    return found


@functools.cache
def _mixtures() -> tuple[Floats, Floats]:
    """Return the different scales in all shapes, and their shares, (shapes, scales)."""
    parts = sorted({part for shape in distributions.SHAPES for _, part in shape})
    shares = np.zeros((len(distributions.SHAPES), len(parts)))
    for number, shape in enumerate(distributions.SHAPES):
        for share, part in shape:
            shares[number, parts.index(part)] = share / 256
    return np.array(parts) / 16, shares


def side_bits(experts: Experts) -> float:
    """Return about how many bits experts take."""
    return float(_BITS_PER_WEIGHT * experts.weights.size)
