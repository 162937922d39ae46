"""The score of windows, which follows a level (`isthmus.anomaly.series_score`), as ONNX nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.anomaly.series_score import LONGEST, level_pace
from isthmus.export.operators import Turn
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from isthmus.anomaly.series_score import SeriesScore
    from isthmus.anomaly.window_nodes import MeasuredWindows
    from isthmus.export.operators import OperatorGraph


def window_scores(
    graph: OperatorGraph, score: SeriesScore, width: int, windows: MeasuredWindows
) -> str:
    """Return the score of each window of a series, (k,), in order of time."""
    begins = _nearest(graph, score, windows)
    if not score.step:
        away = graph.add("Sub", windows.statistics, begins)
        return _of_deviations(graph, score, away, windows.absent)
    step = graph.constant([score.step], np.int64)
    count = graph.add("Shape", windows.absent, end=1)
    one = graph.constant(1, np.int64)
    turns = graph.add("Div", graph.add("Sub", graph.add("Add", count, step), one), step)
    statistics, absent = (
        _padded(graph, part, score.step) for part in (windows.statistics, windows.absent)
    )

    def turn(inner: OperatorGraph, place: str, states: list[str]) -> Turn:
        first = inner.add("Mul", place, step)
        own = (first, inner.add("Add", first, step))
        level = _Level(inner, score, width, states)
        return level.moved(*(inner.add("Slice", part, *own) for part in (statistics, absent)))

    states = [
        (begins, np.float64),
        (begins, np.float64),
        (graph.constant(False), bool),
        (graph.constant(0, np.int64), np.int64),
    ]
    *_, scores = graph.loop(graph.add("Squeeze", turns), states, turn)
    flat = graph.reshaped(scores, ())
    return graph.add("Slice", flat, graph.constant([0], np.int64), count)


class _Level:
    """Adds what the class `Level` does with the windows between two moves.

    Its states are the level, that from before, whether there is one, and for how many windows the
    series has been anomalous.
    """

    def __init__(
        self, graph: OperatorGraph, score: SeriesScore, width: int, states: list[str]
    ) -> None:
        self._graph, self._score, self._width = graph, score, width
        self._level, self._before, self._kept, self._anomalous_for = states

    def moved(self, statistics: str, absent: str) -> Turn:
        graph = self._graph
        scores, all_nearer = self._scores(statistics, absent)
        limit = number(graph, self._score.limit)
        anomalous = _any(graph, graph.add("Greater", scores, limit))
        windows = graph.constant(self._score.step, np.int64)
        longer = graph.add("Add", self._anomalous_for, windows)
        longer = graph.add("Where", anomalous, longer, graph.constant(0, np.int64))
        most = graph.constant(LONGEST * self._width, np.int64)
        too_long = graph.add("Greater", longer, most)
        back = graph.add("And", self._kept, all_nearer)
        new = graph.add("And", graph.add("Not", self._kept), too_long)
        before = graph.add("Where", new, self._level, self._before)
        kept = graph.add("And", graph.add("Or", self._kept, new), graph.add("Not", back))
        level = graph.add("Where", back, self._before, self._level)
        calm = graph.add("Equal", longer, graph.constant(0, np.int64))
        moves = graph.add("Or", calm, too_long)
        to = self._towards(level, statistics, absent)
        level = graph.add("Where", moves, to, level)
        return Turn([level, before, kept, longer], [(scores, np.float64)])

    def _scores(self, statistics: str, absent: str) -> tuple[str, str]:
        """Return the scores, and whether all windows are nearer to the level from before."""
        graph, score = self._graph, self._score
        ours, before = (
            _of_deviations(graph, score, graph.add("Sub", statistics, level), absent)
            for level in (self._level, self._before)
        )
        nearer = graph.add("Less", before, ours)
        farther = _any(graph, graph.add("Not", nearer))
        used = graph.add("And", nearer, self._kept)
        return graph.add("Where", used, before, ours), graph.add("Not", farther)

    def _towards(self, level: str, statistics: str, absent: str) -> str:
        """Return the level after a move towards the mean of the windows."""
        graph = self._graph
        first = graph.constant([0], np.int64)
        present = graph.cast(graph.add("Not", absent), np.float64)
        weights = graph.add("Unsqueeze", present, graph.constant([1], np.int64))
        total = graph.add("ReduceSum", graph.add("Mul", statistics, weights), first, keepdims=0)
        count = graph.add("ReduceSum", present, first, keepdims=0)
        mean = graph.add("Div", total, graph.add("Max", count, number(graph, 1.0)))
        known = graph.add("Greater", count, number(graph, 0.0))
        away = graph.add("Sub", graph.add("Where", known, mean, level), level)
        pace = number(graph, level_pace(self._score.step, self._width))
        return graph.add("Add", level, graph.add("Mul", pace, away))


def _nearest(graph: OperatorGraph, score: SeriesScore, windows: MeasuredWindows) -> str:
    """Return the level that is nearest to the first window."""
    first = graph.constant([0], np.int64)
    own, absent = (
        graph.add("Gather", part, first, axis=0) for part in (windows.statistics, windows.absent)
    )
    away = graph.add("Sub", own, graph.constant(score.levels))
    found = graph.add("ArgMin", _of_deviations(graph, score, away, absent), axis=0, keepdims=0)
    return graph.add("Gather", graph.constant(score.levels), found, axis=0)


def _of_deviations(graph: OperatorGraph, score: SeriesScore, away: str, absent: str) -> str:
    """Return the scores of windows whose statistics are so far from their levels, (k,)."""
    squares = graph.add("Div", graph.add("Mul", away, away), graph.constant(score.change))
    axis, order = graph.constant([1], np.int64), float(score.order)
    powers = graph.add("ReduceMean", squares, axis, keepdims=0)
    powers = graph.add("Pow", powers, number(graph, order))
    powers = graph.add("Where", absent, number(graph, 0.0), powers)
    present = graph.cast(graph.add("Not", absent), np.float64)
    count = graph.add("ReduceSum", present, axis, keepdims=0)
    total = graph.add("ReduceSum", powers, axis, keepdims=0)
    mean = graph.add("Div", total, graph.add("Max", count, number(graph, 1.0)))
    return graph.add("Pow", mean, number(graph, 1 / order))


def _padded(graph: OperatorGraph, values: str, more: int) -> str:
    """Repeat the last of some values, so that parts of that many can be taken."""
    last = graph.add("Slice", values, *(graph.constant([n], np.int64) for n in (-1, 2**62)))
    repeats = graph.add("Gather", last, graph.constant(np.zeros(more), np.int64), axis=0)
    return graph.add("Concat", values, repeats, axis=0)


def _any(graph: OperatorGraph, flags: str) -> str:
    first = graph.constant([0], np.int64)
    return graph.cast(graph.add("ReduceMax", graph.cast(flags, np.int64), first, keepdims=0), bool)
