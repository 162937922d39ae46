"""Patches of pictures, their whitening and their memory, as ONNX nodes.

See `picture_grid`, `patch_whitening` and `patch_memory`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isthmus.anomaly.patch_memory import same_within
from isthmus.anomaly.patch_whitening import LEAST_SQUARE
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from isthmus.anomaly.patch_whitening import PatchWhitening
    from isthmus.anomaly.picture_grid import PatchSize, PictureGrid
    from isthmus.core.types import Floats
    from isthmus.export.graph import OnnxGraph


class ProjectedPatches(NamedTuple):
    """What `PatchWhitening.project` returns, as names of values."""

    along: str
    left: str


def patches(graph: OnnxGraph, grid: PictureGrid, pictures: str, size: PatchSize) -> str:
    """Return the patches of pictures, (n, h, w, bands) -> (n, rows, columns, cells)."""
    reduced = pictures if size.reduction == 1 else _halved(graph, grid, pictures)
    for axis, starts in zip((1, 3), grid.starts(size), strict=True):
        cells = graph.constant(starts[:, None] + np.arange(size.side), np.int64)
        reduced = graph.add("Gather", reduced, cells, axis=axis)
    # (n, rows, side, columns, side, bands)
    ordered = graph.add("Transpose", reduced, perm=[0, 1, 3, 5, 2, 4])
    return graph.reshaped(ordered, (*grid.shape, size.side**2 * grid.bands))


def projected(graph: OnnxGraph, whitening: PatchWhitening, given: str) -> ProjectedPatches:
    """Return the codes along the axes of patches (..., cells), and the squares of the rest."""
    away = graph.add("Sub", given, graph.constant(whitening.center))
    along = graph.add("MatMul", away, graph.constant(whitening.axes))
    if whitening.is_complete:
        return ProjectedPatches(along, "")
    within = graph.add("MatMul", along, graph.constant(whitening.axes.T))
    rest, axis = graph.add("Sub", away, within), graph.constant([-1], np.int64)
    return ProjectedPatches(along, graph.add("ReduceSumSquare", rest, axis, keepdims=0))


def log_distance(graph: OnnxGraph, whitening: PatchWhitening, found: ProjectedPatches) -> str:
    """Return the logarithm of the distance of projected patches, (...)."""
    variances = whitening.variances
    weights = graph.constant((1 / variances[:-1])[:, None])
    squares = graph.add("MatMul", graph.add("Mul", found.along, found.along), weights)
    squares = graph.add("Squeeze", squares, graph.constant([-1], np.int64))
    if found.left:
        rest = graph.add("Div", found.left, graph.constant(variances[-1]))
        squares = graph.add("Add", squares, rest)
    squares = graph.add("Add", squares, graph.constant(LEAST_SQUARE, np.float32))
    return graph.add("Mul", graph.add("Log", squares), graph.constant(0.5, np.float32))


def code(graph: OnnxGraph, whitening: PatchWhitening, along: str, shape: tuple[int, int]) -> str:
    """Return the codes of patches at every second point of a grid, (n * points, size)."""
    for axis, count in enumerate(shape, start=1):
        every = graph.constant(np.arange(0, count, 2), np.int64)
        along = graph.add("Gather", along, every, axis=axis)
    size = graph.constant(np.arange(whitening.code_size), np.int64)
    leading = graph.add("Gather", along, size, axis=-1)
    scaled = graph.add("Div", leading, graph.constant(whitening.code_scale))
    return graph.reshaped(scaled, (whitening.code_size,))


def dense(graph: OnnxGraph, values: str, shape: tuple[int, int], more: tuple[int, ...]) -> str:
    """Return values of every second point, (n * points, *more), at all points of a grid."""
    sparse = tuple(-(-count // 2) for count in shape)
    values = graph.reshaped(values, (*sparse, *more))
    for axis, count in enumerate(shape, start=1):
        nearest = graph.constant(np.arange(count) // 2, np.int64)
        values = graph.add("Gather", values, nearest, axis=axis)
    return values


def nearest_distance(graph: OnnxGraph, memory: Floats, points: str) -> str:
    """Return the distance from each point, (n, d), to the nearest in the memory, (n,)."""
    squares = _squared_distances(graph, memory, points)
    nearest = graph.add("ReduceMin", squares, graph.constant([1], np.int64), keepdims=0)
    least = number(graph, same_within(memory) ** 2)
    return graph.cast(graph.add("Sqrt", graph.add("Max", nearest, least)), np.float32)


def mean_of_nearest(
    graph: OnnxGraph, memory: Floats, values: Floats, points: str, count: int
) -> str:
    """Return what `patch_memory.mean_of_nearest` does, (n, k)."""
    squares = _squared_distances(graph, memory, points)
    wanted = graph.constant([count], np.int64)
    nearest, _ = graph.add_many("TopK", [squares, wanted], 2, axis=1, largest=0, sorted=1)
    last = graph.columns(nearest, count - 1, count)
    last = graph.add("Sqrt", graph.add("Max", last, number(graph, 0.0)))
    farthest = graph.add("Add", last, number(graph, same_within(memory)))
    near = graph.add("LessOrEqual", squares, graph.add("Mul", farthest, farthest))
    near = graph.cast(near, np.float32)
    total = graph.add("MatMul", near, graph.constant(values))
    many = graph.add("ReduceSum", near, graph.constant([1], np.int64), keepdims=1)
    return graph.add("Div", total, many)


def _squared_distances(graph: OnnxGraph, memory: Floats, points: str) -> str:
    """Return the squared distances of points (n, d) to the memory, (n, m), in float64."""
    known = memory.astype(np.float64)
    wide = graph.cast(points, np.float64)
    own = graph.add("ReduceSumSquare", wide, graph.constant([1], np.int64), keepdims=1)
    products = graph.add("MatMul", wide, graph.constant(-2.0 * known.T))
    norms = graph.constant(np.square(known).sum(axis=1))
    return graph.add("Add", graph.add("Add", products, norms), own)


def _halved(graph: OnnxGraph, grid: PictureGrid, pictures: str) -> str:
    pads = [0, 0, 0, 0, 0, grid.height % 2, grid.width % 2, 0]
    even = pictures
    if any(pads):
        even = graph.add("Pad", pictures, graph.constant(pads, np.int64), mode="edge")
    rows, columns = (-(-side // 2) for side in grid.image)
    apart = graph.reshaped(even, (rows, 2, columns, 2, grid.bands))
    total = graph.add("ReduceSum", apart, graph.constant([2, 4], np.int64), keepdims=0)
    return graph.add("Mul", total, graph.constant(0.25, np.float32))
