"""Standardises the sensors of each unit of a fleet.

Two machines of one type run at different operating points, and their sensors at different gains. So
each unit has its own centre and scale, as far as the units differ and its rows suffice to tell
(`unit_shrinkage`). A unit that was not in `fit` is standardised by the rows in which it is scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from isthmus.anomaly.unit_shrinkage import UnitShrinkage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import RowNumbers
    from isthmus.data.fleet import Fleet

    Float64s = NDArray[np.float64]

_LEAST_SPREAD = 1e-9
"""Relative to a sensor's mean; a smaller standard deviation is rounding error."""
_FLOOR = 1e-3
"""Smallest scale of a sensor that hardly varies in one unit, as a fraction of that in others."""

_CUT_FACTOR, _WHOLE_FACTOR = np.sqrt(3) - 1, np.sqrt(2)
"""See `UnitScaling.as_for_new_rows`."""


class UnitFigures(NamedTuple):
    """Means and logarithms of standard deviations, each (units, sensors)."""

    means: Float64s
    logs: Float64s


@dataclass(frozen=True, eq=False)
class UnitScaling:
    """Centres and scales of units.

    Parameters
    ----------
    centres, scales : UnitShrinkage
        Of the sensors' means and the logarithms of their standard deviations.
    floor : array of float64, shape (sensors,)
        The smallest scale.
    figures : UnitFigures
        The centre and the logarithm of the scale of each unit in `fit`.
    """

    centres: UnitShrinkage
    scales: UnitShrinkage
    floor: Float64s
    figures: UnitFigures

    @classmethod
    def fit(cls, fleet: Fleet) -> Self:
        """Learn the centres and scales of the units of a fleet."""
        units, sensors = len(fleet.names), len(fleet.sensors)
        parts = _moments(fleet.values, fleet.half_of_rows, 2 * units)
        whole = _moments(fleet.values, fleet.unit_of_rows, units)
        floor = _floor(whole)
        both = [_figures(part, floor) for part in (parts, whole)]
        shape = (units, 2, sensors)
        centres = UnitShrinkage.fit(both[1].means, both[0].means.reshape(shape), fleet.counts)
        scales = UnitShrinkage.fit(both[1].logs, both[0].logs.reshape(shape), fleet.counts)
        used = UnitFigures(
            centres.estimates(both[1].means, fleet.counts),
            scales.estimates(both[1].logs, fleet.counts),
        )
        return cls(centres, scales, floor, used)

    def as_for_new_rows(self, fleet: Fleet, cut: NDArray[np.bool_]) -> Float64s:
        """Return the rows of the fleet in `fit`, standardised as inaccurately as later ones.

        A unit's mean is nearer to the rows that it is the mean of than to later ones. Let V / n be
        its variance by chance. The mean of the first half of the rows differs from it with the
        variance V / n, which is that of half the difference between the halves; that of as many
        later rows does with V / n + 2 V / n. So the mean that is used for a half is moved away
        from that half, by the square root of 3, less 1, times half the difference. For a unit that
        is not cut, the variances are 0 and V / n + V / n, and the factor is the square root of 2.
        The same holds for the logarithm of the scale.

        Parameters
        ----------
        fleet : Fleet
            The fleet that was passed to `fit`.
        cut : array of bool, shape (units,)
            Whether the halves of each unit are used separately.
        """
        units = len(fleet.names)
        whole = _figures(_moments(fleet.values, fleet.unit_of_rows, units), self.floor)
        parts = _figures(_moments(fleet.values, fleet.half_of_rows, 2 * units), self.floor)
        factor = np.where(cut[:, None], [_CUT_FACTOR, -_CUT_FACTOR], _WHOLE_FACTOR)[..., None]
        moved = []
        for shrinkage, all_rows, halves in zip(
            (self.centres, self.scales), whole, parts, strict=True
        ):
            halves = halves.reshape(units, 2, -1)
            away = np.nan_to_num(halves[:, 1] - halves[:, 0]) / 2
            found = all_rows[:, None] + factor * away[:, None]
            moved.append(
                shrinkage.estimates(found.reshape(2 * units, -1), np.repeat(fleet.counts, 2))
            )
        means, logs = moved
        half = fleet.half_of_rows
        return np.asarray((fleet.values - means[half]) * np.exp(-logs)[half])

    def of_sensors(self, places: RowNumbers) -> UnitScaling:
        """Return the scaling of some of the sensors."""
        return UnitScaling(
            self.centres.of_figures(places),
            self.scales.of_figures(places),
            self.floor[places],
            UnitFigures(self.figures.means[:, places], self.figures.logs[:, places]),
        )

    def of(self, fleet: Fleet, known: RowNumbers) -> UnitFigures:
        """Return the centres and the logarithms of the scales of the units of a fleet.

        Parameters
        ----------
        fleet : Fleet
            Units, some of which may be new.
        known : array of int, shape (units,)
            The number of each unit in `fit`; -1 for a new one.
        """
        means, logs = (np.array(each[known]) for each in self.figures)
        new = known < 0
        if new.any():
            found = _figures(_moments(fleet.values, fleet.unit_of_rows, len(known)), self.floor)
            counts = fleet.counts[new]
            means[new] = self.centres.estimates(found.means[new], counts)
            logs[new] = self.scales.estimates(found.logs[new], counts)
        return UnitFigures(means, logs)


def standardised(fleet: Fleet, figures: UnitFigures) -> Float64s:
    """Return the rows of a fleet, each sensor in standard deviations of its unit, (n, sensors)."""
    units = fleet.unit_of_rows
    return (fleet.values - figures.means[units]) * np.exp(-figures.logs)[units]


def in_units(values: Float64s, fleet: Fleet, figures: UnitFigures) -> Float64s:
    """Return standardised rows, (n, sensors), in the sensors' units."""
    units = fleet.unit_of_rows
    return values * np.exp(figures.logs)[units] + figures.means[units]


class _Moments(NamedTuple):
    """Means and standard deviations of parts of the rows, each (parts, sensors)."""

    means: Float64s
    spreads: Float64s


def _moments(values: Float64s, part_of_rows: RowNumbers, parts: int) -> _Moments:
    """Return the moments of parts; NaN for a part without values."""
    means, spreads = np.empty((2, parts, values.shape[1]))
    for sensor, column in enumerate(values.T):
        known = np.isfinite(column)
        cells, part = column[known], part_of_rows[known]
        with np.errstate(invalid="ignore"):
            count = np.bincount(part, minlength=parts)
            means[:, sensor] = np.bincount(part, cells, parts) / count
            squares = np.bincount(part, np.square(cells - means[part, sensor]), parts)
            spreads[:, sensor] = np.sqrt(squares / count)
    return _Moments(means, spreads)


def _floor(moments: _Moments) -> Float64s:
    """Return the smallest scale of each sensor, (sensors,)."""
    varied = moments.spreads > _LEAST_SPREAD * np.abs(moments.means)
    logs = np.log(np.where(varied, moments.spreads, 1.0))
    typical = np.exp(logs.sum(axis=0) / np.maximum(varied.sum(axis=0), 1))
    # A sensor that never varies in any unit: the series' own scaling takes care of it.
    level = np.nan_to_num(np.abs(moments.means)).max(axis=0, initial=1.0)
    return np.asarray(np.where(varied.any(axis=0), _FLOOR * typical, level))


def _figures(moments: _Moments, floor: Float64s) -> UnitFigures:
    return UnitFigures(moments.means, np.log(np.maximum(moments.spreads, floor)))
