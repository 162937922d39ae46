"""Errors of reconstructions as ONNX nodes, in float64 as in `isthmus.data.reconstruction_error`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from isthmus.data.schema import Schema
    from isthmus.export.graph import OnnxGraph


def row_errors(graph: OnnxGraph, schema: Schema, target: str, prediction: str) -> str:
    """Return the mean error of each row over its observed columns, (n,); NaN if it has none.

    `target` and `prediction` are scaled float32 matrices; NaN in `target` marks a missing cell.
    """
    cells = [_flat(graph, schema, part) for part in (target, prediction)]
    zero = graph.constant(0.0, np.float64)
    squares = graph.add("Sub", *cells)
    squares = graph.add("Mul", squares, squares)
    missing = graph.add("IsNaN", squares)
    errors = graph.add("Where", missing, zero, squares)
    observed = graph.cast(graph.add("Not", missing), np.float64)
    weights = [graph.constant(part[:, None], np.float64) for part in _shares(schema)]
    total, count = (
        graph.add("MatMul", part, weight)
        for part, weight in zip((errors, observed), weights, strict=True)
    )
    mean = graph.add("Div", total, count)
    return graph.add("Reshape", mean, graph.constant([-1], np.int64))


def without_padding(graph: OnnxGraph, prediction: str, target: str) -> str:
    """Put NaN after the last step of each sequence (n, time, channels) that `target` has."""
    observed = graph.cast(graph.add("Not", graph.add("IsNaN", target)), np.float32)
    step = graph.add("ReduceMax", observed, graph.constant([2], np.int64), keepdims=1)
    # Steps up to the last observed one have one at or after them.
    later = graph.add("CumSum", step, graph.constant(1, np.int64), reverse=1)
    within = graph.add("Greater", later, graph.constant(0.0, np.float32))
    return graph.add("Where", within, prediction, graph.constant(np.nan, np.float32))


def _flat(graph: OnnxGraph, schema: Schema, matrix: str) -> str:
    width = int(np.prod(schema.sample_shape))
    flat = graph.add("Reshape", matrix, graph.constant([-1, width], np.int64))
    return graph.cast(flat, np.float64)


def _shares(schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    """Return what each cell contributes to the sum of errors, and to the number of columns."""
    width = int(np.prod(schema.sample_shape))
    errors, columns = np.ones(width), np.ones(width)
    for segment in schema.segments:
        if segment.kind == "categorical":
            errors[segment.start : segment.stop] = 0.5
            columns[segment.start + 1 : segment.stop] = 0.0  # all of them are missing, or none
    return errors, columns
