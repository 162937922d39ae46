"""Windows of a series as ONNX nodes: gaps filled, windows chosen and measured.

See `isthmus.data.windows`, `series_windows`, `absent_sensors` and `series_score`. Rows are evenly
spaced: a row that is missing is one of NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.anomaly.absent_sensors import MOST_ABSENT, PASSES
from isthmus.anomaly.series_score import LEAST_ENERGY
from isthmus.anomaly.series_windows import FARTHEST
from isthmus.data.windows import LEAST_MEASURED
from isthmus.export import schema_nodes
from isthmus.export.network_nodes import network_nodes
from isthmus.export.operators import Turn
from isthmus.export.scaling_nodes import number

if TYPE_CHECKING:
    from isthmus.anomaly.series_detector import SeriesDetector
    from isthmus.export.operators import OperatorGraph

_AT_ONCE = 256
"""Windows that the network is run on at a time."""


class PlacedRows(NamedTuple):
    """The rows of a series, followed by one window of missing rows; names of values."""

    rows: str
    """(n + window, sensors), in float64, short gaps filled."""
    measured: str
    """(n + window,), whether any sensor was measured."""


class MeasuredWindows(NamedTuple):
    """The windows of a series that are scored; names of values."""

    starts: str
    """(k,), the row in which each begins, and as the last one the number of rows."""
    statistics: str
    """(k, 3, sensors), as of `window_statistics`; of the last one, anything."""
    absent: str
    """(k, sensors), which sensors are missing."""


class _Gaps(NamedTuple):
    """The observed cells around missing ones, (n, sensors) each; names of values."""

    left: str
    """The row of the last one before."""
    right: str
    """The row of the first one after."""
    inside: str
    """Whether there are both."""


def placed_rows(graph: OperatorGraph, series: SeriesDetector, given: str) -> PlacedRows:
    """Return the rows of a series in the sensors' units, (n, sensors), with short gaps filled."""
    after = graph.constant(np.full((series.window, len(series.sensors)), np.nan))
    rows = graph.add("Concat", given, after, axis=0)
    observed = graph.add("Not", graph.add("IsNaN", rows))
    some = graph.add(
        "ReduceMax", graph.cast(observed, np.int64), graph.constant([1], np.int64), keepdims=0
    )
    measured = graph.cast(some, bool)
    if series.grid.longest_gap:
        rows = _filled(graph, rows, observed, series.grid.longest_gaps)
    return PlacedRows(rows, measured)


def measured_windows(
    graph: OperatorGraph, series: SeriesDetector, placed: PlacedRows
) -> MeasuredWindows:
    """Return the windows with enough rows and sensors, in order, and one of missing rows."""
    missing = graph.add("IsNaN", placed.rows)
    absent = graph.add(
        "Greater",
        _in_windows(graph, graph.cast(missing, np.int64), series.window),
        graph.constant(0, np.int64),
    )
    starts = _chosen(graph, series, placed, missing, absent)
    standardised = _standardised(graph, series, placed.rows)
    statistics = _statistics(graph, series, standardised, starts)
    return MeasuredWindows(starts, statistics, graph.add("Gather", absent, starts, axis=0))


def _filled(graph: OperatorGraph, rows: str, observed: str, longest: Any) -> str:
    """Interpolate short runs of missing cells, as `isthmus.data.windows` does."""
    count = graph.add("Shape", rows, end=1)
    column = graph.add("Unsqueeze", graph.numbers(count), graph.constant([1], np.int64))
    gaps = _gaps(graph, observed, column, count)
    apart = graph.add("Sub", gaps.right, gaps.left)
    short = graph.add("LessOrEqual", apart, graph.constant(longest + 1, np.int64))
    fills = graph.add("And", graph.add("And", gaps.inside, short), graph.add("Not", observed))
    low, high = (
        graph.add("GatherElements", rows, side, axis=0) for side in (gaps.left, gaps.right)
    )
    wide = graph.cast(graph.add("Max", apart, graph.constant(1, np.int64)), np.float64)
    slope = graph.add("Div", graph.add("Sub", high, low), wide)
    since = graph.cast(graph.add("Sub", column, gaps.left), np.float64)
    made = graph.add("Add", graph.add("Mul", slope, since), low)
    return graph.add("Where", fills, made, rows)


