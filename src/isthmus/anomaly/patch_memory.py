"""A memory of normal patches, and how far a patch is from the nearest of them.

The patches that are kept cover the others: each one added is the farthest from those kept so far
(Gonzalez, 1985), as in PatchCore (Roth et al., 2022, "Towards Total Recall in Industrial Anomaly
Detection"), which keeps features of a network that was trained on other pictures. Here they are
codes of `patch_whitening`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_BLOCK = 1 << 21
"""Distances computed at a time."""
_SAME = 1e-4
"""Distances below this fraction of the points' root mean square count as 0."""
_SMALLEST = 1e-6


def coreset(points: Floats, count: int, rng: Generator) -> Floats:
    """Return `count` of the points, (n, d), that cover the others; all if there are no more."""
    if len(points) <= count:
        return points
    chosen = np.empty(count, dtype=np.intp)
    chosen[0] = rng.integers(len(points))
    squares = np.einsum("ij,ij->i", points, points)
    nearest = np.full(len(points), np.inf, dtype=np.float32)
    for place in range(1, count):
        last = chosen[place - 1]
        away = squares + squares[last] - 2 * (points @ points[last])
        np.minimum(nearest, away, out=nearest)
        chosen[place] = nearest.argmax()
    return points[chosen]


def nearest_distance(memory: Floats, points: Floats) -> Floats:
    """Return the distance from each point, (n, d), to the nearest in the memory, (m, d).

    It is at least `same_within`, below which it would be rounding.
    """
    least = same_within(memory)
    found = [part.min(axis=1) for _, part in _squares(memory, points)]
    nearest: Floats = np.sqrt(np.maximum(np.concatenate(found), least**2)).astype(np.float32)
    return nearest


def mean_of_nearest(memory: Floats, values: Floats, points: Floats, count: int) -> Floats:
    """Return the mean value of the `count` nearest in the memory, and of any that are as near.

    Many pictures have the same plain patch many times, and rounding would otherwise decide which of
    them are taken.

    Parameters
    ----------
    memory : array of shape (m, d)
    values : array of shape (m, k)
        One row for each point of the memory.
    points : array of shape (n, d)
    count : int
        Less than m.

    Returns
    -------
    array of shape (n, k)
    """
    means = np.empty((len(points), values.shape[1]), dtype=np.float32)
    margin = same_within(memory)
    for rows, part in _squares(memory, points):
        last = np.partition(part, count - 1, axis=1)[:, count - 1 : count]
        farthest = np.sqrt(np.maximum(last, 0)) + margin
        near = (part <= np.square(farthest)).astype(np.float32)
        means[rows] = near @ values / near.sum(axis=1, keepdims=True)
    return means


def same_within(memory: Floats) -> float:
    """Return the distance within which two points count as the same.

    The codes of one patch differ by rounding, depending on the patches that are computed with it.
    """
    squares = np.square(memory, dtype=np.float64).sum(axis=1)
    return max(_SAME * float(np.sqrt(squares.mean())), _SMALLEST)


def _squares(memory: Floats, points: Floats) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield the squared distances of some points at a time to all of the memory.

    In float32, the products would cancel.
    """
    known = memory.astype(np.float64)
    norms = np.einsum("ij,ij->i", known, known)
    step = max(1, _BLOCK // len(memory))
    for start in range(0, len(points), step):
        part = points[start : start + step].astype(np.float64)
        own = np.einsum("ij,ij->i", part, part)
        yield slice(start, start + len(part)), own[:, None] + norms - 2 * (part @ known.T)
