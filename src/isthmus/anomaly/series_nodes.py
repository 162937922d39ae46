"""Scores, p-values and alarms of the rows of a series as ONNX nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.anomaly.alarm_threshold import AlarmThreshold
from isthmus.anomaly.level_nodes import window_scores
from isthmus.anomaly.series_p_values import p_values
from isthmus.anomaly.threshold_nodes import thresholds
from isthmus.anomaly.window_nodes import measured_windows, placed_rows
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from isthmus.anomaly.series_detector import SeriesDetector
    from isthmus.export.graph import OnnxGraph


def row_scores(graph: OnnxGraph, series: SeriesDetector, given: str) -> str:
    """Return the scores of the rows of a series, (n, sensors) -> (n,), NaN where there is none."""
    placed = placed_rows(graph, series, given)
    windows = measured_windows(graph, series, placed)
    scores = window_scores(graph, series.window_score, series.window, windows)
    # The last one is a window of missing rows, which stands in for all others if there are none.
    zero, last = graph.constant([0], np.int64), graph.constant([-1], np.int64)
    starts, scores = (graph.add("Slice", part, zero, last) for part in (windows.starts, scores))
    rows = graph.add("Shape", given, end=1)
    ones = graph.add("Expand", number(graph, 1.0), graph.add("Shape", starts))
    total, count = (
        _sums_of_covering(graph, starts, part, rows, series.window) for part in (scores, ones)
    )
    measured = graph.add("Slice", placed.measured, zero, rows)
    known = graph.add("And", measured, graph.add("Greater", count, number(graph, 0.0)))
    return graph.add("Where", known, graph.add("Div", total, count), number(graph, np.nan))


def _sums_of_covering(graph: OnnxGraph, starts: str, values: str, rows: str, width: int) -> str:
    """Return for each row the sum of the values of the windows that cover it, (rows,).

    Parameters
    ----------
    graph : OnnxGraph
    starts, values : str
        Names of the row in which each window begins, and of its value, (k,).
    rows : str
        Name of the number of rows, (1,).
    width : int
        Rows of a window.
    """
    # A row is covered by the windows that begin in it and in the rows before.
    before, axis = graph.constant([width - 1], np.int64), graph.constant([1], np.int64)
    places = graph.add("Unsqueeze", graph.add("Add", starts, before), axis)
    blank = graph.add("Expand", number(graph, 0.0), graph.add("Add", rows, before))
    at_places = graph.add("ScatterND", blank, places, values)
    own = graph.add("Unsqueeze", graph.numbers(rows), axis)
    covering = graph.add("Add", own, graph.constant(np.arange(width), np.int64))
    return graph.add("ReduceSum", graph.add("Gather", at_places, covering), axis, keepdims=0)


def series_alarms(graph: OnnxGraph, series: SeriesDetector, scores: str, rate: float) -> None:
    """Add the outputs of a detector for the scores of the rows of a series, (n,)."""
    start, calibration = series.threshold(rate), series.calibration
    if series.window_score.step:
        follows = AlarmThreshold(start, rate, calibration.tau, calibration.spread)
        limits = thresholds(graph, follows, scores)
    else:
        limits = graph.add("Expand", number(graph, start), graph.add("Shape", scores))
    graph.output("anomaly_score", scores, np.float64, ())
    graph.output("p_value", p_values(graph, calibration, scores), np.float64, ())
    graph.output("alarm", graph.add("Greater", scores, limits), bool, ())
    graph.output("threshold", limits, np.float64, ())
