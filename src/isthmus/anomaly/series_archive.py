"""What a series detector keeps in an archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.anomaly.earlier_calibration import EarlierCalibration
from isthmus.anomaly.series_calibration import SeriesCalibration
from isthmus.anomaly.series_gaps import default_gap
from isthmus.anomaly.series_score import STATISTICS, SeriesScore
from isthmus.anomaly.series_windows import SensorScaling
from isthmus.core.errors import InvalidArchive
from isthmus.data.time_grid import TimeGrid
from isthmus.persistence import strict_json
from isthmus.persistence.array_checks import check_arrays
from isthmus.persistence.prefixes import outside_prefixes, with_prefix, without_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import StoredDetector

_GRID, _COLUMNS, _LEVELS = "grid/", "columns", "levels"
"""The prefix of the grid's arrays, and names of arrays that may be absent. Grid and columns are
absent if rows are evenly spaced, all columns are sensors and the longest gap is the default."""


class SeriesParts(NamedTuple):
    """What a series detector has learned except its autoencoder; see `SeriesDetector`."""

    window: int
    sensors: tuple[str, ...]
    columns: tuple[str, ...]
    grid: TimeGrid
    scaling: SensorScaling
    window_score: SeriesScore
    calibration: SeriesCalibration
    window_calibration: SeriesCalibration

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything except the window, which is in the autoencoder's shape."""
        score = self.window_score
        levels = {_LEVELS: score.levels, "follow": np.array([score.limit, score.step])}
        if not score.step:  # as in older archives
            levels = {"usual": score.levels[0]}
        return {
            **self._grid_arrays(),
            "sensors": as_bytes(self.sensors),
            "centre": self.scaling.centre,
            "scale": self.scaling.scale,
            "change": score.change,
            **levels,
            "scores": self.calibration.scores,
            "window_scores": self.window_calibration.scores,
            "taus": np.array([self.calibration.tau, self.window_calibration.tau]),
        }

    def _grid_arrays(self) -> dict[str, np.ndarray]:
        plain = self.grid.is_evenly_spaced and self.grid.longest_gap == default_gap(self.window)
        if plain and self.columns == self.sensors:
            return {}
        return {_COLUMNS: as_bytes(self.columns), **with_prefix(self.grid.to_arrays(), _GRID)}


def read_parts(stored: StoredDetector) -> SeriesParts:
    """Return the parts in an archive; raises InvalidArchive."""
    window, shape = _archived_window(stored), stored.autoencoder.schema_.sample_shape
    grid, arrays = _archived_grid(stored.arrays, window, shape[1])
    earlier = _LEVELS not in arrays
    per_sensor, statistics = ("float64", (shape[1],)), ("float64", (STATISTICS, shape[1]))
    scores: dict[str, tuple[str, tuple[int | None, ...]]] = (
        {"usual": statistics}
        if earlier
        else {_LEVELS: ("float64", (None, *statistics[1])), "follow": ("float64", (2,))}
    )
    check_arrays(
        arrays,
        {
            "sensors": ("uint8", (None,)),
            _COLUMNS: ("uint8", (None,)),
            "centre": per_sensor,
            "scale": per_sensor,
            "change": statistics,
            "scores": ("float64", (None,)),
            "window_scores": ("float64", (None,)),
            "taus": ("float64", (2,)),
            **scores,
        },
    )
    names, columns = (
        strict_json.parse(arrays[name].tobytes(), "the sensors' names")
        for name in ("sensors", _COLUMNS)
    )
    _check_values(arrays, names, columns)
    calibration = EarlierCalibration if earlier else SeriesCalibration
    tau, window_tau = map(float, arrays["taus"])
    return SeriesParts(
        window,
        tuple(names),
        tuple(columns),
        grid,
        SensorScaling(arrays["centre"], arrays["scale"]),
        _archived_score(arrays),
        calibration(arrays["scores"], tau),
        calibration(arrays["window_scores"], window_tau),
    )


def _archived_score(arrays: Mapping[str, np.ndarray]) -> SeriesScore:
    if _LEVELS not in arrays:
        return SeriesScore(arrays["usual"][None], arrays["change"], np.inf, step=0, order=1)
    limit, step = arrays["follow"].tolist()
    if not (len(arrays[_LEVELS]) and limit > 0 and step > 0 and step == int(step)):
        raise InvalidArchive(
            "the archive's levels",
            expected="at least one level, a positive limit, and a whole number of windows",
            received=f"{len(arrays[_LEVELS])} levels, limit {limit:g}, {step:g} windows",
        )
    return SeriesScore(arrays[_LEVELS], arrays["change"], limit, int(step))


def as_bytes(names: Sequence[Any]) -> NDArray[np.uint8]:
    """Return names as JSON in an array of bytes."""
    return np.frombuffer(json.dumps(names).encode(), dtype=np.uint8)


def _archived_grid(
    arrays: Mapping[str, np.ndarray], window: int, sensors: int
) -> tuple[TimeGrid, dict[str, np.ndarray]]:
    """Return the archive's grid, and its other arrays with that of the columns."""
    stored = without_prefix(arrays, _GRID)
    others = outside_prefixes(arrays, _GRID)
    if stored:
        return TimeGrid.from_arrays(stored, sensors), others
    if "sensors" in others:
        others.setdefault(_COLUMNS, others["sensors"])
    return TimeGrid.evenly_spaced(default_gap(window), sensors), others


def _archived_window(stored: StoredDetector) -> int:
    """Return the archive's window after checking it against the autoencoder."""
    window, shape = stored.window, stored.autoencoder.schema_.sample_shape
    if window == "auto" and len(shape) == 2:
        window = shape[0]
    if type(window) is not int or window < 2:
        raise InvalidArchive("the archive's window", expected="an integer of at least 2, or 'auto'")
    if len(shape) != 2 or shape[0] != window:
        raise InvalidArchive(
            "the archive's autoencoder",
            expected=f"an autoencoder for windows of {window} rows",
            received=f"samples of shape {shape}",
        )
    return window


def _check_values(arrays: Mapping[str, np.ndarray], names: Any, columns: Any) -> None:
    positive = all((arrays[name] > 0).all() for name in ("scale", "change", "taus"))
    ordered = all((np.diff(arrays[name]) >= 0).all() for name in ("scores", "window_scores"))
    named = all(
        isinstance(each, list) and all(isinstance(name, str) for name in each)
        for each in (names, columns)
    )
    if not (
        positive
        and ordered
        and named
        and len(names) == len(arrays["centre"])
        and set(names) <= set(columns)
    ):
        raise InvalidArchive(
            "the archive's series detector",
            expected="positive scales, scores in ascending order and a name for each sensor",
            received="other values",
        )
