"""Alarms of a series, merged into intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MOST_SENSORS = 3
_RESPONSIBLE = 0.8
"""Sensors are named until they make up so much of the score."""


class AlarmSpan(NamedTuple):
    """Rows from `first` to `last`, both within, with the highest score in row `peak`."""

    first: int
    last: int
    peak: int

    @property
    def rows(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Interval:
    """A time during which a series was abnormal.

    Parameters
    ----------
    start, end, peak
        Times of the first and the last alarm and of the highest score: numbers of rows where the
        series has no times.
    score : float
        The highest.
    sensors : tuple of str
        The sensors responsible, the one that adds most to the score first: as many as make up four
        fifths of it, at most 3.
    rows : (int, int)
        Numbers of the first and the last row.
    """

    start: Any
    end: Any
    peak: Any
    score: float
    sensors: tuple[str, ...]
    rows: tuple[int, int]

    def __str__(self) -> str:
        return (
            f"{self.start} to {self.end}, peak {self.peak}, score {self.score:.3g}: "
            f"{', '.join(self.sensors)}"
        )


class Intervals(tuple[Interval, ...]):
    """Intervals in the order of time; as text, one on each line."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no alarms"


def spans(scores: NDArray[np.float64], threshold: float, calm: int) -> list[AlarmSpan]:
    """Merge the rows whose score exceeds the threshold.

    Parameters
    ----------
    scores : array of shape (n,)
        NaN where there is none.
    threshold : float
        Of an alarm.
    calm : int
        Alarms with at most so many rows between them are one.
    """
    with np.errstate(invalid="ignore"):
        alarms = np.flatnonzero(scores > threshold)
    if not len(alarms):
        return []
    parts = np.split(alarms, np.flatnonzero(np.diff(alarms) > calm + 1) + 1)
    return [
        AlarmSpan(int(part[0]), int(part[-1]), int(part[scores[part].argmax()])) for part in parts
    ]


def responsible(contributions: NDArray[np.float64], sensors: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the sensors that make the score, given contributions (rows, sensors)."""
    shares = np.nanmean(contributions, axis=0)
    order = np.argsort(-shares, kind="stable")
    reached = np.cumsum(shares[order]) / max(float(shares.sum()), np.finfo(float).tiny)
    many = min(_MOST_SENSORS, int((reached < _RESPONSIBLE).sum()) + 1)
    return tuple(sensors[i] for i in order[:many])
