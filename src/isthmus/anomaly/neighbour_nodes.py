"""`isthmus.anomaly.nearest_neighbours` as ONNX nodes.

All distances to the points are computed, so memory is proportional to queries times points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isthmus.anomaly.nearest_neighbours import SPARE
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.export.graph import OnnxGraph


class FoundNodes(NamedTuple):
    """The nearest points of queries; names of values."""

    distances: str
    """(n, k), ascending, float64."""
    points: str
    """(n, k), indices."""
    itself: str
    """(n, 1), index of the point that the query is; -1 for none."""


def nearest(
    graph: OnnxGraph, points: Floats, queries: str, count: int, itself: str | None = None
) -> FoundNodes:
    """Add the search for the `count` nearest points (m, d) of float32 queries, (n, d).

    Other parameters and the result are as for `NearestNeighbours.find`.
    """
    count = min(count, len(points) - 1)
    known = points.astype(np.float64)
    wide = graph.cast(queries, np.float64)
    products = graph.add("MatMul", wide, graph.constant(-2.0 * known.T))
    squares = graph.add("Add", products, graph.constant(np.square(known).sum(axis=1)))
    _, some = _smallest(graph, squares, min(count + 1 + SPARE, len(points)))
    # The operator returns the first of equal values first, which are the first points if in order.
    some, _ = _smallest(graph, some, min(count + 1 + SPARE, len(points)))
    # Products round; the distances that count are computed anew.
    cells = graph.add("Gather", graph.constant(known), some)
    away = graph.add("Sub", graph.add("Unsqueeze", wide, graph.constant([1], np.int64)), cells)
    total = graph.add(
        "ReduceSum", graph.add("Mul", away, away), graph.constant([2], np.int64), keepdims=0
    )
    distances = graph.add("Sqrt", total)
    if itself is None:
        itself = _at_zero(graph, distances, some)
    others = graph.add("Equal", some, itself)
    distances = graph.add("Where", others, number(graph, np.inf), distances)
    _, order = _smallest(graph, graph.cast(distances, np.float32), count)
    found, points_found = (
        graph.add("GatherElements", part, order, axis=1) for part in (distances, some)
    )
    return FoundNodes(found, points_found, itself)


def _at_zero(graph: OnnxGraph, distances: str, some: str) -> str:
    """Return the index of a point at distance 0, or -1."""
    place = graph.add("ArgMin", distances, axis=1, keepdims=1)
    least = graph.add("GatherElements", distances, place, axis=1)
    point = graph.add("GatherElements", some, place, axis=1)
    is_zero = graph.add("Equal", least, number(graph, 0.0))
    return graph.add("Where", is_zero, point, graph.constant(-1, np.int64))


def _smallest(graph: OnnxGraph, values: str, count: int) -> tuple[str, str]:
    wanted = graph.constant([count], np.int64)
    found, places = graph.add_many("TopK", [values, wanted], 2, axis=1, largest=0, sorted=1)
    return found, places
