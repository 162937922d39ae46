"""The anomaly score of a window, which follows slow drift of a sensor.

Each sensor of a window of standardised rows has three statistics (`window_statistics`): its mean,
the mean of its residual, and the logarithm of its residual's energy. Each is compared with its
level, in units of how much it changes from one held-out window to a later one. The variogram of
geostatistics (Matheron, 1963) measures this, averaged over lags from one window to a quarter of the
series: a sensor that drifts must deviate more than others to be unusual. The level is an
exponentially weighted mean of the statistics so far (Roberts, 1959), with a memory of `_MEMORY`
windows. It stays where it is while windows are anomalous, so that a fault is not learned, but no
longer than for `LONGEST` windows: what lasts longer than that is the new normal. The level from
before is kept then, and taken up again when the series returns to it.

The autoencoder follows sensors that move together, even beyond the training data, and only what
does not fit remains in its residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.core.errors import InvalidArchive
from isthmus.persistence.array_checks import check_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

    Float64s = NDArray[np.float64]

STATISTICS = 3
_MEMORY = 10
"""Memory of a level, and longest anomaly during which it stands still, in windows."""
LONGEST = 10
_STEPS_PER_WINDOW = 4
_LEAST_STEP = 8
"""A level moves so many times in the time of a window, at most once in so many rows."""
_MOST_LEVELS = 64
_ANOMALOUS = 0.99
_FAR = 2.0
"""A level stands still above this multiple of this quantile of the held-out windows' scores."""
LEAST_ENERGY = 1e-4
"""Floor of the residual's energy, in variances of the sensor: below it is noise of the network."""
_LEAST_CHANGE = 1e-3
"""Floor of a statistic's squared change, so that a constant sensor is not infinitely sensitive."""
_LAGS = 8
_LONGEST_LAG = 0.25
"""Longest lag, as a fraction of the held-out windows."""


def window_statistics(windows: Floats, residuals: Floats) -> Float64s:
    """Return the statistics of windows, (k, 3, sensors).

    Parameters
    ----------
    windows, residuals : arrays of shape (k, window, sensors)
        Standardised rows, and their difference from the reconstruction.
    """
    width = windows.shape[1]
    energy = np.einsum("kws,kws->ks", residuals, residuals, dtype=np.float32) / width
    return np.stack(
        [windows.mean(axis=1), residuals.mean(axis=1), np.log(energy + LEAST_ENERGY)], axis=1
    ).astype(np.float64)


