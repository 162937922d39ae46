"""The fitted detector for a fleet, used by `AnomalyDetector` with ``window=`` and ``group=``.

It is a detector for series (`series_detector`) behind a scaling of each unit (`unit_scaling`), and
before a level of each unit (`unit_levels`). See `fleet_training` for fitting.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from isthmus.anomaly.alarm_threshold import check_one_for_each
from isthmus.anomaly.intervals import (
    AlarmSpan,
    Interval,
    Intervals,
    merged_alarms,
    responsible_sensors,
)
from isthmus.anomaly.series_archive import as_bytes
from isthmus.anomaly.series_detector import SeriesDetector
from isthmus.anomaly.unit_scaling import UnitFigures, UnitScaling, in_units, standardised
from isthmus.anomaly.unit_shrinkage import UnitShrinkage
from isthmus.core.errors import DataWarning, InvalidArchive
from isthmus.core.name_lists import name_list
from isthmus.data.fleet import Fleet, as_fleet
from isthmus.data.sensor_series import SensorSeries, in_container_of
from isthmus.estimators.learned_checks import contradicted
from isthmus.persistence import strict_json
from isthmus.persistence.array_checks import check_arrays
from isthmus.persistence.prefixes import outside_prefixes, with_prefix, without_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import StoredDetector
    from isthmus.core.types import RowNumbers

    Float64s = NDArray[np.float64]

_SERIES = "series/"
_LARGEST_LOG = 700.0
"""Of a scale, so that its exponential is a number."""


class FleetRows(NamedTuple):
    """The user's rows, prepared for the methods of a detector."""

    fleet: Fleet
    series: SensorSeries
    """The rows of the fleet, standardised, as one series."""
    figures: UnitFigures
    """The centre and scale of each unit."""
    levels: NDArray[np.float64]
    """The level of each row's unit, (n,)."""


