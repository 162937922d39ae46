"""Chooses in `fit` how a series is placed in time and which gaps are filled.

The longest gap that is filled is a tenth of a window, but at least three rows. If that leaves many
rows without a window, it is doubled until windows cover at least nine tenths of the rows that they
would cover if gaps of half a window were filled. If there are still too few windows to fit on, it
is doubled up to a whole window, with a warning.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isthmus.core.errors import DataWarning, InvalidData, InvalidParameter
from isthmus.core.name_lists import name_list
from isthmus.core.number_format import percent
from isthmus.data.time_grid import TimeGrid, usual_step
from isthmus.data.windows import pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.data.sensor_series import SensorSeries
    from isthmus.data.time_grid import PlacedSeries

_PART, _FEWEST_ROWS = 10, 3
"""By default, a gap of this part of a window, and of at least so many rows, is filled."""
_LONGEST_DISTANCE = 4096
"""Slots between a sensor's measurements; they are not told apart above this or a window."""
_ENOUGH = 0.9
"""Part of the rows that windows should cover, of those that they could."""
_MANY_LEFT_OUT = 0.5
_MANY_EQUAL = 0.1
"""`fit` warns above these fractions of rows that are in no window, and that share their time."""


class FittedSeries(NamedTuple):
    """A series to fit on."""

    series: PlacedSeries
    """The sensors that have values, on the grid."""
    learned: NDArray[np.intp]
    """Which columns these sensors are."""


