"""Nearest-neighbour distances in bounded memory.

A query that is one of the points is not its own neighbour, so that scores of training rows and of
new rows are comparable. Of points that are equally far, the first ones are the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_BLOCK_CELLS = 1 << 18
"""Limit on the (queries, neighbours, columns) differences computed at a time, so that they stay in
the processor's cache."""
_BLOCK_QUERIES = 1 << 12
"""Queries per search, which has a fixed cost."""
SPARE = 4
"""More points than are wanted, to choose from among those that are equally far."""
_TREE_WIDTH = 12
"""Up to this many columns, a tree is faster than brute force."""


class NeighbourDistances(NamedTuple):
    """The nearest points of each query."""

    distances: NDArray[np.float64]
    """(n, k), ascending."""
    points: NDArray[np.intp]
    """(n, k), indices of the points."""
    itself: NDArray[np.intp]
    """(n,), index of the point that the query is; -1 for none."""


@dataclass(frozen=True)
class NearestNeighbours:
    """A set of points to search.

    Parameters
    ----------
    points : float32 array of shape (m, d)
        At least two.
    """

    points: Floats

    def find(
        self, queries: Floats, count: int, itself: NDArray[np.intp] | None = None
    ) -> NeighbourDistances:
        """Return the `count` nearest points of each query, or all other points if there are fewer.

        Parameters
        ----------
        queries : array of shape (n, d)
            Points whose neighbours to find.
        count : int
            Number of neighbours.
        itself : array of shape (n,), optional
            Index of the point that each query is, -1 for none. None: the point at distance 0, if
            there is one.
        """
        count = min(count, len(self.points) - 1)
        distances = np.empty((len(queries), count))
        chosen = np.empty((len(queries), count), dtype=np.intp)
        own = np.empty(len(queries), dtype=np.intp)
        some = min(count + 1 + SPARE, len(self.points))
        step = max(1, _BLOCK_CELLS // (some * queries.shape[1]))
        for start in range(0, len(queries), _BLOCK_QUERIES):
            block = queries[start : start + _BLOCK_QUERIES]
            rows = np.sort(self._search.kneighbors(block, some, return_distance=False), axis=1)
            for first in range(0, len(block), step):
                part = slice(first, first + step)
                whole = slice(start + first, start + first + len(block[part]))
                own_points = None if itself is None else itself[whole]
                found = self._nearest(block[part], rows[part], count, own_points)
                distances[whole], chosen[whole], own[whole] = found
        return NeighbourDistances(distances, chosen, own)

    def _nearest(
        self,
        queries: Floats,
        rows: NDArray[np.intp],
        count: int,
        itself: NDArray[np.intp] | None,
    ) -> NeighbourDistances:
        """Return the nearest of the points `rows`, (n, k), that were found for queries.

        `rows` are in order, so that the first of several that are equally far come first.
        """
        # The search's rounding depends on the other queries, so recompute the distances.
        away = queries[:, None].astype(np.float64) - self.points[rows]
        distances = np.sqrt(np.einsum("nkd,nkd->nk", away, away))
        if itself is None:
            nearest = np.argmin(distances, axis=1)[:, None]
            at_zero = np.take_along_axis(distances, nearest, axis=1) == 0
            itself = np.where(at_zero, np.take_along_axis(rows, nearest, axis=1), -1)[:, 0]
        # In float32, distances that differ by rounding are equal.
        compared = np.where(rows == itself[:, None], np.inf, distances).astype(np.float32)
        order = np.argsort(compared, kind="stable")[:, :count]
        return NeighbourDistances(
            np.take_along_axis(distances, order, axis=1),
            np.take_along_axis(rows, order, axis=1),
            itself,
        )

    @cached_property
    def _search(self) -> NearestNeighbors:
        method = "kd_tree" if self.points.shape[1] <= _TREE_WIDTH else "brute"
        return NearestNeighbors(algorithm=method).fit(self.points)


def reach_density(found: NeighbourDistances, radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the local reachability density of queries, (n,) (Breunig et al., 2000, LOF).

    Parameters
    ----------
    found : NeighbourDistances
        The neighbours of the queries.
    radius : array of shape (m,)
        Distance from each point of the set to its farthest neighbour.
    """
    reach = np.maximum(found.distances, radius[found.points]).mean(axis=1)
    density: NDArray[np.float64] = 1 / np.maximum(reach, np.finfo(np.float32).tiny)
    return density