@dataclass(frozen=True, eq=False)
class FleetDetector:
    """A fitted detector of anomalies in the series of several units; implements `FittedDetector`.

    Parameters
    ----------
    series : SeriesDetector
        Scores the units' standardised rows.
    group : str
        The column that says which unit each row belongs to.
    names : tuple of str or int
        The units in `fit`.
    scaling : UnitScaling
        Standardises the units.
    levels : array of float64, shape (units,)
        What the scores of each unit are divided by.
    """

    is_series: ClassVar[bool] = True

    series: SeriesDetector
    group: str
    names: tuple[str | int, ...]
    scaling: UnitScaling
    levels: NDArray[np.float64]

    @property
    def autoencoder(self) -> Any:
        """The fitted autoencoder, one for all units."""
        return self.series.autoencoder

    def prepare(self, S: Any, estimator: Any) -> FleetRows:  # noqa: ARG002
        """Return the rows in the order of units and time, standardised.

        Raises
        ------
        InvalidData, SchemaMismatch
            It is not a table of series with a column of units, or it has other sensors.

        Warns
        -----
        DataWarning
            There are units that were not in `fit`, or units shorter than a window.
        """
        fleet = self._as_fitted(as_fleet(S, self.group, self.series.columns))
        known = np.array([self._numbers.get(str(name), -1) for name in fleet.names])
        self._warn_of_new(fleet, known)
        figures = self.scaling.of(fleet, known)
        levels = np.where(known < 0, 1.0, self.levels[known])
        series = fleet.whole(standardised(fleet, figures))
        return FleetRows(fleet, series, figures, levels[fleet.unit_of_rows])

    def score(self, rows: FleetRows) -> Float64s:
        """Return the anomaly score of each row, (n,), in the user's order.

        It is that of `SeriesDetector.score`, divided by the level of the row's unit.
        """
        return rows.fleet.in_user_order(self._scores(rows))

    def p_values(self, scores: Float64s) -> Float64s:
        """Return the p-values of rows' scores, NaN where there is no score."""
        return self.series.p_values(scores)

    def threshold(self, rate: float) -> float:
        """Return the score above which to raise an alarm, at the first row of each unit.

        Parameters
        ----------
        rate : float
            The largest fraction of the fleet's rows that may be false alarms in the long run, while
            units behave as in training.
        """
        return self.series.threshold(rate)

    def thresholds(self, scores: Float64s, rate: float, rows: FleetRows) -> Float64s:
        """Return the threshold for each row, (n,), in the user's order.

        It begins with `threshold` in each unit, and follows slow changes in it (`alarm_threshold`).

        Raises
        ------
        InvalidData
            There is not one score per row.
        """
        fleet, scores = rows.fleet, np.asarray(scores, dtype=np.float64)
        check_one_for_each(scores, len(fleet))
        return fleet.in_user_order(self._thresholds(fleet, scores[fleet.order], rate))

    def explain(self, rows: FleetRows, like: Any) -> Any:
        """Return what each sensor contributes to each row's score, in the container of `like`."""
        return self._returned(self._contributions(rows), rows, like)

    def expected(self, rows: FleetRows, like: Any) -> Any:
        """Return the reconstruction of each row, in the container and units of `like`."""
        made = self.series.expected(rows.series, rows.series.values)
        return self._returned(in_units(made, rows.fleet, rows.figures), rows, like)

    def intervals(self, rows: FleetRows, rate: float) -> Intervals:
        """Return the intervals of alarms at a false-alarm rate, unit after unit.

        Alarms of a unit with at most half a window between them are merged.
        """
        parts = self._contributions(rows)
        scores = parts.sum(axis=1)
        limits = self._thresholds(rows.fleet, scores, rate)
        with np.errstate(invalid="ignore"):
            alarmed = np.unique(rows.fleet.unit_of_rows[scores > limits])
        found = []
        for unit in alarmed.tolist():
            first, stop = rows.fleet.bounds[unit : unit + 2].tolist()
            own = slice(first, stop)
            for span in merged_alarms(scores[own], limits[own], self.series.calm):
                whole = AlarmSpan(*(first + row for row in span))
                shares = np.nansum(parts[whole.first : whole.last + 1], axis=0)
                score = float(scores[whole.peak])
                found.append(self._interval(rows.fleet, unit, whole, score, shares))
        return Intervals(found)

    def set_attributes(self, estimator: Any) -> None:
        """Set the fitted attributes that `AnomalyDetector` documents for fleets."""
        self.series.set_attributes(estimator)
        estimator.units_, estimator.unit_levels_ = self.names, self.levels

    def check_settings(
        self, *, window: Any, group: Any, longest_gap: Any, contaminated: bool
    ) -> None:
        """Check the window and the column of units."""
        if group != self.group:
            raise contradicted("group", group, self.group)
        self.series.check_settings(
            window=window, group=None, longest_gap=longest_gap, contaminated=contaminated
        )

    def own_schema(self) -> None:
        """Return None: units, sensors and their scaling are stored as arrays."""
        return

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything learned except the autoencoder."""
        centres, scales = self.scaling.centres, self.scaling.scales
        return {
            "units": as_bytes([self.group, *self.names]),
            "levels": self.levels,
            "unit_centres": self.scaling.figures.means,
            "unit_scales": self.scaling.figures.logs,
            "fleet_centres": np.stack([centres.centre, centres.between, centres.within]),
            "fleet_scales": np.stack([scales.centre, scales.between, scales.within]),
            "floor": self.scaling.floor,
            **with_prefix(self.series.to_arrays(), _SERIES),
        }

    @classmethod
    def from_archive(cls, stored: StoredDetector) -> Self:
        """Rebuild the detector from an archive.

        Raises
        ------
        InvalidArchive
            The archive does not contain such a detector.
        """
        inner = without_prefix(stored.arrays, _SERIES)
        series = SeriesDetector.from_archive(replace(stored, arrays=inner))
        own = outside_prefixes(stored.arrays, _SERIES)
        names = _archived_names(own, stored.group)
        units, sensors = len(names) - 1, len(series.sensors)
        check_arrays(
            own,
            {
                "units": ("uint8", (None,)),
                "levels": ("float64", (units,)),
                "unit_centres": ("float64", (units, sensors)),
                "unit_scales": ("float64", (units, sensors)),
                "fleet_centres": ("float64", (3, sensors)),
                "fleet_scales": ("float64", (3, sensors)),
                "floor": ("float64", (sensors,)),
            },
        )
        _check_values(own)
        scaling = UnitScaling(
            UnitShrinkage(*own["fleet_centres"]),
            UnitShrinkage(*own["fleet_scales"]),
            own["floor"],
            UnitFigures(own["unit_centres"], own["unit_scales"]),
        )
        return cls(series, stored.group, tuple(names[1:]), scaling, own["levels"])

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """The number of each unit, by its name as text: 7 in one file is "7" in another."""
        return {str(name): number for number, name in enumerate(self.names)}

    def _as_fitted(self, fleet: Fleet) -> Fleet:
        """Return the fleet with its sensors in the order of `fit`; raises SchemaMismatch."""
        self.series.as_fitted(SensorSeries(fleet.values, None, fleet.sensors))
        return fleet.of_sensors(self.series.sensors)

    def _warn_of_new(self, fleet: Fleet, known: RowNumbers) -> None:
        new = [str(fleet.names[unit]) for unit in np.flatnonzero(known < 0)]
        if new:
            warnings.warn(
                f"Units that were not learned from: {len(new):,} of {len(known):,}, "
                f"{name_list(new)}. They are standardised by the rows given, and have the fleet's "
                "threshold.",
                DataWarning,
                stacklevel=2,
            )
        short = fleet.counts < self.series.window
        if short.any():
            warnings.warn(
                f"Units with fewer rows than the window, {self.series.window}, have no scores: "
                f"{int(short.sum()):,} of {len(known):,}.",
                DataWarning,
                stacklevel=2,
            )

    def _scores(self, rows: FleetRows) -> Float64s:
        """Return the scores of the rows of the fleet, in its order."""
        return self.series.score(rows.series) / rows.levels

    def _thresholds(self, fleet: Fleet, scores: Float64s, rate: float) -> Float64s:
        """Return the thresholds for the scores of the rows of the fleet, in its order."""
        return self.series.thresholds_of_units(scores, rate, fleet.bounds[1:-1])

    def _contributions(self, rows: FleetRows) -> Float64s:
        """Return what each sensor contributes to the rows' scores, in the order of the fleet."""
        parts = self.series.explain(rows.series, rows.series.values)
        return np.asarray(parts) / rows.levels[:, None]

    def _interval(
        self, fleet: Fleet, unit: int, span: AlarmSpan, score: float, shares: Float64s
    ) -> Interval:
        return Interval(
            start=fleet.time(span.first),
            end=fleet.time(span.last),
            peak=fleet.time(span.peak),
            score=score,
            sensors=responsible_sensors(shares, self.series.sensors),
            rows=(int(fleet.order[span.first]), int(fleet.order[span.last])),
            unit=fleet.names[unit],
        )

    def _returned(self, values: Float64s, rows: FleetRows, like: Any) -> Any:
        return in_container_of(rows.fleet.in_user_order(values), rows.series, like)


