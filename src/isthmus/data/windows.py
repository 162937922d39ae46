"""Cuts a series into windows, and averages window scores to one score per timestamp.

`pieces` cuts a series at gaps, `windows` slides over the pieces, and `per_timestamp` gives each row
the mean score of the windows that cover it. Only a few blocks are in memory at a time. Rows are
evenly spaced: they are the slots of a grid (`isthmus.data.time_grid`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from isthmus.data.time_grid import SeriesChunk

Float64s = NDArray[np.float64]

LEAST_MEASURED = 0.1
"""A window in which a smaller fraction of rows was measured is left out; the others are filled."""


class Piece(NamedTuple):
    """Consecutive rows of a series, after short runs of missing cells are filled."""

    start: int
    """The number of its first row in the series."""
    rows: NDArray[Any]
    """(k, sensors), finite unless `pieces` is asked for partial rows."""
    continues: bool
    """Whether it follows the previous piece without a gap."""
    measured: NDArray[np.bool_]
    """(k,), False for rows of which every cell was filled."""


class Windows(NamedTuple):
    """Windows that begin in consecutive rows."""

    start: int
    """The number in the series of the first window's first row."""
    values: NDArray[Any]
    """(k, window, sensors), a read-only view: nothing is copied."""


class _Held(NamedTuple):
    """Rows from which later ones may be interpolated; the fields are those of chunk and piece."""

    rows: Float64s
    breaks: NDArray[np.bool_]
    measured: NDArray[np.bool_]


def pieces(
    chunks: Iterable[SeriesChunk], longest: int | NDArray[np.int64], *, partial: bool = False
) -> Iterator[Piece]:
    """Cut a series at its gaps, and interpolate over short runs of missing cells.

    A missing cell is interpolated linearly between the sensor's values before and after it, if at
    most `longest` rows and no gap in time lie between these. A row that still has a missing cell is
    left out, and a new piece begins after it.

    Parameters
    ----------
    chunks : iterable of SeriesChunk
        The series.
    longest : int or array of int, shape (sensors,)
        The largest number of consecutive missing cells that are filled.
    partial : bool, default=False
        Keep rows in which only some of the sensors are still missing, as NaN.
    """
    held: _Held | None = None
    # How many rows of `held` were yielded already (one is kept to interpolate from), and the
    # number in the series of the first row of `held`.
    done, number, complete = 0, 0, False
    for chunk in _with_end(chunks):
        if chunk is not None:
            new = _Held(*chunk, np.asarray(np.isfinite(chunk.rows).any(axis=1)))
            held = new if held is None else _Held(*map(_join, held, new))
        if held is None:
            return
        most = np.broadcast_to(longest, held.rows.shape[1])
        rows = _filled(held, most)
        ready = len(rows) if chunk is None else len(rows) - _undecided(held.rows, most)
        finite = np.isfinite(rows)
        present = np.asarray(finite.any(axis=1) if partial else finite.all(axis=1))
        for start, stop in _runs(present, held.breaks, done, ready):
            follows = start == done and complete and not held.breaks[start]
            own = slice(start, stop)
            yield Piece(number + start, rows[own], follows, held.measured[own])
        if ready > done:
            complete = bool(present[ready - 1])
            kept = ready - 1
            # Filled, because the value from which a cell was interpolated may be dropped here.
            held = _Held(rows[kept:], held.breaks[kept:], held.measured[kept:])
            done, number = 1, number + kept


def windows(series: Iterable[Piece], width: int) -> Iterator[Windows]:
    """Slide a window over the pieces, row by row; leave out windows with hardly a measured row.

    Parameters
    ----------
    series : iterable of Piece
        As `pieces` yields them.
    width : int
        Rows of a window.
    """
    before: tuple[NDArray[Any], NDArray[np.bool_]] | None = None
    for piece in series:
        rows, measured, start = piece.rows, piece.measured, piece.start
        if before is not None and piece.continues:
            start -= len(before[0])
            rows, measured = map(np.concatenate, zip(before, (rows, measured), strict=True))
        if len(rows) >= width:
            values, enough = windows_of(rows, width), _enough(measured, width)
            for first, stop in _runs(enough, np.zeros_like(enough), 0, len(enough)):
                yield Windows(start + first, values[first:stop])
        kept = max(0, len(rows) - width + 1)
        before = rows[kept:], measured[kept:]


