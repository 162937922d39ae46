"""`isthmus.anomaly.novelty` and `isthmus.anomaly.conformal` as ONNX nodes.

Columns are (n, 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.anomaly.conformal import tail_slope
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from isthmus.anomaly.conformal import Scores
    from isthmus.anomaly.novelty import Novelty
    from isthmus.export.graph import OnnxGraph

ROUNDING = 6e-6
"""Scores this close, in relation to their size, are equal: a held-out row has the very score that
it is compared with, but for rounding."""


def alarm_outputs(graph: OnnxGraph, score: str, calibration: Scores, threshold: float) -> None:
    """Add the outputs of a detector for scores, (n, 1); one that is NaN has no p-value."""
    score = graph.add("Reshape", score, graph.constant([-1], np.int64))
    unknown = graph.add("IsNaN", score)
    column = graph.add("Unsqueeze", score, graph.constant([1], np.int64))
    values = graph.add("Reshape", p_values(graph, column, calibration), graph.constant([-1]))
    just_above = number(graph, threshold * (1 + ROUNDING))
    everywhere = graph.add("Expand", number(graph, threshold), graph.add("Shape", score))
    for name, value, kind in (
        ("anomaly_score", score, np.float64),
        ("p_value", graph.add("Where", unknown, number(graph, np.nan), values), np.float64),
        ("alarm", graph.add("Greater", score, just_above), bool),
        ("threshold", everywhere, np.float64),
    ):
        graph.output(name, value, kind, ())


def p_values(graph: OnnxGraph, scores: str, calibration: Scores) -> str:
    """Return conformal p-values of scores."""
    slightly_less = graph.add("Div", scores, number(graph, 1 + ROUNDING))
    at_least = graph.add("LessOrEqual", slightly_less, graph.constant(calibration[None]))
    count = graph.add("Add", _count(graph, at_least), number(graph, 1.0))
    return graph.add("Div", count, number(graph, 1.0 + len(calibration)))


def raised(graph: OnnxGraph, novelty: Novelty, scores: str, missing: str, unseen: str) -> str:
    """Return scores at least as high as missing and unseen cells, (n, columns), imply."""
    chance = _probability(graph, novelty, missing, unseen)
    joint = graph.add("Mul", chance, p_values(graph, scores, novelty.scores))
    above = number(graph, 1 + 1.5 * ROUNDING)
    least = graph.add("Mul", _thresholds(graph, novelty.scores, joint), above)
    eventful = graph.add("Less", chance, number(graph, 1.0))
    return graph.add("Where", eventful, graph.add("Max", scores, least), scores)


def _probability(graph: OnnxGraph, novelty: Novelty, missing: str, unseen: str) -> str:
    least = _least_rate(graph, novelty, missing, unseen)
    limit = graph.add("Mul", least, number(graph, 1 + 2 / novelty.rows))
    below = graph.add("LessOrEqual", graph.constant(novelty.levels[None]), limit)
    counts = graph.constant(novelty.counts[:, None], np.float64)
    alike = graph.add("MatMul", graph.cast(below, np.float64), counts)
    rows = 1.0 + novelty.rows
    chance = graph.add("Div", graph.add("Add", alike, number(graph, 1 / rows)), number(graph, rows))
    chance = graph.add("Min", chance, number(graph, 1.0))
    eventful = graph.add("Less", least, number(graph, 1.0))
    return graph.add("Where", eventful, chance, number(graph, 1.0))


def _least_rate(graph: OnnxGraph, novelty: Novelty, missing: str, unseen: str) -> str:
    one = number(graph, 1.0)
    of_missing, of_unseen, of_empty = (graph.constant(rates) for rates in novelty.rates)
    rates = graph.add(
        "Min",
        graph.add("Where", missing, of_missing, one),
        graph.add("Where", unseen, of_unseen, one),
    )
    least = graph.add("ReduceMin", rates, graph.constant([1], np.int64), keepdims=1)
    empty = graph.cast(_count(graph, missing), np.int64)
    return graph.add("Min", least, graph.add("Gather", of_empty, empty))


def _thresholds(graph: OnnxGraph, calibration: Scores, rates: str) -> str:
    """Return what `conformal.thresholds` does."""
    size = len(calibration)
    expected = graph.add("Mul", rates, number(graph, 1.0 + size))
    whole = graph.add("Floor", graph.add("Add", expected, number(graph, 1e-9)))
    slope = number(graph, tail_slope(calibration))
    beyond = graph.add("Mul", slope, graph.add("Log", expected))
    beyond = graph.add("Sub", number(graph, float(calibration[-1])), beyond)
    rank = graph.add("Clip", whole, number(graph, 1.0), number(graph, float(size)))
    place = graph.add("Sub", number(graph, float(size)), rank)
    within = graph.add("Gather", graph.constant(calibration), graph.cast(place, np.int64))
    enough = graph.add("GreaterOrEqual", whole, number(graph, 1.0))
    return graph.add("Where", enough, within, beyond)


def _count(graph: OnnxGraph, flags: str) -> str:
    wide = graph.cast(flags, np.float64)
    return graph.add("ReduceSum", wide, graph.constant([1], np.int64), keepdims=1)
