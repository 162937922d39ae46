"""The p-values of a series (`isthmus.anomaly.series_calibration`) as ONNX nodes.

ONNX has no t distribution. The logarithm of its upper tail is stored at places that are evenly
spaced in the inverse hyperbolic sine of the distance, and interpolated by cubic polynomials with
the same values and slopes; p-values are accurate to 1e-7 of their size.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from scipy.interpolate import CubicHermiteSpline

from isthmus.anomaly.series_calibration import SMALLEST
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.series_calibration import SeriesCalibration
    from isthmus.export.graph import OnnxGraph

_PARTS = 1024
_FARTHEST = 1e9
"""In standard deviations."""
_LEAST_LOG = -700.0
"""Of a p-value; the exponentials of smaller ones are not numbers of full precision."""
_HALVINGS = 60


def p_values(graph: OnnxGraph, calibration: SeriesCalibration, scores: str) -> str:
    """Return the p-values of rows' scores, (n,), NaN where there is no score."""
    scaled = graph.add("Div", scores, number(graph, calibration.margin))
    count = number(graph, float(len(calibration.scores)))
    below = _below(graph, calibration.scores, scaled)
    counted = graph.add("Div", graph.add("Sub", count, below), count)
    enough = number(graph, calibration.enough)
    few = graph.add("Min", _tail(graph, calibration, scaled), enough)
    few = graph.add("Max", counted, few)
    values = graph.add("Where", graph.add("Less", counted, enough), few, counted)
    values = graph.add("Min", values, number(graph, 1.0))
    return graph.add("Where", graph.add("IsNaN", scores), number(graph, np.nan), values)


def _below(graph: OnnxGraph, ascending: NDArray[np.float64], values: str) -> str:
    """Return how many of some numbers are below each value, by bisection."""
    first = 2 ** (len(ascending).bit_length() - 1)
    padded = graph.constant(np.append(ascending, np.full(2 * first - len(ascending), np.inf)))
    found = graph.add("Expand", graph.constant(0, np.int64), graph.add("Shape", values))
    for power in range(len(ascending).bit_length() - 1, -1, -1):
        step = 2**power
        last = graph.add("Add", found, graph.constant(step - 1, np.int64))
        less = graph.add("Less", graph.add("Gather", padded, last), values)
        more = graph.add("Mul", graph.cast(less, np.int64), graph.constant(step, np.int64))
        found = graph.add("Add", found, more)
    return graph.cast(found, np.float64)


def _tail(graph: OnnxGraph, calibration: SeriesCalibration, scaled: str) -> str:
    """Return `SeriesCalibration.tail_p` where it is below 0.5, and 0.5 elsewhere."""
    centre, spread, m = calibration.tail
    logs = graph.add("Log", graph.add("Max", scaled, number(graph, SMALLEST)))
    away = graph.add("Sub", logs, number(graph, centre))
    away = graph.add("Max", graph.add("Div", away, number(graph, spread)), number(graph, 0.0))
    away = graph.add("Min", away, number(graph, _FARTHEST))
    root = graph.add("Add", graph.add("Mul", away, away), number(graph, 1.0))
    place = graph.add("Log", graph.add("Add", away, graph.add("Sqrt", root)))
    last, coefficients = _polynomials(m - 1)
    place = graph.add(
        "Mul", graph.add("Min", place, number(graph, last)), number(graph, _PARTS / last)
    )
    part = graph.add("Min", graph.add("Floor", place), number(graph, _PARTS - 1.0))
    inside = graph.add("Sub", place, part)
    # NaN has no place; its p-value is NaN in the end.
    known = graph.add("Where", graph.add("IsNaN", part), number(graph, 0.0), part)
    number_of_part = graph.cast(known, np.int64)
    value = graph.add("Gather", graph.constant(coefficients[0]), number_of_part)
    for each in coefficients[1:]:
        more = graph.add("Gather", graph.constant(each), number_of_part)
        value = graph.add("Add", graph.add("Mul", value, inside), more)
    return graph.add("Exp", value)


def _polynomials(freedom: float) -> tuple[float, NDArray[np.float64]]:
    """Return the last place, and the polynomials of all parts, (4, parts), highest power first."""
    low, last = 0.0, math.asinh(_FARTHEST)
    if _log_tail(last, freedom) < _LEAST_LOG:
        for _ in range(_HALVINGS):
            middle = (low + last) / 2
            low, last = (low, middle) if _log_tail(middle, freedom) < _LEAST_LOG else (middle, last)
        last = low
    places = np.linspace(0, last, _PARTS + 1)
    values = _log_tail(places, freedom)
    slopes = -np.exp(stats.t.logpdf(np.sinh(places), freedom) - values) * np.cosh(places)
    width = last / _PARTS
    spline = CubicHermiteSpline(np.arange(_PARTS + 1.0), values, slopes * width)
    return last, np.ascontiguousarray(spline.c)


def _log_tail(places: NDArray[np.float64] | float, freedom: float) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(stats.t.sf(np.sinh(places), freedom)))
