"""The anomaly score of a window, which follows slow drift of a sensor.

Each sensor of a window of standardised rows has three statistics (`window_statistics`): its mean,
the mean of its residual, and the logarithm of its residual's energy. Each is compared with its
level, in units of how much it changes from one held-out window to a later one. The variogram of
geostatistics (Matheron, 1963) measures this, averaged over lags from one window to a quarter of the
series: a sensor that drifts must deviate more than others to be unusual. The level is an
exponentially weighted mean of the statistics so far (Roberts, 1959), with a memory of `_MEMORY`
windows. It stays where it is while windows are anomalous, so that a fault is not learned, but no
longer than for `_LONGEST` windows: what lasts longer than that is the new normal.

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
_LONGEST = 10
_STEPS_PER_WINDOW = 4
_LEAST_STEP = 8
"""A level moves so many times in the time of a window, at most once in so many rows."""
_MOST_LEVELS = 64
_ANOMALOUS = 0.99
_FAR = 2.0
"""A level stands still above this multiple of this quantile of the held-out windows' scores."""
_LEAST_ENERGY = 1e-4
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
        [windows.mean(axis=1), residuals.mean(axis=1), np.log(energy + _LEAST_ENERGY)], axis=1
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
    def fit(cls, statistics: Float64s, width: int) -> tuple[Self, Float64s]:
        """Fit to the statistics of held-out windows, and return their contributions as well.

        Parameters
        ----------
        statistics : array of shape (n, 3, sensors)
            In order of time.
        width : int
            Rows of a window.
        """
        step = max(_LEAST_STEP, width // _STEPS_PER_WINDOW)
        path = _path(statistics, step, width)
        away = statistics - np.repeat(path[:-1], step, axis=0)[: len(statistics)]
        change = _change(statistics, width)
        kept = path[np.unique(np.linspace(0, len(path) - 1, _MOST_LEVELS).astype(int))]
        score = cls(kept, change, np.inf, step)
        parts = score.of_deviations(away)
        limit = _FAR * float(np.quantile(parts.sum(axis=1), _ANOMALOUS))
        return cls(kept, change, limit, step), parts

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
        self._pace = _pace(score.step, width)
        self.reset()

    def reset(self) -> None:
        """Forget all windows."""
        self._level, self._began = self._score.levels[-1], False
        self._sum = np.zeros_like(self._score.change)
        self._present = np.zeros(self._score.change.shape[1])
        self._seen, self._anomalous_for, self._anomalous = 0, 0, False

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
            level = self._at(statistics[part], absent[part])
            parts[part] = self._score.of_deviations(statistics[part] - level, absent[part])
            self._add(statistics[part], absent[part], parts[part])
        return parts

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
        numbers = (self._began, self._seen, self._anomalous_for, self._anomalous)
        return {
            "level": self._level,
            "sum": self._sum.copy(),
            "present": self._present.copy(),
            "level_numbers": np.array(numbers, dtype=np.int64),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over the state in an archive; raises InvalidArchive."""
        shape = self._score.change.shape
        floats = {"level": shape, "sum": shape, "present": shape[1:]}
        check_arrays(
            {name: arrays[name] for name in (*floats, "level_numbers") if name in arrays},
            {
                **{name: ("float64", size) for name, size in floats.items()},
                "level_numbers": ("int64", (4,)),
            },
        )
        level, total, present = (arrays[name].copy() for name in floats)
        began, seen, anomalous_for, anomalous = arrays["level_numbers"].tolist()
        flags = {began, anomalous} <= {0, 1}
        counted = 0 <= seen < max(1, self._score.step) and anomalous_for >= 0
        if not (flags and counted and (present >= 0).all() and (present <= seen).all()):
            raise InvalidArchive(
                "the level in the archive's stream",
                expected=f"fewer than {max(1, self._score.step)} windows since its last move",
                received=f"{seen} windows, flags {began} and {anomalous}",
            )
        self._level, self._sum, self._present = level, total, present
        self._began, self._anomalous = bool(began), bool(anomalous)
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
            levels = self._score.levels
            missing = np.broadcast_to(absent[:1], (len(levels), absent.shape[1]))
            away = self._score.of_deviations(statistics[:1] - levels, missing).sum(axis=1)
            self._level, self._began = levels[away.argmin()], True
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
        if self._anomalous_for == 0 or self._anomalous_for > _LONGEST * self._width:
            mean = self._sum / np.maximum(1, self._present)
            to = np.where(self._present > 0, mean, self._level)
            self._level = self._level + self._pace * (to - self._level)
        self._sum[:], self._present[:] = 0.0, 0.0
        self._seen, self._anomalous = 0, False


def _pace(step: int, width: int) -> float:
    """Return the part of the way that a level moves at a time."""
    return float(1 - np.exp(-step / (_MEMORY * width)))


def _path(statistics: Float64s, step: int, width: int) -> Float64s:
    """Return the level before each step of windows and at the end, (steps + 1, 3, sensors)."""
    pace, path = _pace(step, width), [statistics[: _MEMORY * width].mean(axis=0)]
    for start in range(0, len(statistics), step):
        path.append(path[-1] + pace * (statistics[start : start + step].mean(axis=0) - path[-1]))
    return np.array(path)


def _change(statistics: Float64s, width: int) -> Float64s:
    """Return half the mean squared change over several lags, (3, sensors)."""
    longest = max(1, int(_LONGEST_LAG * (len(statistics) + width)))
    lags = np.unique(np.linspace(min(width, longest), longest, _LAGS).astype(int))
    squares = [
        np.square(statistics[lag:] - statistics[:-lag]).mean(axis=0)
        for lag in lags
        if lag < len(statistics)
    ]
    return np.asarray(np.maximum(np.mean(squares, axis=0) / 2, _LEAST_CHANGE))
