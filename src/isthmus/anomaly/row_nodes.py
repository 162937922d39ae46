"""The score of rows (`isthmus.anomaly.row_score`) as ONNX nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.anomaly.neighbour_nodes import FoundNodes, nearest
from isthmus.anomaly.row_score import AROUND, NEAR, TEMPERATURE
from isthmus.anomaly.standardization import symlog
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from isthmus.anomaly.row_score import RowScore, Whitening
    from isthmus.anomaly.space_nodes import SpaceNodes
    from isthmus.export.graph import OnnxGraph

_LEAST = float(np.finfo(np.float32).eps)
_TINY = float(np.finfo(np.float32).tiny)


def row_score(graph: OnnxGraph, score: RowScore, space: SpaceNodes, matrix: str) -> str:
    """Return the score of standardised rows, (n, d) -> (n, 1), without regard to events."""
    measures = _measures(graph, score, space, matrix)
    logs = graph.add("Log", graph.add("Max", measures, number(graph, _LEAST)))
    away = graph.add("Sub", logs, graph.constant(score.center))
    z = graph.add("Div", away, graph.constant(score.scale * TEMPERATURE))
    axis = graph.constant([1], np.int64)
    total = graph.add("ReduceLogSumExp", z, axis, keepdims=1)
    total = graph.add("Sub", total, number(graph, float(np.log(len(score.scale)))))
    return softplus(graph, graph.add("Mul", total, number(graph, TEMPERATURE)))


def _measures(graph: OnnxGraph, score: RowScore, space: SpaceNodes, matrix: str) -> str:
    """Return the measures of each row, (n, measures)."""
    near = AROUND if score.contaminated else NEAR
    code, rebuilt = space.encode_and_reconstruct(matrix)
    codes, compressed = _whitened(graph, score.codes, code), space.symlog(matrix)
    away = graph.add("Sub", compressed, space.symlog(rebuilt))
    residuals = _whitened(graph, score.residuals, away)
    around = nearest(graph, score.rows, matrix, AROUND)
    own_codes = score.codes(score.network.encode(score.rows))
    plain = graph.columns(around.distances, 0, min(near, len(score.rows) - 1))
    in_logs = nearest(graph, symlog(score.rows), compressed, near, around.itself)
    in_codes = nearest(graph, own_codes, codes, near, around.itself)
    measures = [_mean(graph, part) for part in (plain, in_logs.distances, in_codes.distances)]
    measures += [_norm(graph, part) for part in (codes, residuals)]
    if not score.contaminated:
        measures.append(_outlier_factor(graph, score, around))
    return graph.add("Concat", *measures, axis=1)


def _outlier_factor(graph: OnnxGraph, score: RowScore, found: FoundNodes) -> str:
    radius, density = score.radius_and_density
    reach = graph.add("Gather", graph.constant(radius), found.points)
    reach = _mean(graph, graph.add("Max", found.distances, reach))
    reach = graph.add("Max", reach, number(graph, _TINY))
    near = _mean(graph, graph.add("Gather", graph.constant(density), found.points))
    return graph.add("Mul", near, reach)


def _whitened(graph: OnnxGraph, whitening: Whitening, points: str) -> str:
    center, root = (part.astype(np.float64) for part in (whitening.center, whitening.root))
    away = graph.add("Sub", graph.cast(points, np.float64), graph.constant(center))
    white = graph.add("MatMul" if root.ndim == 2 else "Mul", away, graph.constant(root))
    return graph.cast(white, np.float32)


def _mean(graph: OnnxGraph, values: str) -> str:
    return graph.add("ReduceMean", values, graph.constant([1], np.int64), keepdims=1)


def _norm(graph: OnnxGraph, values: str) -> str:
    wide = graph.cast(values, np.float64)
    return graph.add("ReduceL2", wide, graph.constant([1], np.int64), keepdims=1)


def softplus(graph: OnnxGraph, z: str) -> str:
    """Return log(1 + exp(z)) without overflow."""
    small = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    rest = graph.add("Log", graph.add("Add", small, number(graph, 1.0)))
    return graph.add("Add", graph.add("Max", z, number(graph, 0.0)), rest)
