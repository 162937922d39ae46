"""Fits the detector of a series.

The rows are split into two halves of time. A network learns from each half, and its residuals on
the other half fit the score (`series_score`) and calibrate alarms (`series_calibration`): on the
windows that it learned from, and on their neighbours, a network's residuals are too small. A third
network, the one that is kept, learns from all windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from isthmus.anomaly.series_calibration import SeriesCalibration
from isthmus.anomaly.series_detector import SeriesDetector
from isthmus.anomaly.series_score import SeriesScore, window_statistics
from isthmus.anomaly.series_windows import (
    SensorScaling,
    longest_gap,
    reconstructed,
    standardised_windows,
)
from isthmus.core.errors import InvalidData, InvalidParameter
from isthmus.core.randomness import derive_seed
from isthmus.data.sensor_series import as_series
from isthmus.data.windows import per_timestamp, pieces
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.estimators.parameter_checks import count
from isthmus.tasks.base import unwrapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import FitRequest
    from isthmus.core.types import Floats, RowNumbers
    from isthmus.data.sensor_series import SensorSeries

_FEWEST = 4
"""Windows to learn from are at least this many times the window's rows."""
_MOST_WINDOWS = 50_000
_MOST_CELLS = 1 << 25
"""Of the windows to learn from: 128 MiB."""
_STRETCH = 8
"""A longer series is sampled: evenly spread stretches of this many windows' length."""
_CODE = (8, 32)
"""Least and greatest code size of the default network; within these, two for each sensor."""
_HIDDEN = (64,)
_AT_ONCE = 4096
"""Windows whose statistics are computed at a time."""
_LEAST_SPREAD = 1e-9
"""Of a sensor, in units of its size; less is rounding."""


def fit_series_detector(request: FitRequest) -> SeriesDetector:
    """Fit what `AnomalyDetector.fit` was asked for, if it can be; raises as `fit_series`."""
    window = count("window", request.window, at_least=2)
    if request.contaminated:
        raise InvalidParameter(
            "mode",
            expected="'novelty' with a window",
            received="'outlier'",
            remedy="leave it out: a few anomalies in a series do little harm",
        )
    return fit_series(request.X, request.autoencoder, window, request.seed)


def fit_series(S: Any, autoencoder: Any, window: int, seed: int) -> SeriesDetector:
    """Fit a detector to a series without anomalies, or with few.

    Parameters
    ----------
    S : DataFrame, Arrow table or array
        See `as_series`. Rows are evenly spaced; no window crosses a step of more than four usual
        ones, or a gap in a sensor of more than a tenth of a window.
    autoencoder : isthmus estimator or None
        Of windows, (n, window, sensors); cloned and fitted three times. One in scikit-learn's
        ``FrozenEstimator`` is used as it is, and should have learned from other rows.
    window : int
        Rows of a window, at least 2.
    seed : int
        Of the default autoencoder.

    Raises
    ------
    InvalidParameter
        `autoencoder` is not such an estimator.
    InvalidData
        It is not a series, or is too short for the window.
    """
    series = as_series(S)
    scaling, many = _measured(series, window)
    block, starts = _sample(series, window, scaling, many)
    middle = int(starts[len(starts) // 2])
    early, late = starts + window <= middle, starts >= middle
    by_late = _trained(autoencoder, block[late], derive_seed(seed, "late"))
    by_early = _trained(autoencoder, block[early], derive_seed(seed, "early"))
    statistics = np.concatenate(
        [_statistics(by_late, block[early]), _statistics(by_early, block[late])]
    )
    score = SeriesScore.fit(statistics, window)
    scores = score.contributions(statistics).sum(axis=1)
    by_row = np.full(len(series), np.nan)
    by_row[np.concatenate([starts[early], starts[late]])] = scores
    by_row = per_timestamp(by_row, window)
    return SeriesDetector(
        autoencoder=_trained(autoencoder, block, derive_seed(seed, "all")),
        window=window,
        sensors=series.sensors,
        scaling=scaling,
        window_score=score,
        # A row's score depends on the rows less than a window away on either side.
        calibration=SeriesCalibration.fit(by_row[np.isfinite(by_row)], 2 * window),
        window_calibration=SeriesCalibration.fit(scores, window),
    )


def _measured(series: SensorSeries, window: int) -> tuple[SensorScaling, int]:
    """Return the sensors' means and deviations, and how many windows there are."""
    rows, many, run = 0, 0, 0
    mean = np.zeros(len(series.sensors))
    squares = np.zeros(len(series.sensors))
    for piece in pieces(series.chunks(), longest_gap(window)):
        # Chan et al., 1983: means and squares of parts, joined.
        here, part = len(piece.rows), piece.rows.mean(axis=0)
        squares += np.square(piece.rows - part).sum(axis=0)
        squares += np.square(part - mean) * (rows * here / (rows + here))
        rows += here
        mean += (part - mean) * (here / rows)
        before = run if piece.continues else 0
        run = before + here
        many += max(0, run - window + 1) - max(0, before - window + 1)
    if many < _FEWEST * window:
        raise InvalidData(
            "a series",
            expected=f"at least {(_FEWEST + 1) * window - 1} rows in succession "
            f"for window={window}",
            received=f"{len(series)} rows, which hold {many} windows without a gap",
            remedy="pass a smaller window or a longer series",
        )
    spread = np.sqrt(squares / rows)
    constant = spread <= _LEAST_SPREAD * np.abs(mean)
    return SensorScaling(
        mean, np.where(constant, np.maximum(np.abs(mean), 1.0) * 1e-3, spread)
    ), many


def _sample(
    series: SensorSeries, window: int, scaling: SensorScaling, many: int
) -> tuple[Floats, RowNumbers]:
    """Return windows to learn from, (m, window, sensors), and the rows that they begin in."""
    most = max(1, min(_MOST_WINDOWS, _MOST_CELLS // (window * len(series.sensors))))
    every, stretch = -(-many // most), _STRETCH * window
    collected, starts, seen = [], [], 0
    for start, block in standardised_windows(series.chunks(), window, scaling):
        number = np.arange(seen, seen + len(block))
        chosen = (number // stretch) % every == 0
        collected.append(block[chosen])
        starts.append(start + np.flatnonzero(chosen))
        seen += len(block)
    return np.concatenate(collected), np.concatenate(starts)


def _trained(given: Any, block: Floats, seed: int) -> Any:
    """Return an autoencoder of windows, fitted; raises InvalidParameter."""
    if given is None:
        return _default(block.shape[1:], seed).fit(block)
    inner, frozen = unwrapped(given)
    if not frozen:
        return clone(inner).fit(block)
    check_is_fitted(inner)
    if inner.schema_.sample_shape != block.shape[1:]:
        raise InvalidParameter(
            "autoencoder",
            expected=f"one of windows of shape {block.shape[1:]}",
            received=f"one of samples of shape {inner.schema_.sample_shape}",
            remedy="fit it on such windows, or pass it unfrozen",
        )
    return inner


def _default(shape: tuple[int, ...], seed: int) -> Autoencoder:
    fewest, most = _CODE
    size = min(max(fewest, 2 * shape[1]), most, shape[0] * shape[1] - 1)
    return Autoencoder(size, hidden=_HIDDEN, scale="none", verbose=0, random_state=seed)


def _statistics(autoencoder: Any, block: Floats) -> NDArray[np.float64]:
    """Return the statistics of windows, (m, 3, sensors)."""
    made = []
    for first in range(0, len(block), _AT_ONCE):
        part = block[first : first + _AT_ONCE]
        made.append(window_statistics(part, part - reconstructed(autoencoder, part)))
    return np.concatenate(made)
