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

_BLOCK = 1 << 22
"""Distances computed at a time."""
_SMALLEST = 1e-12


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
    """Return the distance from each point, (n, d), to the nearest in the memory, (m, d)."""
    found = [part.min(axis=1) for _, part in _squares(memory, points)]
    result: Floats = np.sqrt(np.maximum(np.concatenate(found), _SMALLEST))
    return result


def mean_of_nearest(memory: Floats, values: Floats, points: Floats, count: int) -> Floats:
    """Return the mean value of the `count` nearest in the memory.

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
    for rows, part in _squares(memory, points):
        nearest = np.argpartition(part, count, axis=1)[:, :count]
        means[rows] = values[nearest].mean(axis=1)
    return means


def _squares(memory: Floats, points: Floats) -> Iterator[tuple[slice, NDArray[np.floating]]]:
    """Yield the squared distances of some points at a time to all of the memory."""
    norms = np.einsum("ij,ij->i", memory, memory)
    step = max(1, _BLOCK // len(memory))
    for start in range(0, len(points), step):
        part = points[start : start + step]
        own = np.einsum("ij,ij->i", part, part)
        yield slice(start, start + len(part)), own[:, None] + norms - 2 * (part @ memory.T)
