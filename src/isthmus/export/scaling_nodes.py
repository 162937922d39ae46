"""Scaling of numbers and its inverse as ONNX nodes, in float64 as in `isthmus.data.scaling`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.data.scaling import KNEE

if TYPE_CHECKING:
    from isthmus.data.scaling import Scaling
    from isthmus.export.operators import OperatorGraph

_LARGEST_EXPONENT = 700.0


def scaled(
    graph: OperatorGraph, values: str, scaling: Scaling, columns: slice = slice(None)
) -> str:
    """Scale float64 values, (n, columns) or with the channels last; NaN stays NaN."""
    if scaling.method == "none":
        return values
    center, scale = _of(graph, scaling, columns)
    made = graph.add("Div", graph.add("Sub", values, center), scale)
    return compressed(graph, made) if scaling.method == "robust" else made


def unscaled(
    graph: OperatorGraph, values: str, scaling: Scaling, columns: slice = slice(None)
) -> str:
    """Undo `scaled`."""
    if scaling.method == "none":
        return values
    center, scale = _of(graph, scaling, columns)
    made = expanded(graph, values, _LARGEST_EXPONENT) if scaling.method == "robust" else values
    return graph.add("Add", graph.add("Mul", made, scale), center)


def number(graph: OperatorGraph, value: float) -> str:
    """Add a float64 constant."""
    return graph.constant(value, np.float64)


def _of(graph: OperatorGraph, scaling: Scaling, columns: slice) -> tuple[str, str]:
    one = scaling.center.size == 1
    center, scale = (part if one else part[columns] for part in (scaling.center, scaling.scale))
    return graph.constant(center, np.float64), graph.constant(scale, np.float64)


def compressed(graph: OperatorGraph, values: str) -> str:
    """Make values beyond the knee logarithmic, as `compress_tails` does."""
    knee, one = number(graph, KNEE), number(graph, 1.0)
    away = graph.add("Max", graph.add("Div", graph.add("Abs", values), knee), one)
    far = graph.add("Mul", knee, graph.add("Add", one, graph.add("Log", away)))
    return _beyond(graph, values, far, knee)


def expanded(graph: OperatorGraph, values: str, largest: float) -> str:
    """Undo `compressed`; exponents are at most `largest`."""
    knee, one = number(graph, KNEE), number(graph, 1.0)
    exponent = graph.add("Sub", graph.add("Div", graph.add("Abs", values), knee), one)
    exponent = graph.add("Min", exponent, number(graph, largest))
    far = graph.add("Mul", knee, graph.add("Exp", exponent))
    return _beyond(graph, values, far, knee)


def _beyond(graph: OperatorGraph, values: str, far: str, knee: str) -> str:
    """Replace values beyond the knee by `far`, with their sign."""
    tail = graph.add("Greater", graph.add("Abs", values), knee)
    return graph.add("Where", tail, graph.add("Mul", graph.add("Sign", values), far), values)