def _archived_names(arrays: Mapping[str, np.ndarray], group: Any) -> list[Any]:
    """Return the archive's group and units; raises InvalidArchive."""
    stored = {name: each for name, each in arrays.items() if name == "units"}
    check_arrays(stored, {"units": ("uint8", (None,))})
    names = strict_json.parse(stored["units"].tobytes(), "the units' names")
    units = names[1:] if isinstance(names, list) else []
    typed = all(type(name) in (str, int) for name in units)
    if not units or names[0] != group or not typed or len(set(map(str, units))) < len(units):
        raise InvalidArchive(
            "the archive's units",
            expected=f"different names of units in column {group!r}",
            received=str(names)[:200],
        )
    return list(names)


def _check_values(arrays: Mapping[str, np.ndarray]) -> None:
    shares = (arrays[name][1:] for name in ("fleet_centres", "fleet_scales"))
    logs = (arrays["unit_scales"], arrays["fleet_scales"][0])
    if not (
        all((part >= 0).all() for part in shares)
        and all((np.abs(part) < _LARGEST_LOG).all() for part in logs)
        and (arrays["levels"] > 0).all()
        and (arrays["floor"] > 0).all()
    ):
        raise InvalidArchive(
            "the archive's units",
            expected="positive levels and scales",
            received="other values",
        )
