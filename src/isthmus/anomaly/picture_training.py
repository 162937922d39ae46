"""Fits the detector for pictures: splits them, trains the autoencoder and calibrates the score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.anomaly import conformal
from isthmus.anomaly.picture_autoencoder import default_autoencoder
from isthmus.anomaly.picture_detector import PictureDetector, with_some_pixels
from isthmus.anomaly.picture_score import PictureScore
from isthmus.anomaly.picture_space import PictureSpace
from isthmus.anomaly.row_training import (
    given_autoencoder,
    refuse_series_settings,
    warn_if_few,
)
from isthmus.core.errors import InvalidData
from isthmus.core.randomness import generator_for
from isthmus.estimators import input_checks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import FitRequest
    from isthmus.core.types import Floats
    from isthmus.estimators.base import BaseAutoencoder

FEWEST_PICTURES = 12
_REFERENCE = 1 / 3
"""Fraction of the pictures that are not held out which the autoencoder does not see either."""
_MOST_POINTS = 300_000
"""Points of the grid, over all pictures, from which the expected levels are taken."""
_FEWEST_REFERENCE, _MOST_REFERENCE = 16, 400


class PictureSplit(NamedTuple):
    """Numbers of pictures by what they are used for."""

    trained: NDArray[np.intp]
    """For the autoencoder and the memory."""
    reference: NDArray[np.intp]
    """For what the measures are on normal pictures."""
    held_out: NDArray[np.intp]
    """For the threshold."""


def fit_pictures(request: FitRequest) -> PictureDetector:
    """Fit a detector to pictures.

    Raises
    ------
    InvalidParameter, InvalidData, TrainingDiverged
        There are too few pictures, or the autoencoder's `fit` fails.

    Warns
    -----
    DataWarning
        There are too few pictures to guarantee the false-alarm rate.
    """
    refuse_series_settings(request)
    X = input_checks.checked(request.estimator, request.X, reset=True)
    if len(X) < FEWEST_PICTURES:
        raise InvalidData(
            "X",
            expected=f"at least {FEWEST_PICTURES} pictures",
            received=f"n_samples={len(X)}",
            remedy="pass more pictures",
        )
    input_checks.check_length(request.y, len(X))
    numbers = np.arange(len(X))
    detector, scores = _calibrated(X, numbers, request)
    if request.contaminated:
        near = ~conformal.far_out(np.log(scores))
        detector, scores = _calibrated(X, numbers[near], request)
        scores = scores[~conformal.far_out(np.log(scores))]
        detector = PictureDetector(detector.picture_score, np.sort(scores), contaminated=True)
    warn_if_few(len(detector.calibration), request.false_alarm_rate)
    return detector


def _calibrated(
    X: Any, numbers: NDArray[np.intp], request: FitRequest
) -> tuple[PictureDetector, NDArray[np.float64]]:
    """Fit to some of the pictures.

    Returns
    -------
    (PictureDetector, array of float64)
        The detector; and the scores of these pictures if they may be anomalies, otherwise those of
        the held-out ones.
    """
    split = _split(numbers, request)
    network = _autoencoder(X, split.trained, request)
    matrix = with_some_pixels(network.schema_.to_matrix(X))
    space = PictureSpace(network, _usual(matrix[split.trained]))
    rows, columns = space.grid.shape
    most = max(_FEWEST_REFERENCE, min(_MOST_REFERENCE, _MOST_POINTS // (rows * columns)))
    rng = generator_for(request.seed, "patches")
    score = PictureScore.fit(space, matrix[split.trained], matrix[split.reference[:most]], rng)
    judged = numbers if request.contaminated else split.held_out
    scores = np.nanmax(score.maps(matrix[judged]), axis=(1, 2))
    own = scores[np.isin(judged, split.held_out)]
    return PictureDetector(score, np.sort(own), request.contaminated), scores


def _split(numbers: NDArray[np.intp], request: FitRequest) -> PictureSplit:
    order = generator_for(request.seed, "calibration").permutation(numbers)
    held_out = conformal.calibration_size(len(order), request.false_alarm_rate)
    reference = held_out + round(_REFERENCE * (len(order) - held_out))
    return PictureSplit(np.sort(order[reference:]), order[held_out:reference], order[:held_out])


def _autoencoder(X: Any, trained: NDArray[np.intp], request: FitRequest) -> BaseAutoencoder:
    if request.autoencoder is None:
        return default_autoencoder(X[trained], request.seed)
    return given_autoencoder(request.autoencoder, X, request.y, trained)


def _usual(matrix: Floats) -> Floats:
    """Return the mean of each band, (bands,); 0 for one without any value."""
    bands = matrix.shape[3] if matrix.ndim == 4 else 1
    flat = matrix.reshape(-1, bands)
    known = ~np.isnan(flat)
    total = np.where(known, flat, 0).sum(axis=0, dtype=np.float64)
    usual: Floats = (total / np.maximum(known.sum(axis=0), 1)).astype(np.float32)
    return usual
