"""A detector of a fleet as an ONNX graph, which takes the series of one unit."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from isthmus.anomaly.series_export import (
    check_series,
    described,
    expected_rows,
    learned_sensors,
)
from isthmus.anomaly.series_nodes import row_scores, series_alarms
from isthmus.core.errors import DataWarning
from isthmus.export.graph import OnnxGraph
from isthmus.export.onnx_file import Check, CheckedGraph
from isthmus.export.scaling_nodes import number
from isthmus.export.schema_nodes import ARRAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.fleet_detector import FleetDetector
    from isthmus.anomaly.unit_scaling import UnitFigures
    from isthmus.anomaly.unit_shrinkage import UnitShrinkage

UNIT = "unit"
_NEW = "a unit that fit never saw"
_TICK = 1_000_000
"""Microseconds between rows, if the fleet's rows had no times."""


class _UnitNodes(NamedTuple):
    """What is known of the unit; names of values."""

    place: str
    """(1,), its number in `fit`, or 0."""
    new: str
    """(1,), whether it was not in `fit`."""
    means: str
    """(sensors,), its centres."""
    logs: str
    """(sensors,), the logarithms of its scales."""


def checked_graph(detector: Any, fitted: FleetDetector) -> CheckedGraph:
    """Return the graph of a fitted `AnomalyDetector`, with the series of two units."""
    graph, series = OnnxGraph(), fitted.series
    given = graph.input(ARRAY, np.float64, (len(series.columns),))
    name = graph.input(UNIT, str, (1,), rows=False)
    rows = learned_sensors(graph, series, given)
    unit = _unit(graph, fitted, rows, name)
    away = graph.add("Sub", rows, unit.means)
    rows = graph.add("Mul", away, graph.add("Exp", graph.add("Neg", unit.logs)))
    level = graph.add("Gather", graph.constant(fitted.levels), unit.place)
    level = graph.add("Where", unit.new, number(graph, 1.0), level)
    scores = graph.add("Div", row_scores(graph, series, rows), level)
    series_alarms(graph, series, scores, detector.false_alarm_rate)
    known = fitted.names[0]
    new = _NEW if isinstance(known, str) else 1 + max(map(int, fitted.names))
    checks = [_check(detector, fitted, unit) for unit in (known, new)]
    return CheckedGraph(graph, _described(fitted), checks)


def _described(fitted: FleetDetector) -> dict[str, Any]:
    units = {"group": fitted.group, "units": list(fitted.names)}
    return {**described(fitted.series), "kind": "fleet", **units}


def _check(detector: Any, fitted: FleetDetector, unit: str | int) -> Check:
    series = fitted.series
    X = check_series(series)
    figures = fitted.scaling.figures
    for place, name in enumerate(series.sensors):
        column = X[:, series.columns.index(name)]
        column *= np.exp(figures.logs[0, place])
        column += figures.means[0, place]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of gaps, and of a new unit
        table = _table(fitted, X, unit)
        scores = detector.anomaly_score(table)
        limits = detector.thresholds_of(scores, table)
    inputs = {ARRAY: X, UNIT: np.array([str(unit)], object)}
    return Check(inputs, expected_rows(detector, series, scores, limits))


def _table(fitted: FleetDetector, X: NDArray[np.float64], unit: str | int) -> pa.Table:
    """Return evenly spaced rows of one unit as the table that Python takes."""
    series, rows = fitted.series, len(X)
    step = round(series.grid.step or _TICK)
    time = max((fitted.group, *series.columns), key=len) + " time"
    columns = {name: X[:, place] for place, name in enumerate(series.columns)}
    times = (step * np.arange(rows)).astype("M8[us]")
    return pa.table({fitted.group: [unit] * rows, time: times, **columns})


def _unit(graph: OnnxGraph, fitted: FleetDetector, rows: str, name: str) -> _UnitNodes:
    """Return a unit's figures, as `UnitScaling.of` does."""
    number_of_unit = graph.add(
        "LabelEncoder",
        name,
        domain="ai.onnx.ml",
        keys_strings=list(map(str, fitted.names)),
        values_int64s=list(range(len(fitted.names))),
        default_int64=-1,
    )
    first = graph.constant(0, np.int64)
    new = graph.add("Less", number_of_unit, first)
    place = graph.add("Max", number_of_unit, first)
    found = _figures_of_rows(graph, fitted, rows)
    learned: UnitFigures = fitted.scaling.figures
    means, logs = (
        graph.add("Where", new, ours, graph.add("Gather", graph.constant(theirs), place))
        for ours, theirs in zip(found, learned, strict=True)
    )
    return _UnitNodes(place, new, means, logs)


def _figures_of_rows(graph: OnnxGraph, fitted: FleetDetector, rows: str) -> tuple[str, str]:
    """Return the figures of a unit that was not in `fit`, by its rows."""
    scaling, first = fitted.scaling, graph.constant([0], np.int64)
    missing = graph.add("IsNaN", rows)
    known = graph.cast(graph.add("Not", missing), np.float64)
    count = graph.add("ReduceSum", known, first, keepdims=1)
    many = graph.add("Max", count, number(graph, 1.0))

    def mean(values: str) -> str:
        cells = graph.add("Where", missing, number(graph, 0.0), values)
        return graph.add("Div", graph.add("ReduceSum", cells, first, keepdims=1), many)

    means = mean(rows)
    away = graph.add("Sub", rows, means)
    spread = graph.add("Sqrt", mean(graph.add("Mul", away, away)))
    logs = graph.add("Log", graph.add("Max", spread, graph.constant(scaling.floor)))
    some = graph.add("Greater", count, number(graph, 0.0))
    total = graph.cast(graph.add("Shape", rows, end=1), np.float64)
    made = [
        _trusted(
            graph,
            shrinkage,
            graph.add("Where", some, found, graph.constant(shrinkage.centre)),
            total,
        )
        for shrinkage, found in ((scaling.centres, means), (scaling.scales, logs))
    ]
    return made[0], made[1]


def _trusted(graph: OnnxGraph, shrinkage: UnitShrinkage, found: str, rows: str) -> str:
    """Return what `UnitShrinkage.estimates` does."""
    between, centre = (graph.constant(part) for part in (shrinkage.between, shrinkage.centre))
    chance = graph.add("Div", graph.constant(shrinkage.within), rows)
    trust = graph.add("Div", between, graph.add("Add", between, chance))
    trust = graph.add("Where", graph.add("IsNaN", trust), number(graph, 0.0), trust)
    return graph.add("Add", centre, graph.add("Mul", trust, graph.add("Sub", found, centre)))
