"""A fitted series detector as arrays, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly.series_calibration import SeriesCalibration
from isthmus.anomaly.series_detector import SensorScaling, SeriesDetector
from isthmus.anomaly.series_score import STATISTICS, SeriesScore
from isthmus.core.errors import InvalidArchive
from isthmus.persistence import strict_json
from isthmus.tasks.base import checked_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping


def to_arrays(detector: SeriesDetector) -> dict[str, np.ndarray]:
    """Return what a detector learned beside its autoencoder."""
    names = json.dumps(detector.sensors).encode()
    return {
        "sensors": np.frombuffer(names, dtype=np.uint8),
        "centre": detector.scaling.centre,
        "scale": detector.scaling.scale,
        "usual": detector.levels.centre,
        "change": detector.levels.change,
        "scores": detector.calibration.scores,
        "window_scores": detector.online.scores,
        "taus": np.array([detector.calibration.tau, detector.online.tau]),
    }


def from_arrays(autoencoder: Any, window: int, arrays: Mapping[str, np.ndarray]) -> SeriesDetector:
    """Take back what `to_arrays` returned; raises InvalidArchive."""
    shape = autoencoder.schema_.sample_shape
    if len(shape) != 2 or shape[0] != window:
        raise InvalidArchive(
            "the archive's autoencoder",
            expected=f"one of windows of {window} rows",
            received=f"samples of shape {shape}",
        )
    each, statistics = ("float64", (shape[1],)), ("float64", (STATISTICS, shape[1]))
    checked_arrays(
        arrays,
        {
            "sensors": ("uint8", (None,)),
            "centre": each,
            "scale": each,
            "usual": statistics,
            "change": statistics,
            "scores": ("float64", (None,)),
            "window_scores": ("float64", (None,)),
            "taus": ("float64", (2,)),
        },
    )
    names = strict_json.parse(arrays["sensors"].tobytes(), "the sensors' names")
    _check_values(arrays, names)
    tau, window_tau = map(float, arrays["taus"])
    return SeriesDetector(
        autoencoder,
        window,
        tuple(names),
        SensorScaling(arrays["centre"], arrays["scale"]),
        SeriesScore(arrays["usual"], arrays["change"]),
        SeriesCalibration(arrays["scores"], tau),
        SeriesCalibration(arrays["window_scores"], window_tau),
    )


def _check_values(arrays: Mapping[str, np.ndarray], names: Any) -> None:
    positive = all((arrays[name] > 0).all() for name in ("scale", "change", "taus"))
    ordered = all((np.diff(arrays[name]) >= 0).all() for name in ("scores", "window_scores"))
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not (positive and ordered and named and len(names) == len(arrays["centre"])):
        raise InvalidArchive(
            "the archive's series detector",
            expected="positive scales, scores in order and a name for each sensor",
            received="others",
        )
