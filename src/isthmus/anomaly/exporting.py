"""Exports a detector of rows as an ONNX file."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly import event_nodes
from isthmus.anomaly.row_detector import RowDetector
from isthmus.anomaly.row_nodes import row_score
from isthmus.anomaly.space_nodes import SpaceNodes
from isthmus.core.errors import DataWarning, InvalidParameter
from isthmus.export.check_rows import check_rows, feeds
from isthmus.export.graph import OnnxGraph
from isthmus.export.observed_nodes import observed
from isthmus.export.onnx_file import write_onnx
from isthmus.export.parity import Expected
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    import os


def export(detector: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted detector; see `AnomalyDetector.export`."""
    fitted = detector._fitted
    if not isinstance(fitted, RowDetector):
        raise InvalidParameter(
            "export",
            expected="a detector of rows",
            received="one of series" if fitted.is_series else "one of pictures",
            remedy="run it with isthmus, or export the codes of an autoencoder",
        )
    graph = OnnxGraph()
    _detect(graph, fitted, detector.threshold_)
    X = check_rows(fitted.schema)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of values that fit did not see
        scores = detector.anomaly_score(X)
    expected = {
        "anomaly_score": Expected(scores),
        "p_value": Expected(detector.p_values_of(scores), step=1 / len(fitted.calibration)),
        "alarm": Expected(scores > detector.threshold_),
        "threshold": Expected(np.full(len(scores), detector.threshold_)),
    }
    description = {"kind": "detector", "part": "detect"}
    write_onnx(
        path, graph, description, fitted.schema, feeds(fitted.schema, X, every=True), expected
    )


def _detect(graph: OnnxGraph, fitted: RowDetector, threshold: float) -> None:
    rows = observed(graph, fitted.schema)
    space = SpaceNodes(graph, fitted.space)
    score = row_score(graph, fitted.row_score, space, space.matrix(rows.matrix))
    if (novelty := fitted.novelty) is not None:
        unseen = rows.unseen
        if len(novelty.constants):
            unseen = _differs(graph, rows.matrix, novelty.constants)
        score = event_nodes.raised(graph, novelty, score, rows.missing, unseen)
    p_values = event_nodes.p_values(graph, score, fitted.calibration)
    limit = number(graph, threshold)
    just_above = number(graph, threshold * (1 + event_nodes.ROUNDING))
    everywhere = graph.add("Add", graph.add("Mul", score, number(graph, 0.0)), limit)
    for name, value, kind in (
        ("anomaly_score", score, np.float64),
        ("p_value", p_values, np.float64),
        ("alarm", graph.add("Greater", score, just_above), bool),
        ("threshold", everywhere, np.float64),
    ):
        flat = graph.add("Reshape", value, graph.constant([-1], np.int64))
        graph.output(name, flat, kind, ())


def _differs(graph: OnnxGraph, matrix: str, constants: Any) -> str:
    """Return which cells differ from the only value that their column had in `fit`."""
    flat = graph.add("Reshape", matrix, graph.constant([-1, len(constants)], np.int64))
    same = graph.add("Equal", flat, graph.constant(constants))
    free = graph.constant(np.isnan(constants))
    either = graph.add("Or", graph.add("Or", same, free), graph.add("IsNaN", flat))
    return graph.add("Not", either)
