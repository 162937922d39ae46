"""Fits the detector for a fleet: one network for all units.

The units are standardised (`unit_scaling`) and put one after the other, as one series in which no
window crosses from one unit to the next. The halves on which `series_training` trains and
calibrates are those of each unit in time: all first halves come before all second ones. A unit with
too few rows for that is in one of the halves as a whole.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from isthmus.anomaly.fleet_detector import FleetDetector
from isthmus.anomaly.series_calibration import SeriesCalibration
from isthmus.anomaly.series_training import fit_with_scores
from isthmus.anomaly.unit_levels import fitted_levels
from isthmus.anomaly.unit_scaling import UnitScaling, standardised
from isthmus.anomaly.window_choice import chosen_window
from isthmus.core.errors import DataWarning, InvalidData
from isthmus.core.name_lists import name_list
from isthmus.core.number_format import count
from isthmus.data.fleet import as_fleet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import FitRequest
    from isthmus.core.types import RowNumbers
    from isthmus.data.fleet import Fleet

_CUT = 4
"""Units of at least this many windows' length are cut into halves."""


def fit_fleet(request: FitRequest) -> FleetDetector:
    """Fit a detector to the units of a table.

    Raises
    ------
    InvalidParameter
        The window or the mode is not for series, or `autoencoder` is not such an estimator.
    InvalidData
        It is no table of series with a column of units, or all units are too short.

    Warns
    -----
    DataWarning
        Some units are shorter than a window, or have too few rows for the false-alarm rate.
    """
    fleet = as_fleet(request.X, request.group)
    window = request.window
    if isinstance(window, str):
        window = chosen_window(fleet.longest())
    fleet = _long_enough(fleet, window)
    scaling = UnitScaling.fit(fleet)
    cut = fleet.counts >= _CUT * window
    _tell_short(fleet, cut, window)
    rows, starts = _halved(fleet, cut)
    joined = fleet.joined(scaling.as_for_new_rows(fleet, cut)[rows], rows, starts)
    series, held_out = fit_with_scores(
        joined,
        request.autoencoder,
        window,
        request.seed,
        longest_gap=request.longest_gap,
        contaminated=request.contaminated,
    )
    learned = np.array([fleet.sensors.index(name) for name in series.sensors])
    levels = fitted_levels(fleet, series.score(fleet.whole(standardised(fleet, scaling.figures))))
    held_out = held_out / levels[fleet.unit_of_rows[rows]]
    known = np.isfinite(held_out)
    begins = np.flatnonzero(np.diff(np.cumsum(starts)[known])) + 1
    calibration = SeriesCalibration.fit(
        held_out[known], 2 * window, begins, for_same_rows=request.contaminated
    )
    return FleetDetector(
        series=replace(series, calibration=calibration),
        group=request.group,
        names=fleet.names,
        scaling=scaling.of_sensors(learned),
        levels=levels,
    )


def _long_enough(fleet: Fleet, window: int) -> Fleet:
    """Return the units with at least a window of rows."""
    long = fleet.counts >= window
    if not long.any():
        raise InvalidData(
            "a fleet",
            expected=f"units with at least {window} rows, the window",
            received=f"{count(len(long), 'unit')}, the longest with {fleet.counts.max()} rows",
            remedy="use a smaller window, or check that group names the column of units",
        )
    if not long.all():
        short = [str(fleet.names[unit]) for unit in np.flatnonzero(~long)]
        warnings.warn(
            f"Units with fewer rows than the window, {window}, are not learned from: "
            f"{len(short):,} of {len(long):,}, {name_list(short)}.",
            DataWarning,
            stacklevel=2,
        )
    return fleet.select(np.flatnonzero(long))


def _tell_short(fleet: Fleet, cut: NDArray[np.bool_], window: int) -> None:
    """Warn of units in which earlier and later rows cannot be compared."""
    if not cut.all():
        short = [str(fleet.names[unit]) for unit in np.flatnonzero(~cut)]
        warnings.warn(
            f"Units with fewer rows than {_CUT} windows, {_CUT * window}: {len(short):,} of "
            f"{len(cut):,}, {name_list(short)}. These are too few to tell how a unit varies, so "
            "the false-alarm rate is not guaranteed for them. Try: longer histories, or a smaller "
            "window.",
            DataWarning,
            stacklevel=3,
        )


def _halved(fleet: Fleet, cut: NDArray[np.bool_]) -> tuple[RowNumbers, NDArray[np.bool_]]:
    """Return the rows with all first halves first, and where another unit or half begins.

    Units that are not `cut`, (units,), are in one of the halves as a whole.
    """
    units = fleet.unit_of_rows
    second = np.where(cut[units], fleet.half_of_rows % 2, units % 2)
    rows = np.argsort(second, kind="stable")
    part = 2 * units[rows] + second[rows]
    return rows, np.diff(part, prepend=-1) != 0
