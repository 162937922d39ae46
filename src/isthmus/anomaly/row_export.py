"""A detector of rows as an ONNX graph."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly import event_nodes
from isthmus.anomaly.row_nodes import row_score
from isthmus.anomaly.space_nodes import SpaceNodes
from isthmus.core.errors import DataWarning
from isthmus.export.check_rows import check_rows, feeds
from isthmus.export.graph import OnnxGraph
from isthmus.export.observed_nodes import observed
from isthmus.export.onnx_file import Check, CheckedGraph
from isthmus.export.parity import Expected

if TYPE_CHECKING:
    from isthmus.anomaly.conformal_rows import ConformalRows
    from isthmus.anomaly.row_detector import RowDetector


def checked_graph(detector: Any, fitted: RowDetector) -> CheckedGraph:
    """Return the graph of a fitted `AnomalyDetector`, with rows to compare it on."""
    graph = OnnxGraph()
    _detect(graph, fitted, detector.threshold_)
    X = check_rows(fitted.schema)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of values that fit did not see
        scores = detector.anomaly_score(X)
    inputs = feeds(fitted.schema, X, every=True)
    expected = expected_alarms(detector, fitted, scores)
    return CheckedGraph(graph, fitted.schema.to_config(), [Check(inputs, expected)])


def expected_alarms(detector: Any, fitted: ConformalRows, scores: Any) -> dict[str, Expected]:
    """Return what the outputs of `event_nodes.alarm_outputs` should be for scores, (n,)."""
    return {
        "anomaly_score": Expected(scores),
        "p_value": Expected(detector.p_values_of(scores), step=1 / len(fitted.calibration)),
        "alarm": Expected(scores > detector.threshold_),
        "threshold": Expected(np.full(len(scores), detector.threshold_)),
    }


def _detect(graph: OnnxGraph, fitted: RowDetector, threshold: float) -> None:
    rows = observed(graph, fitted.schema)
    space = SpaceNodes(graph, fitted.space)
    score = row_score(graph, fitted.row_score, space, space.matrix(rows.matrix))
    if (novelty := fitted.novelty) is not None:
        unseen = rows.unseen
        if len(novelty.constants):
            unseen = _differs(graph, rows.matrix, novelty.constants)
        score = event_nodes.raised(graph, novelty, score, rows.missing, unseen)
    event_nodes.alarm_outputs(graph, score, fitted.calibration, threshold)


def _differs(graph: OnnxGraph, matrix: str, constants: Any) -> str:
    """Return which cells differ from the only value that their column had in `fit`."""
    flat = graph.reshaped(matrix, (len(constants),))
    same = graph.add("Equal", flat, graph.constant(constants))
    free = graph.constant(np.isnan(constants))
    either = graph.add("Or", graph.add("Or", same, free), graph.add("IsNaN", flat))
    return graph.add("Not", either)
