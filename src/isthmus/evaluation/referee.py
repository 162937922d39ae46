"""The referee: compare an autoencoder with the baselines PCA and mean row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.estimators.resolved_settings import has_images, sample_noun
from isthmus.evaluation.channel_errors import channel_errors
from isthmus.evaluation.comparison import Comparison, ComparisonEntry, compare
from isthmus.evaluation.findings import ReconstructionEvidence, gather, standard_error
from isthmus.evaluation.image_quality import mean_ssim, psnr
from isthmus.evaluation.judgement import Contestant, Judgement

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLIP = 1e-7
"""Fractions are clipped to this distance from 0 and 1 before taking logarithms, as in Keras."""


def referee(model: Any, X_test: Any, *, X_train: Any = None) -> Judgement:
    """Compare an autoencoder with PCA and the mean row on held-out rows.

    The error of all three is the mean squared error of the observed cells, in the units in which
    the network works (columns scaled, a categorical cell's error in [0, 1]). PCA gets the same
    matrix and as many numbers per row as the autoencoder. Its missing cells are filled with the
    column's mean. A difference from PCA is reported only if it exceeds two standard errors of the
    paired differences and a hundredth of PCA's error.

    If cells are fractions of a range, as in images, the result includes the binary cross-entropy in
    nats per cell, which is common in the literature; for it, PCA is clipped to the range. Images
    also have the peak signal-to-noise ratio (PSNR) of their error, in dB for a peak of 1, and the
    mean structural similarity (SSIM) of all methods, clipped to the range. Images with several
    channels have errors by channel, too, because each has its own range.

    Parameters
    ----------
    model : fitted autoencoder
    X_test : array or table of n rows
        Rows that the model was not fitted on, in the form that it was fitted on.
    X_train : array or table, optional
        The rows that the model was fitted on. PCA and the mean are fitted on them, and the
        autoencoder's error on them shows whether it overfits. Without them, PCA and the mean are
        fitted on half of `X_test`, always the same half, and all are evaluated on the other half.

    Returns
    -------
    Judgement
        Figures per method and findings in plain sentences; ``str()`` returns a table.

    Raises
    ------
    InvalidParameter
        The model is not fitted.
    InvalidData
        The rows differ in form from those that the model was fitted on, or there are too few.
    """
    contest = compare(model, X_test, X_train=X_train)
    return judge(contest, model)


def judge(contest: Comparison, model: Any) -> Judgement:
    """Turn a comparison into figures and findings."""
    mean_error = float(contest.mean.errors.mean())
    difference = contest.pca.errors - contest.autoencoder.errors
    evidence = ReconstructionEvidence(
        contest=contest,
        model=model,
        error=float(contest.autoencoder.errors.mean()),
        pca_error=float(contest.pca.errors.mean()),
        mean_error=mean_error,
        difference=float(difference.mean()),
        difference_se=standard_error(difference),
    )
    train = contest.train_errors
    return Judgement(
        contestants=tuple(
            _contestant(entry, contest, mean_error, model) for entry in contest.entries
        ),
        findings=gather(evidence),
        n_test=len(contest.rows),
        n_fit=contest.n_fit,
        own_training_rows=contest.own_training_rows,
        train_error=None if train is None else float(train.mean()),
        channels=channel_errors(contest, model.schema_),
        noun=sample_noun(model, model.schema_),
    )


def _contestant(
    entry: ComparisonEntry, contest: Comparison, mean_error: float, model: Any
) -> Contestant:
    fractions = model.schema_.values == "unit"
    images = fractions and has_images(model, model.schema_)
    error = float(entry.errors.mean())
    others = [other.errors for other in contest.entries if other is not entry]
    return Contestant(
        name=entry.name,
        error=error,
        standard_error=standard_error(entry.errors) if len(entry.errors) > 1 else None,
        explained_variance=1 - error / mean_error if mean_error > 0 else None,
        cross_entropy=_cross_entropy(contest.target, entry.prediction) if fractions else None,
        psnr=psnr(error) if images else None,
        ssim=mean_ssim(contest.target, entry.prediction) if images else None,
        code_size=entry.code_size,
        seconds=entry.seconds,
        rows_won=float((entry.errors < np.minimum(*others)).mean()),
    )


def _cross_entropy(target: NDArray[np.float32], prediction: NDArray[np.float32]) -> float:
    """Return the binary cross-entropy of the observed cells in nats per cell."""
    observed = ~np.isnan(target)
    shares = np.clip(target[observed], 0, 1)
    guess = np.clip(prediction[observed].astype(np.float64), CLIP, 1 - CLIP)
    return float(-(shares * np.log(guess) + (1 - shares) * np.log1p(-guess)).mean())
