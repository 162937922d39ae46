"""A detector of a series as an ONNX graph."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly.series_nodes import row_scores, series_alarms
from isthmus.core.errors import DataWarning
from isthmus.core.randomness import generator_for
from isthmus.export.graph import OnnxGraph
from isthmus.export.onnx_file import Check, CheckedGraph
from isthmus.export.parity import Expected
from isthmus.export.schema_nodes import ARRAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.series_detector import SeriesDetector

_MOST_CELLS = 1 << 22
"""Of the windows on which a graph is compared."""
_WINDOWS, _FEWEST = 12, 64
"""Length of the series on which a graph is compared, in windows, and its fewest rows."""


def checked_graph(detector: Any, fitted: SeriesDetector) -> CheckedGraph:
    """Return the graph of a fitted `AnomalyDetector`, with a series to compare it on."""
    graph = OnnxGraph()
    given = graph.input(ARRAY, np.float64, (len(fitted.columns),))
    rows = learned_sensors(graph, fitted, given)
    scores = row_scores(graph, fitted, rows)
    series_alarms(graph, fitted, scores, detector.false_alarm_rate)
    X = check_series(fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of gaps
        found = detector.anomaly_score(X)
        limits = detector.thresholds_of(found)
    expected = expected_rows(detector, fitted, found, limits)
    return CheckedGraph(graph, described(fitted), [Check({ARRAY: X}, expected)])


def learned_sensors(graph: OnnxGraph, fitted: SeriesDetector, given: str) -> str:
    """Return the sensors that were learned, (n, sensors), of all columns, (n, columns)."""
    places = [fitted.columns.index(name) for name in fitted.sensors]
    return graph.add("Gather", given, graph.constant(places, np.int64), axis=1)


def described(fitted: SeriesDetector) -> dict[str, Any]:
    """Return what the columns and rows of a series are, as JSON."""
    return {
        "kind": "series",
        "columns": list(fitted.columns),
        "sensors": list(fitted.sensors),
        "window": fitted.window,
        "longest_gap": fitted.grid.longest_gap,
        "microseconds_between_rows": fitted.grid.step,
    }


def expected_rows(
    detector: Any, fitted: SeriesDetector, scores: Any, limits: Any
) -> dict[str, Expected]:
    """Return what the outputs of `series_alarms` should be."""
    with np.errstate(invalid="ignore"):
        alarms = scores > limits
    return {
        "anomaly_score": Expected(scores),
        "p_value": Expected(detector.p_values_of(scores), step=1 / len(fitted.calibration.scores)),
        "alarm": Expected(alarms),
        "threshold": Expected(limits),
    }


def check_series(fitted: SeriesDetector) -> NDArray[np.float64]:
    """Return a series as the autoencoder makes it of noise, with faults and gaps, (n, columns)."""
    rng = generator_for(0, "series to check an export")
    width, sensors = fitted.window, len(fitted.sensors)
    most = _MOST_CELLS // (width * sensors)
    rows = width + max(_FEWEST, min(_WINDOWS * width, most))
    X = np.full((rows, len(fitted.columns)), np.nan)
    places = [fitted.columns.index(name) for name in fitted.sensors]
    noise = rng.standard_normal((rows, sensors))
    X[:, places] = fitted.scaling.centre + fitted.scaling.scale * noise
    usual = np.asarray(fitted.expected(X, X))[:, places]
    own = usual + 0.1 * fitted.scaling.scale * noise
    _put_in_faults(own, fitted, rng)
    X[:, places] = own
    return X


def _put_in_faults(
    rows: NDArray[np.float64], fitted: SeriesDetector, rng: np.random.Generator
) -> None:
    """Change some stretches of a series, and take some away, in place."""
    count, sensors = rows.shape
    longest = max(2, fitted.window // 2)
    for size in (3.0, 30.0, 1e4):
        first, sensor = int(rng.integers(count // 3, count)), int(rng.integers(sensors))
        rows[first : first + longest, sensor] += size * fitted.scaling.scale[sensor]
    rows[rng.random(rows.shape) < 0.02] = np.nan
    for _ in range(2):
        first, sensor = int(rng.integers(count // 2, count)), int(rng.integers(sensors))
        rows[first : first + longest + fitted.grid.longest_gap, sensor] = np.nan
    first = int(rng.integers(count // 2, count))
    rows[first : first + fitted.grid.longest_gap + 2] = np.nan
