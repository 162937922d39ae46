"""The anomaly map of pictures (`isthmus.anomaly.picture_score`) as ONNX nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from isthmus.anomaly import patch_nodes
from isthmus.anomaly.expected_levels import ALIKE
from isthmus.anomaly.picture_score import BLURRED, MOST_MISSING
from isthmus.anomaly.picture_space_nodes import picture_block
from isthmus.anomaly.row_nodes import softplus
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.expected_levels import ExpectedLevels
    from isthmus.anomaly.picture_grid import PictureGrid
    from isthmus.anomaly.picture_score import PictureScore
    from isthmus.anomaly.picture_space_nodes import PictureBlockNodes
    from isthmus.export.graph import OnnxGraph


class _MeasuredNodes(NamedTuple):
    """What was measured at the points of pictures, as names of values."""

    measures: str
    """(n, rows, columns, measures)"""
    looks: str
    """(n * points, components), codes of the largest patches at every second point."""


def anomaly_map(graph: OnnxGraph, score: PictureScore, matrix: str) -> str:
    """Return the map of pictures in the autoencoder's units, (n, h, w), in float64."""
    block = picture_block(graph, score.space, matrix)
    joined = _joined(graph, score, _measured(graph, score, block), block.missing)
    away = graph.add("Sub", joined, number(graph, score.center))
    values = softplus(graph, graph.add("Div", away, number(graph, score.scale)))
    return graph.add("Where", block.missing, number(graph, np.nan), values)


def _measured(graph: OnnxGraph, score: PictureScore, block: PictureBlockNodes) -> _MeasuredNodes:
    grid = score.space.grid
    distances, memory, looks = [], [], ""
    for place, size in enumerate(grid.sizes):
        pictures, residuals = score.whitenings[place]
        found = patch_nodes.projected(
            graph, pictures, patch_nodes.patches(graph, grid, block.pictures, size)
        )
        looks = patch_nodes.code(graph, pictures, found.along, grid.shape)
        nearest = patch_nodes.nearest_distance(graph, score.memories[place], looks)
        memory.append(patch_nodes.dense(graph, graph.add("Log", nearest), grid.shape, ()))
        distances.append(patch_nodes.log_distance(graph, pictures, found))
        left = patch_nodes.projected(
            graph, residuals, patch_nodes.patches(graph, grid, block.residuals, size)
        )
        distances.append(patch_nodes.log_distance(graph, residuals, left))
    lacking = [graph.add("Neg", _blurred(graph, grid, each)) for each in distances]
    more = []
    if score.features is not None and block.features is not None:
        found = patch_nodes.projected(graph, score.features, block.features)
        more = [patch_nodes.log_distance(graph, score.features, found)]
    return _MeasuredNodes(_stacked(graph, [*distances, *lacking, *memory, *more]), looks)


def _joined(graph: OnnxGraph, score: PictureScore, found: _MeasuredNodes, missing: str) -> str:
    grid = score.space.grid
    away = graph.add("Sub", found.measures, _expected(graph, score.levels, grid, found.looks))
    excess = graph.add("Div", away, graph.constant(score.levels.spread))
    excess = graph.add("Div", excess, graph.constant(score.tops))
    excess = graph.add("Max", graph.cast(excess, np.float64), number(graph, 0.0))
    squares = graph.add("Mul", excess, excess)
    powers = graph.add("Mul", squares, squares)
    mean = graph.add("ReduceMean", powers, graph.constant([3], np.int64), keepdims=0)
    joint = graph.add("Sqrt", graph.add("Sqrt", mean))
    sparse = graph.add("Greater", _share(graph, grid, missing), number(graph, MOST_MISSING))
    joint = graph.add("Where", sparse, number(graph, 0.0), joint)
    blur = grid.stride / 2
    to_pixels = [
        gaussian_filter1d(np.repeat(np.eye(count), grid.stride, axis=0)[:side], blur, axis=0)
        for count, side in zip(grid.shape, grid.image, strict=True)
    ]
    return _along_sides(graph, to_pixels, joint)


def _expected(graph: OnnxGraph, levels: ExpectedLevels, grid: PictureGrid, looks: str) -> str:
    fixed, chosen = levels.fixed, levels.by_look
    if not len(chosen):
        return graph.constant(fixed)
    near = min(ALIKE, len(levels.looks) - 1)
    # Each column is the mean of one measure; the others are 0 there.
    values = np.zeros((len(levels.looks), fixed.shape[-1]), dtype=np.float32)
    values[:, chosen] = levels.levels[:, chosen]
    means = patch_nodes.mean_of_nearest(graph, levels.looks, values, looks, near)
    alike = patch_nodes.dense(graph, means, grid.shape, values.shape[1:])
    rest = np.where(np.isin(np.arange(fixed.shape[-1]), chosen), np.float32(0), fixed)
    return graph.add("Add", alike, graph.constant(rest))


def _share(graph: OnnxGraph, grid: PictureGrid, missing: str) -> str:
    """Return the share of the pixels around each point that are missing, (n, rows, columns)."""
    averages = []
    for count, side in zip(grid.shape, grid.image, strict=True):
        pixels = np.minimum(np.arange(count * grid.stride), side - 1).reshape(count, grid.stride)
        average = np.zeros((count, side))
        np.add.at(average, (np.arange(count)[:, None], pixels), 1 / grid.stride)
        averages.append(average)
    return _along_sides(graph, averages, graph.cast(missing, np.float64))


def _blurred(graph: OnnxGraph, grid: PictureGrid, values: str) -> str:
    blurs = [gaussian_filter1d(np.eye(count), BLURRED, axis=0) for count in grid.shape]
    blurred = _along_sides(graph, blurs, graph.cast(values, np.float64))
    return graph.cast(blurred, np.float32)


def _along_sides(graph: OnnxGraph, matrices: Sequence[NDArray[np.float64]], values: str) -> str:
    """Multiply both sides of (n, a, b) by matrices: a filter with its ends is one."""
    below, right = matrices
    made = graph.add("MatMul", values, graph.constant(right.T))
    return graph.add("MatMul", graph.constant(below), made)


def _stacked(graph: OnnxGraph, parts: Sequence[str]) -> str:
    axis = graph.constant([3], np.int64)
    return graph.add("Concat", *(graph.add("Unsqueeze", part, axis) for part in parts), axis=3)