def _enough(measured: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Return for each window whether enough of its rows were measured."""
    count = np.concatenate([[0], np.cumsum(measured)])
    return np.asarray(enough_measured(count[width:] - count[:-width], width))


def enough_measured(count: Any, width: int) -> Any:
    """Return whether so many measured rows, an integer or an array, are enough for a window."""
    return count >= LEAST_MEASURED * width


def windows_of(rows: NDArray[Any], width: int) -> NDArray[Any]:
    """Return all windows of rows (k, sensors) as a view, (k - width + 1, width, sensors)."""
    return sliding_window_view(rows, width, axis=0).transpose(0, 2, 1)


def per_timestamp(scores: NDArray[Any], width: int) -> Float64s:
    """Return for each row the mean score of the windows that cover it; NaN where none does.

    Parameters
    ----------
    scores : array of shape (n,) or (n, sensors)
        The score of the window that begins in each row; NaN where none begins.
    width : int
        Rows of a window.
    """
    scored = np.isfinite(scores)
    values = np.where(scored, scores, 0.0)
    total, count = np.zeros(scores.shape), np.zeros(scores.shape, dtype=np.int32)
    for shift in range(min(width, len(scores))):
        total[shift:] += values[: len(values) - shift]
        count[shift:] += scored[: len(scored) - shift]
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)


def _with_end(chunks: Iterable[SeriesChunk]) -> Iterator[SeriesChunk | None]:
    yield from chunks
    yield None


def _join(before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    if before.shape[1:] != after.shape[1:]:
        raise InvalidData(
            "a chunk of the series",
            expected=f"{before.shape[1]} sensors, as in the chunk before",
            received=f"{after.shape[1]}",
            remedy="pass chunks with the same columns",
        )
    return np.concatenate([before, after])


def _filled(held: _Held, longest: NDArray[np.int64]) -> Float64s:
    """Return the rows with short runs of missing cells interpolated linearly."""
    rows, breaks, _ = held
    missing = np.isnan(rows)
    if not missing.any():
        return rows
    rows, stretch, places = rows.copy(), np.cumsum(breaks), np.arange(len(rows))
    for sensor in np.flatnonzero(missing.any(axis=0)):
        observed = np.flatnonzero(~missing[:, sensor])
        after = np.searchsorted(observed, places[missing[:, sensor]])
        inside = (after > 0) & (after < len(observed))
        holes = places[missing[:, sensor]][inside]
        left, right = observed[after[inside] - 1], observed[after[inside]]
        short = (right - left - 1 <= longest[sensor]) & (stretch[left] == stretch[right])
        if len(observed):
            rows[holes[short], sensor] = np.interp(holes[short], observed, rows[observed, sensor])
    return rows


def _undecided(rows: Float64s, longest: NDArray[np.int64]) -> int:
    """Count the last rows with a missing cell that a later row may help to fill."""
    missing = np.isnan(rows[-int(longest.max()) - 1 :])
    silent = np.where(missing.all(axis=0), len(missing), missing[::-1].argmin(axis=0))
    # A sensor that is missing in this many rows cannot be filled any more.
    hopeless = np.minimum(longest + 1, len(rows))
    return int(np.where(silent >= hopeless, 0, silent).max())


def _runs(
    wanted: NDArray[np.bool_], breaks: NDArray[np.bool_], start: int, stop: int
) -> Iterator[tuple[int, int]]:
    """Yield the bounds of runs of wanted rows without a break, between `start` and `stop`."""
    wanted = wanted[start:stop]
    follows = wanted[1:] & wanted[:-1] & ~breaks[start + 1 : stop]
    firsts = np.flatnonzero(wanted & ~np.concatenate([[False], follows]))
    lasts = np.flatnonzero(wanted & ~np.concatenate([follows, [False]]))
    for first, last in zip(firsts, lasts, strict=True):
        yield int(start + first), int(start + last + 1)
