"""The threshold of a series (`isthmus.anomaly.alarm_threshold`) as ONNX nodes.

A turn of the loop takes the rows up to the next change between alarms and calm, and some thousand
at most: between alarms, the logarithm of the threshold falls evenly, and during one it stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.export.operators import Turn
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from isthmus.anomaly.alarm_threshold import AlarmThreshold
    from isthmus.export.operators import OperatorGraph

_AT_ONCE = 1024


def thresholds(graph: OperatorGraph, threshold: AlarmThreshold, scores: str) -> str:
    """Return the threshold for each of the scores of successive rows, (n,)."""
    rows = graph.add("Squeeze", graph.add("Shape", scores))

    def turn(inner: OperatorGraph, _: str, states: list[str]) -> Turn:
        return _Stretch(inner, threshold, scores, states).taken(rows)

    states = [
        (graph.constant([0], np.int64), np.int64),
        (graph.constant(np.zeros(0)), np.float64),
        *((number(graph, part), np.float64) for part in threshold.state()),
    ]
    return graph.loop(rows, states, turn)[1]


class _Stretch:
    """Adds the thresholds of the next rows, up to a change between alarms and calm.

    Its states are the number of rows before, their thresholds, the logarithm of the threshold, the
    rows of the alarm so far, and its highest score relative to the threshold.
    """

    def __init__(
        self, graph: OperatorGraph, threshold: AlarmThreshold, scores: str, states: list[str]
    ) -> None:
        self._graph, self._threshold = graph, threshold
        self._place, self._found, self._log, self._rows, self._highest = states
        last = graph.add("Add", self._place, graph.constant([_AT_ONCE], np.int64))
        self._scores = graph.add("Slice", scores, self._place, last)
        self._known = graph.add("Not", graph.add("IsNaN", self._scores))

    def taken(self, rows: str) -> Turn:
        graph = self._graph
        limit = graph.add("Exp", self._log)
        calm = self._begins_calm(limit)
        log = graph.add("Where", calm, self._after_alarm(), self._log)
        axis, zero = graph.constant([0], np.int64), graph.constant(0, np.int64)
        earlier = graph.add("CumSum", graph.cast(self._known, np.int64), zero, exclusive=1)
        fallen = graph.add("Exp", self._fallen(log, graph.cast(earlier, np.float64)))
        falls = graph.add("And", calm, graph.add("Greater", earlier, zero))
        limits = graph.add("Where", falls, fallen, limit)
        above = graph.add("Greater", self._scores, limits)
        changes = graph.add("And", graph.add("Equal", above, calm), self._known)
        count = self._until_first(changes)
        limits, above, scores, known = (
            graph.add("Slice", part, axis, count)
            for part in (limits, above, self._scores, self._known)
        )
        some = self._sum(known)
        share = graph.add("Where", above, graph.add("Div", scores, limit), number(graph, 0.0))
        highest = graph.add("ReduceMax", share, axis, keepdims=0)
        highest = graph.add("Max", self._highest, highest)
        alarmed = graph.add("Add", self._rows, self._sum(above))
        nothing = number(graph, 0.0)
        place = graph.add("Add", self._place, count)
        states = [
            place,
            graph.add("Concat", self._found, limits, axis=0),
            graph.add("Where", calm, self._fallen(log, some), self._log),
            graph.add("Where", calm, nothing, alarmed),
            graph.add("Where", calm, nothing, highest),
        ]
        return Turn(states, goes_on=graph.add("Squeeze", graph.add("Less", place, rows)))

    def _begins_calm(self, limit: str) -> str:
        """Return whether the first score that there is raises no alarm."""
        graph = self._graph
        calm = graph.add("LessOrEqual", self._scores, limit)
        first = graph.add("ArgMax", graph.cast(self._known, np.float32), axis=0, keepdims=0)
        return graph.add("Gather", calm, first, axis=0)  # not if there is none: it is NaN

    def _after_alarm(self) -> str:
        """Return the logarithm after the alarm before, if there was one and it counts."""
        graph, threshold = self._graph, self._threshold
        step = number(graph, threshold.step * (1 - threshold.rate))
        moved = graph.add("Add", self._log, graph.add("Mul", step, self._rows))
        moved = graph.add("Min", moved, number(graph, threshold.most))
        low = graph.add("LessOrEqual", self._highest, number(graph, threshold.clear))
        short = graph.add("LessOrEqual", self._rows, number(graph, threshold.most_rows))
        there = graph.add("Greater", self._rows, number(graph, 0.0))
        counts = graph.add("And", there, graph.add("And", low, short))
        return graph.add("Where", counts, moved, self._log)

    def _fallen(self, log: str, rows: str) -> str:
        """Return the logarithm after so many rows without an alarm."""
        graph, threshold = self._graph, self._threshold
        fall = graph.add("Mul", rows, number(graph, threshold.step * threshold.rate))
        return graph.add("Max", graph.add("Sub", log, fall), number(graph, threshold.lowest))

    def _until_first(self, flags: str) -> str:
        """Return how many rows there are before the first with a flag, (1,)."""
        graph = self._graph
        ended = graph.add("Concat", flags, graph.constant([True]), axis=0)
        return graph.add("ArgMax", graph.cast(ended, np.float32), axis=0, keepdims=1)

    def _sum(self, flags: str) -> str:
        graph = self._graph
        axis = graph.constant([0], np.int64)
        return graph.add("ReduceSum", graph.cast(flags, np.float64), axis, keepdims=0)