def _gaps(graph: OperatorGraph, observed: str, column: str, count: str) -> _Gaps:
    """Return what is around each missing cell; of observed cells, anything."""
    zero, one = (graph.constant(n, np.int64) for n in (0, 1))
    # The rows in which each sensor was observed, in order; the others come last.
    at = graph.add("Where", observed, column, count)
    at, _ = graph.add_many("TopK", [at, count], 2, axis=0, largest=0, sorted=1)
    before = graph.add("CumSum", graph.cast(observed, np.int64), zero)
    last = graph.add("Sub", count, one)
    previous = graph.add("Max", graph.add("Sub", before, one), zero)
    left = graph.add("GatherElements", at, previous, axis=0)
    right = graph.add("GatherElements", at, graph.add("Min", before, last), axis=0)
    follows = graph.add("And", graph.add("Greater", before, zero), graph.add("Less", right, count))
    left, right = (graph.add("Min", side, last) for side in (left, right))
    return _Gaps(left, right, follows)


def _chosen(
    graph: OperatorGraph, series: SeriesDetector, placed: PlacedRows, missing: str, absent: str
) -> str:
    """Return where the windows begin that are scored, and the number of rows, in order."""
    axis, width = graph.constant([1], np.int64), series.window
    empty = graph.add("ReduceMin", graph.cast(missing, np.int64), axis, keepdims=0)
    gaps = _in_windows(graph, empty, width)
    rows = _in_windows(graph, graph.cast(placed.measured, np.int64), width)
    least = number(graph, LEAST_MEASURED * width)
    enough = graph.add("GreaterOrEqual", graph.cast(rows, np.float64), least)
    share = graph.add("ReduceMean", graph.cast(absent, np.float64), axis, keepdims=0)
    present = graph.add("LessOrEqual", share, number(graph, MOST_ABSENT))
    whole = graph.add("Equal", gaps, graph.constant(0, np.int64))
    chosen = graph.add("And", graph.add("And", whole, enough), present)
    starts = graph.add("Squeeze", graph.add("NonZero", chosen), graph.constant([0], np.int64))
    end = graph.add("Sub", graph.add("Shape", chosen), graph.constant([1], np.int64))
    return graph.add("Concat", starts, end, axis=0)


def _standardised(graph: OperatorGraph, series: SeriesDetector, rows: str) -> str:
    centre, scale = (graph.constant(part) for part in series.scaling)
    away = graph.add("Div", graph.add("Sub", rows, centre), scale)
    bounded = graph.add("Clip", away, number(graph, -FARTHEST), number(graph, FARTHEST))
    return graph.cast(graph.add("Where", graph.add("IsNaN", away), away, bounded), np.float32)


def _statistics(graph: OperatorGraph, series: SeriesDetector, rows: str, starts: str) -> str:
    """Return the statistics of windows, (k, 3, sensors), some windows at a time."""
    count, most = graph.add("Shape", starts), graph.constant([_AT_ONCE], np.int64)
    turns = _whole_parts(graph, count, most)
    each = _whole_parts(graph, count, turns)
    more = graph.add("Sub", graph.add("Mul", turns, each), count)
    last = graph.add("Slice", starts, *(graph.constant([n], np.int64) for n in (-1, 2**62)))
    padded = graph.add("Concat", starts, graph.add("Expand", last, more), axis=0)
    offsets = graph.constant(np.arange(series.window), np.int64)

    def turn(inner: OperatorGraph, place: str, _: list[str]) -> Turn:
        first = inner.add("Mul", place, each)
        own = inner.add("Slice", padded, first, inner.add("Add", first, each))
        cells = inner.add(
            "Add", inner.add("Unsqueeze", own, inner.constant([1], np.int64)), offsets
        )
        windows = _completed(inner, series, inner.add("Gather", rows, cells, axis=0))
        return Turn([], [(_window_statistics(inner, series, windows), np.float64)])

    (made,) = graph.loop(graph.add("Squeeze", turns), [], turn)
    flat = graph.reshaped(made, (3, len(series.sensors)))
    return graph.add("Slice", flat, graph.constant([0], np.int64), count)


