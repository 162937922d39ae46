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

from isthmus.anomaly.conformal import far_out
from isthmus.anomaly.series_calibration import SeriesCalibration
from isthmus.anomaly.series_detector import SeriesDetector
from isthmus.anomaly.series_gaps import fitted_series, too_short
from isthmus.anomaly.series_score import SeriesScore, window_statistics
from isthmus.anomaly.series_windows import SensorScaling, reconstructed, standardised_windows
from isthmus.anomaly.window_choice import chosen_window
from isthmus.core.errors import InvalidParameter
from isthmus.core.randomness import derive_seed
from isthmus.data.sensor_series import as_series
from isthmus.data.windows import per_timestamp, pieces
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.estimators.resolved_settings import recipe
from isthmus.tasks.base import unwrapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import FitRequest
    from isthmus.core.types import Floats, RowNumbers
    from isthmus.data.sensor_series import SensorSeries
    from isthmus.data.time_grid import PlacedSeries

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
_MOST_TRAINED_CELLS = 5 << 25
"""Limit on the cells of all training steps of the default network. Training for longer hardly
lowers the error: windows that begin a row apart are nearly equal."""
_AT_ONCE = 4096
"""Windows whose statistics are computed at a time."""
_FENCE = 1.5
"""Windows of a contaminated series are left out above Tukey's inner fence, in logarithms of scores.
Above the outer one there are hardly any: few of the windows are independent."""
_LEAST_SPREAD = 1e-9
"""Relative to a sensor's mean; a smaller standard deviation is rounding error."""


class SeriesFit(NamedTuple):
    """A detector, and the scores that it is calibrated on."""

    detector: SeriesDetector
    held_out: NDArray[np.float64]
    """The score of each row by a network that was not trained on it, (n,); NaN for rows that no
    window covers or that were not sampled."""


class _Sample(NamedTuple):
    """Windows to train on."""

    windows: Floats
    """(m, window, sensors), standardised."""
    starts: RowNumbers
    """(m,), the slot of each one's first row, in order."""
    units: RowNumbers
    """The slots in which the rows of another unit begin, in order."""


class _HeldOut(NamedTuple):
    """Windows scored by a network that was not trained on them."""

    model: SeriesScore
    starts: RowNumbers
    scores: NDArray[np.float64]


def fit_series_detector(request: FitRequest) -> SeriesDetector:
    """Fit the detector; raises the same errors as `fit_series`."""
    return fit_series(
        request.X,
        request.autoencoder,
        request.window,
        request.seed,
        longest_gap=request.longest_gap,
        contaminated=request.contaminated,
    )


def fit_series(
    S: Any,
    autoencoder: Any,
    window: int | str,
    seed: int,
    *,
    longest_gap: int | None = None,
    contaminated: bool = False,
) -> SeriesDetector:
    """Fit a detector to a series.

    Parameters
    ----------
    S : DataFrame, Arrow table or array
        See `as_series`; rows are placed in time (`isthmus.data.time_grid`), and no window crosses
        a gap that is not filled.
    autoencoder : isthmus estimator or None
        An autoencoder for windows, (n, window, sensors); cloned and fitted three times. If it is
        wrapped in scikit-learn's ``FrozenEstimator``, it is used unchanged, and should have been
        trained on other rows.
    window : int or "auto"
        Rows per window, at least 2; see `window_choice` for "auto".
    seed : int
        Seeds the default autoencoder.
    longest_gap : int or None
        The most consecutive missing rows that are filled; None to choose it (`series_gaps`).
    contaminated : bool
        Whether the series may contain many anomalies, and is the one to be judged. Windows whose
        held-out score is far above the others are then left out, and the detector is fitted again
        to the rest.

    Raises
    ------
    InvalidParameter
        `autoencoder` is not such an estimator, or `longest_gap` is longer than a window.
    InvalidData
        `S` is not a series, or is too short for the window.
    """
    return fit_with_scores(
        as_series(S), autoencoder, window, seed, longest_gap=longest_gap, contaminated=contaminated
    ).detector


def fit_with_scores(
    given: SensorSeries,
    autoencoder: Any,
    window: int | str,
    seed: int,
    *,
    longest_gap: int | None,
    contaminated: bool,
) -> SeriesFit:
    """Fit a detector as `fit_series` does, and return the scores that it is calibrated on, too."""
    width = chosen_window(given) if isinstance(window, str) else window
    series, learned = fitted_series(given, width, longest_gap, _FEWEST * width)
    sensors = tuple(given.sensors[place] for place in learned)
    scaling, many = _measured(series, sensors, width)
    sample = _sample(series, width, scaling, many)
    held_out = _held_out(sample, autoencoder, seed)
    if contaminated:
        sample = _without_far_out(sample, held_out)
        held_out = _held_out(sample, autoencoder, seed)
    by_slot = np.full(series.slots, np.nan)
    by_slot[held_out.starts] = held_out.scores
    by_slot = per_timestamp(by_slot, width)
    by_row = by_slot[series.measured()]
    detector = SeriesDetector(
        autoencoder=_trained(
            autoencoder, sample.windows, sample.windows.size, derive_seed(seed, "all")
        ),
        window=width,
        sensors=sensors,
        columns=given.sensors,
        grid=series.grid,
        scaling=scaling,
        window_score=held_out.model,
        # A row's score depends on all rows less than a window away, on either side.
        calibration=SeriesCalibration.fit(
            by_row[np.isfinite(by_row)], 2 * width, for_same_rows=contaminated
        ),
        window_calibration=SeriesCalibration.fit(held_out.scores, width),
    )
    return SeriesFit(detector, series.per_row(by_slot))


