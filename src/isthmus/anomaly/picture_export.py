"""A detector of pictures as an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly import event_nodes
from isthmus.anomaly.picture_nodes import anomaly_map
from isthmus.anomaly.row_export import expected_alarms
from isthmus.core.randomness import generator_for
from isthmus.export import schema_nodes
from isthmus.export.check_rows import check_rows, feeds
from isthmus.export.graph import OnnxGraph
from isthmus.export.onnx_file import Check, CheckedGraph
from isthmus.export.parity import Expected
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from isthmus.anomaly.picture_detector import PictureDetector

MAP = "anomaly_map"
_MOST_POINTS = 1 << 14
"""Points of the grid, over all pictures on which a graph is compared."""
_FEWEST, _MOST = 8, 64
_AT_ONCE = 4
"""Pictures that are run together, because the graph's memory grows with them."""
_NOISE = (0.0, 0.03, 0.1)
"""How much noise is added to pictures of the autoencoder, relative to random ones."""


def checked_graph(detector: Any, fitted: PictureDetector) -> CheckedGraph:
    """Return the graph of a fitted `AnomalyDetector`, with pictures to compare it on."""
    graph, schema = OnnxGraph(), fitted.autoencoder.schema_
    maps = anomaly_map(graph, fitted.picture_score, schema_nodes.inputs(graph, schema))
    event_nodes.alarm_outputs(graph, _highest(graph, maps), fitted.calibration, detector.threshold_)
    graph.output(MAP, maps, np.float64, fitted.picture_score.space.grid.image)
    X = _check_pictures(fitted)
    values = detector.anomaly_map(X)
    expected = expected_alarms(detector, fitted, np.nanmax(values, axis=(1, 2)))
    check = Check(feeds(schema, X), {**expected, MAP: Expected(values)})
    return CheckedGraph(graph, schema.to_config(), [check], at_once=_AT_ONCE)


def _highest(graph: OnnxGraph, maps: str) -> str:
    """Return the highest value of each map, (n,); NaN where all are missing."""
    lowest, unknown = number(graph, -np.inf), number(graph, np.nan)
    known = graph.add("Where", graph.add("IsNaN", maps), lowest, maps)
    score = graph.add("ReduceMax", known, graph.constant([1, 2], np.int64), keepdims=0)
    return graph.add("Where", graph.add("Equal", score, lowest), unknown, score)


def _check_pictures(fitted: PictureDetector) -> Any:
    """Return random pictures, and such as the autoencoder makes of them, some with noise."""
    rows, columns = fitted.picture_score.space.grid.shape
    count = min(_MOST, max(_FEWEST, _MOST_POINTS // (rows * columns)))
    schema = fitted.autoencoder.schema_
    X = np.asarray(check_rows(schema, count + 1))[1:]  # the first is missing as a whole
    made = np.asarray(fitted.autoencoder.reconstruct(X))
    share = generator_for(0, "noise to check an export").choice(_NOISE, len(X))
    share[: len(X) // 2] = 1
    share = share.reshape(-1, *[1] * (X.ndim - 1)).astype(X.dtype)
    return made + share * (X - made)