def _window_statistics(graph: OperatorGraph, series: SeriesDetector, windows: str) -> str:
    residuals = graph.add("Sub", windows, _reconstructed(graph, series, windows))
    axis = graph.constant([1], np.int64)
    energy = graph.add(
        "Div",
        graph.add("ReduceSumSquare", residuals, axis, keepdims=1),
        graph.constant(series.window, np.float32),
    )
    energy = graph.add("Log", graph.add("Add", energy, graph.constant(LEAST_ENERGY, np.float32)))
    means = [graph.add("ReduceMean", part, axis, keepdims=1) for part in (windows, residuals)]
    return graph.cast(graph.add("Concat", *means, energy, axis=1), np.float64)


def _completed(graph: OperatorGraph, series: SeriesDetector, windows: str) -> str:
    """Replace missing cells by what the others suggest; only windows that have some are run."""
    missing = graph.add("IsNaN", windows)
    some = graph.add(
        "ReduceMax", graph.cast(missing, np.int64), graph.constant([1, 2], np.int64), keepdims=0
    )
    which = graph.add("Transpose", graph.add("NonZero", some), perm=[1, 0])
    windows = schema_nodes.filled(graph, windows)
    begun, gaps = (graph.add("GatherND", part, which) for part in (windows, missing))
    any_ = graph.add("ReduceMax", some, graph.constant([0], np.int64), keepdims=0)
    passes = graph.add("Mul", any_, graph.constant(PASSES, np.int64))

    def turn(inner: OperatorGraph, _: str, states: list[str]) -> Turn:
        made = _reconstructed(inner, series, states[0])
        return Turn([inner.add("Where", gaps, made, states[0])])

    (made,) = graph.loop(passes, [(begun, np.float32)], turn)
    return graph.add("ScatterND", windows, which, made)


def _reconstructed(graph: OperatorGraph, series: SeriesDetector, windows: str) -> str:
    autoencoder = series.autoencoder
    matrix = schema_nodes.scaled_samples(graph, autoencoder.schema_, windows)
    (code,) = network_nodes(graph, autoencoder.encoder_, [schema_nodes.filled(graph, matrix)])
    (made,) = network_nodes(graph, autoencoder.decoder_, [code])
    made = schema_nodes.unscaled_samples(graph, autoencoder.schema_, made)
    return schema_nodes.filled(graph, graph.cast(made, np.float32))


def _in_windows(graph: OperatorGraph, counts: str, width: int) -> str:
    """Return the sums of counts, (n, ...), over the rows of each window, (n - width + 1, ...)."""
    sums = graph.add("CumSum", counts, graph.constant(0, np.int64))
    before = graph.add("CumSum", counts, graph.constant(0, np.int64), exclusive=1)
    start, stop, ends = (graph.constant([n], np.int64) for n in (width - 1, 2**62, 1 - width))
    later = graph.add("Slice", sums, start, stop)
    if width > 1:
        before = graph.add("Slice", before, graph.constant([0], np.int64), ends)
    return graph.add("Sub", later, before)


def _whole_parts(graph: OperatorGraph, count: str, size: str) -> str:
    """Return the number of parts of a size that `count` is divided into, rounded up."""
    one = graph.constant(1, np.int64)
    return graph.add("Div", graph.add("Sub", graph.add("Add", count, size), one), size)
