"""Cuts a series into windows, and averages window scores to one score per timestamp.

`pieces` cuts a series at gaps, `windows` slides over the pieces, and `per_timestamp` gives each row
the mean score of the windows that cover it. Only a few blocks are in memory at a time. The rows of
a piece are treated as evenly spaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from isthmus.core.errors import InvalidData
from isthmus.data.sensor_series import SeriesChunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Float64s = NDArray[np.float64]


class Piece(NamedTuple):
    """Consecutive rows of a series without missing cells."""

    start: int
    """The number of its first row in the series."""
    rows: NDArray[Any]
    """(k, sensors), finite."""
    continues: bool
    """Whether it follows the previous piece without a gap."""


class Windows(NamedTuple):
    """Windows that begin in consecutive rows."""

    start: int
    """The number in the series of the first window's first row."""
    values: NDArray[Any]
    """(k, window, sensors), a read-only view: nothing is copied."""


def pieces(chunks: Iterable[SeriesChunk], longest: int) -> Iterator[Piece]:
    """Cut a series at its gaps, and interpolate over short runs of missing cells.

    A missing cell is interpolated linearly between the sensor's values before and after it, if at
    most `longest` rows and no gap in time lie between these. A row that still has a missing cell is
    left out, and a new piece begins after it.

    Parameters
    ----------
    chunks : iterable of SeriesChunk
        The series.
    longest : int
        The largest number of consecutive missing cells that are filled.

    Raises
    ------
    InvalidData
        A value is infinite.
    """
    held: SeriesChunk | None = None
    # How many rows of `held` were yielded already (one is kept to interpolate from), and the
    # number in the series of the first row of `held`.
    done, number, complete = 0, 0, False
    for chunk in _with_end(chunks):
        if chunk is not None:
            _check_finite(chunk.rows, number + (0 if held is None else len(held.rows)))
            held = chunk if held is None else SeriesChunk(*map(_join, held, chunk))
        if held is None:
            return
        rows = _filled(held, longest)
        ready = len(rows) if chunk is None else len(rows) - _undecided(held.rows, longest)
        for start, stop in _complete_runs(rows, held.breaks, done, ready):
            follows = start == done and complete and not held.breaks[start]
            yield Piece(number + start, rows[start:stop], follows)
        if ready > done:
            complete = bool(np.isfinite(rows[ready - 1]).all())
            kept = ready - 1
            # Filled, because the value from which a cell was interpolated may be dropped here.
            held = SeriesChunk(rows[kept:], held.breaks[kept:])
            done, number = 1, number + kept


def windows(series: Iterable[Piece], width: int) -> Iterator[Windows]:
    """Slide a window over the pieces, row by row.

    Parameters
    ----------
    series : iterable of Piece
        As `pieces` yields them.
    width : int
        Rows of a window.
    """
    before: NDArray[Any] | None = None
    for piece in series:
        rows, start = piece.rows, piece.start
        if before is not None and piece.continues:
            rows, start = np.concatenate([before, rows]), start - len(before)
        if len(rows) >= width:
            yield Windows(start, windows_of(rows, width))
        before = rows[max(0, len(rows) - width + 1) :]


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


def _check_finite(rows: Float64s, number: int) -> None:
    bad = np.argwhere(np.isinf(rows))
    if len(bad):
        row, sensor = bad[0]
        raise InvalidData(
            f"row {number + row}, sensor {sensor} of the series",
            expected="a finite number, or NaN for a missing cell",
            received=str(rows[row, sensor]),
            remedy="replace infinities with NaN",
        )


def _filled(chunk: SeriesChunk, longest: int) -> Float64s:
    """Return the rows with short runs of missing cells interpolated linearly."""
    rows, breaks = chunk
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
        short = (right - left - 1 <= longest) & (stretch[left] == stretch[right])
        if len(observed):
            rows[holes[short], sensor] = np.interp(holes[short], observed, rows[observed, sensor])
    return rows


def _undecided(rows: Float64s, longest: int) -> int:
    """Count the last rows with a missing cell that a later row may help to fill."""
    last: NDArray[np.bool_] = np.isnan(rows[-longest - 1 :])
    # A sensor that is missing in all of these rows cannot be filled any more.
    silent = np.where(last.all(axis=0), 0, last[::-1].argmin(axis=0))
    return int(silent.max())


def _complete_runs(
    rows: Float64s, breaks: NDArray[np.bool_], start: int, stop: int
) -> Iterator[tuple[int, int]]:
    """Yield the bounds of runs of complete rows without a break, between `start` and `stop`."""
    complete = np.asarray(np.isfinite(rows[start:stop]).all(axis=1))
    follows = complete[1:] & complete[:-1] & ~breaks[start + 1 : stop]
    firsts = np.flatnonzero(complete & ~np.concatenate([[False], follows]))
    lasts = np.flatnonzero(complete & ~np.concatenate([follows, [False]]))
    for first, last in zip(firsts, lasts, strict=True):
        yield int(start + first), int(start + last + 1)