def default_gap(window: int) -> int:
    """Return the most consecutive missing rows that are filled, unless more are needed."""
    return min(window, max(_FEWEST_ROWS, window // _PART))


def fitted_series(
    series: SensorSeries, window: int, longest_gap: int | None, fewest: int = 1
) -> FittedSeries:
    """Place a series in time.

    Parameters
    ----------
    series : SensorSeries
        The series.
    window : int
        Rows per window.
    longest_gap : int or None
        The most consecutive missing rows that are filled, at most `window`; None to choose it.
    fewest : int, default=1
        The least number of windows to fit on.

    Raises
    ------
    InvalidParameter
        `longest_gap` is longer than a window.
    InvalidData
        No sensor has a value.

    Warns
    -----
    DataWarning
        A sensor has no values, many rows share their time, many rows are in no window, or gaps of
        more than half a window are filled.
    """
    if longest_gap is not None and longest_gap > window:
        raise InvalidParameter(
            "longest_gap",
            expected=f"at most the window, {window} rows",
            received=str(longest_gap),
            remedy="use a larger window or a smaller longest_gap",
        )
    ticks = series.ticks()
    step = None if ticks is None else usual_step(ticks, series.starts)
    _tell_equal_times(ticks)
    gap = default_gap(window) if longest_gap is None else longest_gap
    plain = TimeGrid(step, gap, np.ones(series.width, dtype=np.int64))
    every = _every(plain.place([series]), series.width, window)
    learned = np.flatnonzero(every)
    _check_learned(series.sensors, learned)
    series, every = series.pick(learned), every[learned]
    candidates = _Candidates(series, window, step, every)
    found = candidates.of(gap) if longest_gap is not None else candidates.chosen(gap, fewest)
    found.placed.warn()
    names = [series.sensors[place] for place in learned]
    _tell_coverage(found, window, names, chosen=longest_gap is None)
    return FittedSeries(found.placed, learned)


def too_short(
    placed: PlacedSeries, sensors: Sequence[str], windows: int, fewest: int
) -> InvalidData:
    """Return the error for a series that has too few windows to fit on.

    Parameters
    ----------
    placed : PlacedSeries
        The series, which has been read.
    sensors : sequence of str
        The names of its sensors.
    windows : int
        The number of its windows.
    fewest : int
        The least number of consecutive rows that are enough.
    """
    gap = placed.grid.longest_gap
    return InvalidData(
        "a series",
        expected=f"at least {fewest} consecutive rows",
        received=f"{placed.rows} rows, which contain {windows} windows without a gap of more than "
        f"{gap} rows",
        remedy="use a smaller window or a longer series. " + _blame(placed, sensors),
    )


def _every(placed: PlacedSeries, sensors: int, window: int) -> NDArray[np.int64]:
    """Return how many slots apart each sensor is usually measured; 0 if it never is."""
    most = min(window, _LONGEST_DISTANCE)
    counts = np.zeros((sensors, most + 1), dtype=np.int64)
    last, seen = np.full(sensors, -1), np.zeros(sensors, dtype=bool)
    stretch = np.zeros(sensors, dtype=np.int64)
    start = breaks = 0
    for rows, gaps in placed.chunks():
        here = breaks + np.cumsum(gaps)
        for sensor in range(sensors):
            at = np.flatnonzero(~np.isnan(rows[:, sensor]))
            if not len(at):
                continue
            places = np.concatenate([last[sensor : sensor + 1], at + start])
            parts = np.concatenate([stretch[sensor : sensor + 1], here[at]])
            distances = np.minimum(np.diff(places), most)
            # Not across a break, and not from before the first value.
            usable = (np.diff(parts) == 0) & (places[:-1] >= 0)
            counts[sensor] += np.bincount(distances[usable], minlength=most + 1)
            last[sensor], stretch[sensor], seen[sensor] = places[-1], parts[-1], True
        start, breaks = start + len(rows), int(here[-1])
    half = counts.sum(axis=1, keepdims=True) / 2
    median = (np.cumsum(counts, axis=1) >= half).argmax(axis=1)
    return np.where(seen, np.maximum(median, 1), 0)


class _Candidate(NamedTuple):
    """A series placed with a longest gap."""

    placed: PlacedSeries
    covered: float
    """The fraction of measured rows that windows cover."""
    windows: int
    """The number of windows."""

    @property
    def gap(self) -> int:
        """The longest gap."""
        return self.placed.grid.longest_gap


class _Candidates(NamedTuple):
    """A series that is yet to be placed; the fields are those of `fitted_series` and `TimeGrid`."""

    series: SensorSeries
    window: int
    step: float | None
    every: NDArray[np.int64]

    def chosen(self, gap: int, fewest: int) -> _Candidate:
        """Return the series with the longest gap that the module's rule chooses."""
        found, half = self.of(gap), self.window // 2
        if found.covered < _ENOUGH and gap < half:
            best = self.of(half)
            while found.covered < _ENOUGH * best.covered:
                found = self.of(2 * found.gap) if 2 * found.gap < half else best
        larger = found
        while larger.windows < fewest and larger.gap < self.window:
            larger = self.of(min(2 * larger.gap, self.window))
        return larger if larger.windows >= fewest else found

    def of(self, gap: int) -> _Candidate:
        """Return the series with a longest gap."""
        placed = TimeGrid(self.step, gap, self.every).place([self.series])
        covered = windows = rows = measured = 0
        for piece in pieces(placed.chunks(), placed.grid.longest_gaps):
            if not piece.continues:
                rows = measured = 0
            before = rows >= self.window
            rows, here = rows + len(piece.rows), int(piece.measured.sum())
            windows += max(0, min(len(piece.rows), rows - self.window + 1))
            measured += here
            if rows >= self.window:
                covered += here if before else measured
        return _Candidate(placed, covered / max(1, len(placed.measured())), windows)


def _tell_coverage(found: _Candidate, window: int, sensors: Sequence[str], *, chosen: bool) -> None:
    """Warn if few rows are in a window, or if the chosen gap is long."""
    if 0 < found.covered < 1 - _MANY_LEFT_OUT:
        warnings.warn(
            f"Only {percent(found.covered)} of the rows are in a window without a gap and are "
            f"learned from; longest_gap={found.gap}. {_blame(found.placed, sensors)}.",
            DataWarning,
            stacklevel=2,
        )
    if chosen and found.gap > max(window // 2, default_gap(window)):
        filled = 1 - len(found.placed.measured()) / found.placed.slots
        warnings.warn(
            f"Gaps of up to {found.gap} rows are filled, because there would be too few windows to "
            f"fit on otherwise; {percent(filled)} of the rows are filled. Try a smaller window or "
            "a longer series.",
            DataWarning,
            stacklevel=2,
        )


def _check_learned(names: Sequence[str], learned: NDArray[np.intp]) -> None:
    empty = [name for place, name in enumerate(names) if place not in set(learned.tolist())]
    if not len(learned):
        raise InvalidData(
            "a series",
            expected="a sensor with values",
            received=f"only missing cells in {name_list(empty)}",
            remedy="check how the columns were read, or pass other columns",
        )
    if empty:
        warnings.warn(
            f"Without any value: {name_list(empty)}. The series is analysed without these columns.",
            DataWarning,
            stacklevel=2,
        )


def _tell_equal_times(ticks: NDArray[np.int64] | None) -> None:
    if ticks is None:
        return
    equal = 1 - len(np.unique(ticks)) / len(ticks)
    if _MANY_EQUAL < equal < 1 - 1 / len(ticks):
        warnings.warn(
            f"{percent(equal)} of the rows have the same time as another row; rows of the same "
            "time are averaged. If they come from different machines, fit one detector for each, "
            "or make each machine's sensors columns of their own.",
            DataWarning,
            stacklevel=2,
        )


def _blame(placed: PlacedSeries, sensors: Sequence[str]) -> str:
    """Return a sentence that says why windows are few, and what to do."""
    missing, rows = np.zeros(len(sensors)), 0
    for part in placed.chunks():
        missing += np.isnan(part.rows).sum(axis=0)
        rows += len(part.rows)
    worst = int(missing.argmax())
    if len(sensors) > 1 and missing[worst] > 2 * missing.min() + rows / 10:
        return (
            f"Sensor {sensors[worst]!r} is missing in {percent(missing[worst] / rows)} of the "
            "rows: leave it out"
        )
    if placed.slots < placed.rows / 2:
        return (
            f"Rows of the same time are averaged, and the {placed.rows:,} rows have "
            f"{placed.slots:,} times. Without their times, rows count as evenly spaced"
        )
    if placed.grid.step is None:
        return "Missing cells can be filled with a larger longest_gap"
    return (
        f"The usual time step is {_duration(placed.grid.step)}, and there are "
        f"{len(placed.breaks()):,} longer gaps. Larger gaps are filled with a larger longest_gap; "
        "without their times, rows count as evenly spaced"
    )


def _duration(microseconds: float) -> str:
    seconds = microseconds / 1e6
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e3:.3g} ms"
