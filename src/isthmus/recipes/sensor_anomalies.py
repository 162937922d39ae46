"""Anomalies in a log of sensors: a reconstruction error above a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.core.randomness import generator_for
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.recipes import sources
from isthmus.recipes.figure_types import Lines, Table
from isthmus.recipes.recipe import MeasuredFigure, Recipe, RecipeResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits
    from isthmus.recipes.plan import RecipePlan

_SENSORS, _ROWS, _WINDOW, _RATE = 8, 4000, 30, 0.01
_FAULTS = ("offset by 3 standard deviations", "stuck", "out of step with the others")
_LONG, _CODE = 100, 3


class _Log(NamedTuple):
    """Measurements (rows, sensors), and the fault of each row, 0 for none."""

    rows: Floats
    fault: NDArray[np.intp]


def log(rows: int, seed: int, *, faulty: bool) -> _Log:
    """Return a simulated log of eight sensors: mixtures of three periodic signals, and noise."""
    shape, noise = generator_for(0, "machine"), generator_for(seed, "log")
    mix, period = shape.normal(size=(3, _SENSORS)), np.array([37.0, 61.0, 190.0])
    at = np.arange(rows)[:, None]
    hidden = np.sin(2 * np.pi * at / period + noise.uniform(0, 2 * np.pi, 3))
    values = hidden @ mix + 0.15 * noise.normal(size=(rows, _SENSORS))
    fault = np.zeros(rows, dtype=np.intp)
    if faulty:
        starts = np.linspace(0, rows, len(_FAULTS) + 2, dtype=int)[1:-1]
        for kind, start in enumerate(starts, 1):
            part, sensor = slice(start, start + _LONG), 2 * kind
            fault[part] = kind
            values[part, sensor] = _broken(values[:, sensor], part, kind)
    return _Log(values.astype(np.float32), fault)


def _broken(sensor: NDArray[np.float64], part: slice, kind: int) -> Any:
    if kind == 1:
        return sensor[part] + 3 * sensor.std()
    if kind == 2:
        return sensor[part.start]
    return sensor[part][::-1]  # reversed: its values and changes are normal


def _make(digits: Digits, plan: RecipePlan) -> RecipeResult:  # noqa: ARG001 - not a log
    normal, new = log(_ROWS, plan.seed, faulty=False), log(_ROWS, plan.seed + 1, faulty=True)
    half = len(normal.rows) // 2
    settings: dict[str, Any] = {"epochs": plan.epochs, "random_state": plan.seed}
    plain = Autoencoder(_CODE, **settings).fit(normal.rows[:half])
    limit = np.quantile(plain.reconstruction_error(normal.rows[half:]), 1 - _RATE)
    simple = plain.reconstruction_error(new.rows) > limit
    detector = AnomalyDetector(
        Autoencoder(16, scale="none", **settings), window=_WINDOW, random_state=plan.seed
    ).fit(normal.rows)
    scores = detector.anomaly_score(new.rows)
    alarms = scores > detector.thresholds_of(scores)
    faulty = new.fault > 0
    # A row near a fault is in windows that contain a part of the fault.
    near = np.convolve(faulty, np.ones(2 * _WINDOW + 1), "same") > 0
    return RecipeResult(
        figures=(
            MeasuredFigure("faulty rows detected, single rows", float(simple[faulty].mean()), "%"),
            MeasuredFigure("false-alarm rate, single rows", float(simple[~near].mean()), "%"),
            MeasuredFigure("faulty rows detected, windows", float(alarms[faulty].mean()), "%"),
            MeasuredFigure("false-alarm rate, windows", float(alarms[~near].mean()), "%"),
        ),
        pictures=(_timeline(scores / detector.threshold_), _by_kind(new.fault, simple, alarms)),
        notes=(
            "The tutorial describes no network. Single rows are scored by the reconstruction error "
            f"of a dense autoencoder with a code size of {_CODE}; the threshold is the 99 % "
            "quantile of the error of held-out rows.",
            f"isthmus.AnomalyDetector(window={_WINDOW}) scores windows of that length, with a "
            f"threshold for a false-alarm rate of {_RATE:.0%}. Normal rows within a window of a "
            "fault are not counted.",
        ),
        estimators={"autoencoder": plain, "detector": detector},
        data=f"Eight simulated sensors: {_ROWS:,} training, {_ROWS:,} test rows with three faults",
    )


def _timeline(shares: NDArray[np.float64]) -> Lines:
    at = np.arange(len(shares), dtype=np.float64)
    some = slice(None, None, 5)
    limit = np.ones(2)
    return Lines(
        "The score, relative to the threshold",
        {
            "score": (at[some], np.minimum(np.nan_to_num(shares), 10)[some]),
            "threshold": (at[[0, -1]], limit),
        },
        ("row", "score / threshold"),
        caption=f"Cut off at 10. The faults, {_LONG} rows each, begin at rows "
        "1,000, 2,000 and 3,000.",
    )


def _by_kind(fault: Any, simple: Any, alarms: Any) -> Table:
    return Table(
        "Fraction of faulty rows detected",
        ("fault", "single rows", "windows"),
        tuple(
            (name, *(f"{found[fault == kind].mean():.0%}" for found in (simple, alarms)))
            for kind, name in enumerate(_FAULTS, 1)
        ),
    )


RECIPE = Recipe(
    "sensor-anomalies",
    "faults in a log of eight sensors",
    f"{sources.OUTPUTS}, {sources.ARCHITECTURE}",
    "Autoencoders find anomalies in high-dimensional sensor data by their reconstruction error.",
    epochs=40,
    make=_make,
)
