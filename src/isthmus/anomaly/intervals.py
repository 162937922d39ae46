"""Merges the alarms of a series into intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MOST_SENSORS = 3
_RESPONSIBLE = 0.8
"""Sensors are listed until their contributions reach this fraction of the score."""


class AlarmSpan(NamedTuple):
    """Rows `first` to `last`, both included; row `peak` has the highest score."""

    first: int
    last: int
    peak: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Interval:
    """A period in which a series was anomalous.

    Parameters
    ----------
    start, end, peak
        Times of the first alarm, the last alarm and the highest score; row numbers if the series
        has no times.
    score : float
        The highest score.
    sensors : tuple of str
        The sensors that contribute most to the score, largest first: as many as it takes to reach
        80% of it, at most 3.
    rows : (int, int)
        Numbers of the first and the last row.
    unit : str or int, optional
        The unit of a fleet; None for a single series. Rows between the first and the last may
        belong to other units.
    """

    start: Any
    end: Any
    peak: Any
    score: float
    sensors: tuple[str, ...]
    rows: tuple[int, int]
    unit: str | int | None = None

    def __str__(self) -> str:
        unit = "" if self.unit is None else f"{self.unit}: "
        return (
            f"{unit}{self.start} to {self.end}, peak {self.peak}, score {self.score:.3g}: "
            f"{', '.join(self.sensors)}"
        )


class Intervals(tuple[Interval, ...]):
    """Intervals in chronological order, unit by unit; ``str()`` gives one line for each."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no alarms"


def merged_alarms(
    scores: NDArray[np.float64],
    threshold: float | NDArray[np.float64],
    calm: int,
    places: NDArray[np.int64] | None = None,
) -> list[AlarmSpan]:
    """Merge alarms (rows whose score exceeds the threshold) that are close to each other.

    Parameters
    ----------
    scores : array of shape (n,)
        NaN where there is no score.
    threshold : float or array of shape (n,)
        A score above it raises an alarm.
    calm : int
        Alarms with at most this many rows between them are merged.
    places : array of int64, shape (n,), optional
        The place of each row in time, ascending; by default its number.
    """
    with np.errstate(invalid="ignore"):
        alarms = np.flatnonzero(scores > threshold)
    if not len(alarms):
        return []
    where = alarms if places is None else places[alarms]
    parts = np.split(alarms, np.flatnonzero(np.diff(where) > calm + 1) + 1)
    return [
        AlarmSpan(int(part[0]), int(part[-1]), int(part[scores[part].argmax()])) for part in parts
    ]


def responsible_sensors(
    contributions: NDArray[np.float64], sensors: Sequence[str]
) -> tuple[str, ...]:
    """Return the sensors that contribute most, largest first.

    Parameters
    ----------
    contributions : array of shape (sensors,)
        What each sensor contributes to the scores.
    sensors : sequence of str
        Their names.
    """
    order = np.argsort(-contributions, kind="stable")
    total = max(float(contributions.sum()), np.finfo(float).tiny)
    reached = np.cumsum(contributions[order]) / total
    many = min(_MOST_SENSORS, int((reached < _RESPONSIBLE).sum()) + 1)
    return tuple(sensors[i] for i in order[:many])