def _held_out(sample: _Sample, autoencoder: Any, seed: int) -> _HeldOut:
    """Score each half of the windows by a network that is trained on the other half."""
    block, starts, units = sample
    middle = int(starts[len(starts) // 2])
    early, late = starts + block.shape[1] <= middle, starts >= middle
    by_late = _trained(autoencoder, block[late], block.size, derive_seed(seed, "late"))
    by_early = _trained(autoencoder, block[early], block.size, derive_seed(seed, "early"))
    statistics = np.concatenate(
        [_statistics(by_late, block[early]), _statistics(by_early, block[late])]
    )
    starts = np.concatenate([starts[early], starts[late]])
    begins = np.unique(np.searchsorted(starts, units))
    begins = begins[(begins > 0) & (begins < len(starts))]
    model, parts = SeriesScore.fit(statistics, block.shape[1], begins.tolist())
    return _HeldOut(model, starts, parts.sum(axis=1))


def _without_far_out(sample: _Sample, held_out: _HeldOut) -> _Sample:
    """Leave out the windows that are anomalous, at most a quarter of them."""
    far = far_out(np.log(np.maximum(held_out.scores, np.finfo(float).tiny)), _FENCE)
    kept = ~np.isin(sample.starts, held_out.starts[far])
    return sample._replace(windows=sample.windows[kept], starts=sample.starts[kept])


def _measured(
    series: PlacedSeries, sensors: tuple[str, ...], window: int
) -> tuple[SensorScaling, int]:
    """Return the sensors' means and standard deviations, and the number of windows."""
    rows, many, run = 0, 0, 0
    mean, squares = np.zeros(len(sensors)), np.zeros(len(sensors))
    for piece in pieces(series.chunks(), series.grid.longest_gaps):
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
        raise too_short(series, sensors, many, (_FEWEST + 1) * window - 1)
    spread = np.sqrt(squares / rows)
    constant = spread <= _LEAST_SPREAD * np.abs(mean)
    return SensorScaling(
        mean, np.where(constant, np.maximum(np.abs(mean), 1.0) * 1e-3, spread)
    ), many


def _sample(series: PlacedSeries, window: int, scaling: SensorScaling, many: int) -> _Sample:
    """Return training windows."""
    most = max(1, min(_MOST_WINDOWS, _MOST_CELLS // (window * len(scaling.centre))))
    every, stretch = -(-many // most), _STRETCH * window
    collected, starts, before = [], [], 0
    for start, block in standardised_windows(series, window, scaling):
        number = np.arange(before, before + len(block))
        chosen = (number // stretch) % every == 0
        collected.append(block[chosen])
        starts.append(start + np.flatnonzero(chosen))
        before += len(block)
    return _Sample(np.concatenate(collected), np.concatenate(starts), series.begins())


def _trained(given: Any, block: Floats, whole: int, seed: int) -> Any:
    """Return a fitted autoencoder for windows; raises InvalidParameter.

    The default one is trained for as many epochs on part of the windows as on the `whole` of them,
    which has so many cells, so that the held-out scores are not those of longer training.
    """
    if given is None:
        return _default(block, whole, seed).fit(block)
    inner, frozen = unwrapped(given)
    if not frozen:
        _refuse_augmentation(inner)
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


def _refuse_augmentation(inner: Any) -> None:
    """Refuse changes of pictures: windows (time, sensors) would be taken for some."""
    given = getattr(inner, "augmentation", "auto")
    if given not in ("auto", "none"):
        raise InvalidParameter(
            "augmentation",
            expected="pictures",
            received=f"{given!r} and windows of a series",
            remedy="leave augmentation='auto' in the detector's autoencoder",
        )


def _default(block: Floats, whole: int, seed: int) -> Autoencoder:
    shape = block.shape[1:]
    fewest, largest = _CODE
    size = min(max(fewest, 2 * shape[1]), largest, shape[0] * shape[1] - 1)
    made = Autoencoder(size, hidden=_HIDDEN, scale="none", verbose=0, random_state=seed)
    most = max(1, _MOST_TRAINED_CELLS // whole)
    return made if recipe(made, len(block)).epochs <= most else made.set_params(epochs=most)


def _statistics(autoencoder: Any, block: Floats) -> NDArray[np.float64]:
    """Return the statistics of windows, (m, 3, sensors)."""
    made = []
    for first in range(0, len(block), _AT_ONCE):
        part = block[first : first + _AT_ONCE]
        made.append(window_statistics(part, part - reconstructed(autoencoder, part)))
    return np.concatenate(made)
