"""Metrics of recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from isthmus.recipes.recipe import MeasuredFigure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits

_SMALLEST = 1e-7  # Keras' epsilon


def cross_entropy(target: Floats, rebuilt: Floats) -> float:
    """Return the mean binary cross-entropy per pixel, in nats, with Keras' clipping."""
    p = np.clip(rebuilt.reshape(target.shape).astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    return float(-(target * np.log(p) + (1 - target) * np.log1p(-p)).mean())


def squared_error(target: Floats, rebuilt: Floats) -> float:
    """Return the mean squared error per pixel."""
    difference = rebuilt.reshape(target.shape) - target
    return float(np.square(difference, dtype=np.float64).mean())


def psnr(target: Floats, rebuilt: Floats) -> float:
    """Return the peak signal-to-noise ratio over all pixels together, in dB, for a peak of 1."""
    return -10 * float(np.log10(squared_error(target, rebuilt)))


def both_losses(
    target: Floats, rebuilt: Floats, *, first: str
) -> tuple[MeasuredFigure, MeasuredFigure]:
    """Return cross-entropy and squared error of a reconstruction; `first` is "bce" or "mse"."""
    figures = (
        MeasuredFigure("test cross-entropy", cross_entropy(target, rebuilt)),
        MeasuredFigure("test squared error", squared_error(target, rebuilt)),
    )
    return figures if first == "bce" else (figures[1], figures[0])


def neighbours_accuracy(
    train: NDArray[Any], test: NDArray[Any], digits: Digits, *, neighbours: int
) -> float:
    """Return the test accuracy of a k-nearest-neighbours classifier."""
    classifier = KNeighborsClassifier(neighbours)
    return float(classifier.fit(train, digits.y_train).score(test, digits.y_test))
