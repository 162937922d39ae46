"""Fits the detector for a series.

The series is split in time into two halves. A network is trained on each half, and its residuals on
the other half are used to fit the score (`series_score`) and calibrate alarms
(`series_calibration`). On its training windows and their neighbours, a network's residuals would be
too small. A third network, which is the one kept, is trained on all windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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
"""Fewest training windows, as a multiple of the window's rows."""
_MOST_WINDOWS = 50_000
_MOST_CELLS = 1 << 25
"""Limit on the cells of the training windows: 128 MiB."""
_STRETCH = 8
"""Longer series are sampled in evenly spaced stretches, each as long as this many windows."""
_CODE = (8, 32)
"""Smallest and largest code size of the default network; in between, 2 per sensor."""
_HIDDEN = (64,)
_AT_ONCE = 4096
"""Windows whose statistics are computed at a time."""
_LEAST_SPREAD = 1e-9
"""Relative to a sensor's mean; a smaller standard deviation is rounding error."""


class SeriesFit(NamedTuple):
    """A detector, and the scores that it is calibrated on."""

    detector: SeriesDetector
    held_out: NDArray[np.float64]
    """The score of each row by a network that was not trained on it, (n,); NaN for rows that no
    window covers or that were not sampled."""


def fit_series_detector(request: FitRequest) -> SeriesDetector:
    """Check the request and fit the detector; raises the same errors as `fit_series`."""
    return fit_series(request.X, request.autoencoder, checked_window(request), request.seed)


def checked_window(request: FitRequest) -> int:
    """Return the window of a request, after checking the parameters for series.

    Raises
    ------
    InvalidParameter
        The window is not an integer of at least 2, or the mode is not for series.
    """
    window = count("window", request.window, at_least=2)
    if request.contaminated:
        raise InvalidParameter(
            "mode",
            expected="'novelty' with a window",
            received="'outlier'",
            remedy="leave mode out: a few anomalies in a series do little harm",
        )
    return window


def fit_series(S: Any, autoencoder: Any, window: int, seed: int) -> SeriesDetector:
    """Fit a detector to a series with no or few anomalies.

    Parameters
    ----------
    S : DataFrame, Arrow table or array
        See `as_series`. Rows are evenly spaced. No window crosses a time step of more than four
        times the usual one, or a gap in a sensor of more than a tenth of a window.
    autoencoder : isthmus estimator or None
        An autoencoder for windows, (n, window, sensors); cloned and fitted three times. If it is
        wrapped in scikit-learn's ``FrozenEstimator``, it is used unchanged, and should have been
        trained on other rows.
    window : int
        Rows per window, at least 2.
    seed : int
        Seeds the default autoencoder.

    Raises
    ------
    InvalidParameter
        `autoencoder` is not such an estimator.
    InvalidData
        `S` is not a series, or is too short for the window.
    """
    return fit_with_scores(as_series(S), autoencoder, window, seed).detector


def fit_with_scores(series: SensorSeries, autoencoder: Any, window: int, seed: int) -> SeriesFit:
    """Fit a detector as `fit_series` does, and return the scores that it is calibrated on, too."""
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
    detector = SeriesDetector(
        autoencoder=_trained(autoencoder, block, derive_seed(seed, "all")),
        window=window,
        sensors=series.sensors,
        scaling=scaling,
        window_score=score,
        # A row's score depends on all rows less than a window away, on either side.
        calibration=SeriesCalibration.fit(by_row[np.isfinite(by_row)], 2 * window),
        window_calibration=SeriesCalibration.fit(scores, window),
    )
    return SeriesFit(detector, by_row)


def _measured(series: SensorSeries, window: int) -> tuple[SensorScaling, int]:
    """Return the sensors' means and standard deviations, and the number of windows."""
    rows, many, run = 0, 0, 0
    mean = np.zeros(len(series.sensors))
    squares = np.zeros(len(series.sensors))
    for piece in pieces(series.chunks(), longest_gap(window)):
        # Combine the means and sums of squares of the parts (Chan et al., 1983).
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
            expected=f"at least {(_FEWEST + 1) * window - 1} consecutive rows for window={window}",
            received=f"{len(series)} rows, which contain {many} windows without a gap",
            remedy="use a smaller window or a longer series",
        )
    spread = np.sqrt(squares / rows)
    constant = spread <= _LEAST_SPREAD * np.abs(mean)
    return SensorScaling(
        mean, np.where(constant, np.maximum(np.abs(mean), 1.0) * 1e-3, spread)
    ), many


def _sample(
    series: SensorSeries, window: int, scaling: SensorScaling, many: int
) -> tuple[Floats, RowNumbers]:
    """Return training windows, (m, window, sensors), and the number of each one's first row."""
    most = max(1, min(_MOST_WINDOWS, _MOST_CELLS // (window * len(series.sensors))))
    every, stretch = -(-many // most), _STRETCH * window
    collected, starts, before = [], [], 0
    for start, block in standardised_windows(series.chunks(), window, scaling):
        number = np.arange(before, before + len(block))
        chosen = (number // stretch) % every == 0
        collected.append(block[chosen])
        starts.append(start + np.flatnonzero(chosen))
        before += len(block)
    return np.concatenate(collected), np.concatenate(starts)


def _trained(given: Any, block: Floats, seed: int) -> Any:
    """Return a fitted autoencoder for windows; raises InvalidParameter."""
    if given is None:
        return _default(block.shape[1:], seed).fit(block)
    inner, frozen = unwrapped(given)
    if not frozen:
        return clone(inner).fit(block)
    check_is_fitted(inner)
    if inner.schema_.sample_shape != block.shape[1:]:
        raise InvalidParameter(
            "autoencoder",
            expected=f"one for windows of shape {block.shape[1:]}",
            received=f"one for samples of shape {inner.schema_.sample_shape}",
            remedy="fit it to such windows, or pass it unfrozen",
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