@dataclass(frozen=True, eq=False)
class SeriesScore:
    """How the statistics of normal windows vary.

    Parameters
    ----------
    levels : array of float64, shape (levels, 3, sensors)
        Levels of the statistics, in order of time. A new series begins with that which is nearest
        to its first window.
    change : array of float64, shape (3, sensors)
        Half the mean squared change of each statistic: its variance, if it does not drift.
    limit : float
        The level stands still while windows have a higher score; infinite if it never does.
    step : int
        The level moves after so many windows; 0 for never.
    order : int
        The score is the power mean of this order of the sensors' mean squares: a fault of one
        sensor among many counts for more than in their mean, which has order 1.
    """

    levels: Float64s
    change: Float64s
    limit: float
    step: int
    order: int = 2

    @classmethod
    def fit(
        cls, statistics: Float64s, width: int, begins: Sequence[int] = ()
    ) -> tuple[Self, Float64s]:
        """Fit to the statistics of held-out windows, and return their contributions as well.

        Parameters
        ----------
        statistics : array of shape (n, 3, sensors)
            In order of time.
        width : int
            Rows of a window.
        begins : sequence of int, optional
            Which windows are the first ones of another unit, in ascending order. Each unit begins
            at the nearest level of the others, as a new series does.
        """
        step = max(_LEAST_STEP, width // _STEPS_PER_WINDOW)
        units = np.split(statistics, begins)
        paths = [_path(unit, step, width) for unit in units]
        levels, owner = np.concatenate(paths), np.repeat(np.arange(len(units)), [*map(len, paths)])
        chosen = np.unique(np.linspace(0, len(levels) - 1, _MOST_LEVELS).astype(int))
        kept, owner = levels[chosen], owner[chosen]
        change = _change(units, width)
        score = cls(kept, change, np.inf, step)
        for number, unit in enumerate(units):
            if (owner != number).any():
                nearest = score.nearest(unit[0], kept[owner != number])
                paths[number] = _path(unit, step, width, nearest)
        away = [
            unit - np.repeat(path[:-1], step, axis=0)[: len(unit)]
            for unit, path in zip(units, paths, strict=True)
        ]
        parts = score.of_deviations(np.concatenate(away))
        limit = _FAR * float(np.quantile(parts.sum(axis=1), _ANOMALOUS))
        return cls(kept, change, limit, step), parts

    def nearest(
        self, statistics: Float64s, levels: Float64s, absent: NDArray[np.bool_] | None = None
    ) -> Float64s:
        """Return which of some levels, (k, 3, sensors), is nearest to a window's statistics.

        Parameters
        ----------
        statistics : array of shape (3, sensors)
            The statistics of the window.
        levels : array of shape (k, 3, sensors)
            The levels.
        absent : array of bool, shape (sensors,), optional
            Sensors that are missing.
        """
        if absent is not None:
            absent = np.broadcast_to(absent, (len(levels), len(absent)))
        away = self.of_deviations(statistics - levels, absent).sum(axis=1)
        return np.asarray(levels[away.argmin()])

    def of_deviations(self, away: Float64s, absent: NDArray[np.bool_] | None = None) -> Float64s:
        """Return each sensor's contribution to the scores of windows, (k, sensors).

        Parameters
        ----------
        away : array of shape (k, 3, sensors)
            Distances of the statistics from their levels.
        absent : array of bool, shape (k, sensors), optional
            Sensors that are missing; they contribute nothing, and the mean is over the others.
        """
        powers = (np.square(away) / self.change).mean(axis=1) ** self.order
        count = powers.shape[1]
        if absent is not None:
            powers[absent] = 0.0
            count = np.maximum(1, (~absent).sum(axis=1, keepdims=True))
        total = powers.sum(axis=1, keepdims=True)
        score = (total / count) ** (1 / self.order)
        return np.asarray(powers * (score / np.maximum(total, np.finfo(float).tiny)))


class Level:
    """The level of the statistics as windows arrive.

    Parameters
    ----------
    score : SeriesScore
        What was learned.
    width : int
        Rows of a window.
    """

    def __init__(self, score: SeriesScore, width: int) -> None:
        self._score, self._width = score, width
        self._pace = level_pace(score.step, width)
        self.reset()

    def reset(self) -> None:
        """Forget all windows."""
        self._level, self._began = self._score.levels[-1], False
        self._before: Float64s | None = None
        self._sum = np.zeros_like(self._score.change)
        self._present = np.zeros(self._score.change.shape[1])
        self._seen, self._anomalous_for = 0, 0
        self._anomalous, self._returned = False, True

    def contributions(self, statistics: Float64s, absent: NDArray[np.bool_]) -> Float64s:
        """Return each sensor's contribution to the scores of the next windows, (k, sensors).

        Parameters
        ----------
        statistics : array of shape (k, 3, sensors)
            The statistics of the windows, in order of time.
        absent : array of bool, shape (k, sensors)
            Sensors that are missing.
        """
        parts = np.empty((len(statistics), statistics.shape[2]))
        for part in self._steps(len(statistics)):
            parts[part] = self._nearest(statistics[part], absent[part])
            self._add(statistics[part], absent[part], parts[part])
        return parts

    def _nearest(self, statistics: Float64s, absent: NDArray[np.bool_]) -> Float64s:
        """Return contributions by the level, or by that before a long anomaly if it is nearer."""
        parts = self._score.of_deviations(statistics - self._at(statistics, absent), absent)
        if self._before is None:
            return parts
        before = self._score.of_deviations(statistics - self._before, absent)
        nearer = before.sum(axis=1) < parts.sum(axis=1)
        self._returned &= bool(nearer.all())
        return np.where(nearer[:, None], before, parts)

    def of_units(
        self, statistics: Float64s, absent: NDArray[np.bool_], begins: Sequence[int]
    ) -> Float64s:
        """Return contributions as `contributions` does; a new series begins at some windows."""
        bounds = [0, *begins, len(statistics)]
        parts = [np.empty((0, statistics.shape[2]))]
        for number, (first, stop) in enumerate(pairwise(bounds)):
            if number:
                self.reset()
            if stop > first:
                parts.append(self.contributions(statistics[first:stop], absent[first:stop]))
        return np.concatenate(parts)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state for an archive."""
        numbers = (
            self._began,
            self._anomalous,
            self._returned,
            self._before is not None,
            self._seen,
            self._anomalous_for,
        )
        return {
            "level": self._level,
            "level_before": self._level if self._before is None else self._before,
            "sum": self._sum.copy(),
            "present": self._present.copy(),
            "level_numbers": np.array(numbers, dtype=np.int64),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over the state in an archive; raises InvalidArchive."""
        shape = self._score.change.shape
        floats = {"level": shape, "level_before": shape, "sum": shape, "present": shape[1:]}
        check_arrays(
            {name: arrays[name] for name in (*floats, "level_numbers") if name in arrays},
            {
                **{name: ("float64", size) for name, size in floats.items()},
                "level_numbers": ("int64", (6,)),
            },
        )
        level, before, total, present = (arrays[name].copy() for name in floats)
        *flags, seen, anomalous_for = arrays["level_numbers"].tolist()
        counted = 0 <= seen < max(1, self._score.step) and anomalous_for >= 0
        if not (
            {*flags} <= {0, 1} and counted and (present >= 0).all() and (present <= seen).all()
        ):
            raise InvalidArchive(
                "the level in the archive's stream",
                expected=f"fewer than {max(1, self._score.step)} windows since its last move",
                received=f"{seen} windows, flags {flags}",
            )
        self._level, self._sum, self._present = level, total, present
        self._began, self._anomalous, self._returned, kept = map(bool, flags)
        self._before = before if kept else None
        self._seen, self._anomalous_for = seen, anomalous_for

    def _steps(self, windows: int) -> Iterator[slice]:
        """Yield the windows up to each move of the level."""
        start = 0
        while start < windows:
            stop = windows
            if self._score.step:
                stop = min(stop, start + self._score.step - self._seen)
            yield slice(start, stop)
            start = stop

    def _at(self, statistics: Float64s, absent: NDArray[np.bool_]) -> Float64s:
        if not self._began:
            self._level = self._score.nearest(statistics[0], self._score.levels, absent[0])
            self._began = True
        level: Float64s = self._level
        return level

    def _add(self, statistics: Float64s, absent: NDArray[np.bool_], parts: Float64s) -> None:
        if not self._score.step:
            return
        self._sum += np.where(absent[:, None], 0.0, statistics).sum(axis=0)
        self._present += (~absent).sum(axis=0)
        self._anomalous |= bool((parts.sum(axis=1) > self._score.limit).any())
        self._seen += len(statistics)
        if self._seen == self._score.step:
            self._move()

    def _move(self) -> None:
        self._anomalous_for = self._anomalous_for + self._seen if self._anomalous else 0
        too_long = self._anomalous_for > LONGEST * self._width
        if self._before is not None and self._returned:
            self._level, self._before = self._before, None
        elif self._before is None and too_long:
            self._before = self._level
        if self._anomalous_for == 0 or too_long:
            mean = self._sum / np.maximum(1, self._present)
            to = np.where(self._present > 0, mean, self._level)
            self._level = self._level + self._pace * (to - self._level)
        self._sum[:], self._present[:] = 0.0, 0.0
        self._seen, self._anomalous, self._returned = 0, False, True


def level_pace(step: int, width: int) -> float:
    """Return the part of the way that a level moves at a time."""
    return float(1 - np.exp(-step / (_MEMORY * width)))


def _path(statistics: Float64s, step: int, width: int, first: Float64s | None = None) -> Float64s:
    """Return the level before each step of windows and at the end, (steps + 1, 3, sensors).

    It begins at `first`, by default the mean of the first windows.
    """
    first = statistics[: _MEMORY * width].mean(axis=0) if first is None else first
    pace, path = level_pace(step, width), [first]
    for start in range(0, len(statistics), step):
        path.append(path[-1] + pace * (statistics[start : start + step].mean(axis=0) - path[-1]))
    return np.array(path)


def _change(units: Sequence[Float64s], width: int) -> Float64s:
    """Return half the mean squared change over several lags within units, (3, sensors)."""
    longest = max(1, int(_LONGEST_LAG * (max(map(len, units)) + width)))
    lags = np.unique(np.linspace(min(width, longest), longest, _LAGS).astype(int))
    squares = []
    for lag in lags:
        changes = [unit[lag:] - unit[:-lag] for unit in units if len(unit) > lag]
        if changes:
            squares.append(np.square(np.concatenate(changes)).mean(axis=0))
    if not squares:  # units of one window each: how much they differ
        squares = [2 * np.concatenate(units).var(axis=0)]
    return np.asarray(np.maximum(np.mean(squares, axis=0) / 2, _LEAST_CHANGE))
