"""The Fréchet distance between two sets of samples, by the moments of their features."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.typing import NDArray

from isthmus.core.errors import InvalidData, InvalidParameter
from isthmus.core.randomness import generator_for
from isthmus.networks.inference import Function

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.core.types import Floats

Features = NDArray[np.float64]

_FILTERS = (32, 64, 128)
_BLOCK = 256


def frechet_distance(
    real: Any, made: Any, features: Callable[[Any], Any] | keras.Model | None = None
) -> float:
    """Return the Fréchet distance between the features of two sets of samples, at least 0.

    With the means m and covariances C of the features of each set, it is ``|m1 - m2|^2 + trace(C1 +
    C2 - 2 (C1 C2)^(1/2))``, the squared 2-Wasserstein distance between normal distributions with
    these moments (Dowson and Landau, 1982; Heusel et al., 2017, "GANs trained by a two time-scale
    update rule", section 1, with the features of an Inception network).

    Without `features`, samples must be images. Their features are those of a small convolutional
    network whose weights are random and always the same: means over the pixels of three layers with
    32, 64 and 128 filters. (Naeem et al., 2020, "Reliable fidelity and diversity metrics for
    generative models", compare random networks with trained ones.) They tell blur, noise, wrong
    colours and missing variety, but not what a picture shows.

    The distance has limits:

    - It is only comparable for the same features, size of images and number of samples. It is not
      the FID of publications.
    - Few samples make it too large: the expected distance between two samples of one distribution
      is not 0, and it falls as one over their number (Chong and Forsyth, 2020, "Effectively
      unbiased FID and Inception score and where to find them"). Compare it with that between two
      halves of the real samples, and use several times as many samples as features (224 without
      `features`).
    - Only means and covariances are compared. Copies of the training samples have a distance of
      nearly 0, so a low value does not show that samples are new.

    Parameters
    ----------
    real, made : array of shape (n, h, w), (n, h, w, channels), or any with `features`
        Samples of the same shape and units; their numbers may differ. Without `features`, they are
        standardised with the mean and standard deviation of `real`.
    features : callable or keras.Model, optional
        Maps samples (n, ...) to features, which are flattened to (n, d). Both sets are passed as
        they are.

    Raises
    ------
    InvalidData
        The shapes differ, there are fewer than two samples, or values or features are not finite.
    InvalidParameter
        `features` returned no features for each sample, or is None for samples that are not images.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images
    >>> blurred = (X + X[:, ::-1]) / 2
    >>> ist.frechet_distance(X[:800], X[800:]) < ist.frechet_distance(X[:800], blurred[800:])
    True
    """
    sets = _checked("real", real), _checked("made", made)
    if sets[0].shape[1:] != sets[1].shape[1:]:
        raise InvalidData(
            "made",
            expected=f"samples of the shape of `real`, {sets[0].shape[1:]}",
            received=str(sets[1].shape[1:]),
            remedy="pass samples in the same form",
        )
    if features is None:
        first, second = (_random_features(each) for each in _standardised(*sets))
    else:
        function = Function(features) if isinstance(features, keras.Model) else features
        first, second = (_features(function, each) for each in sets)
    return _distance(first, second)


def _checked(name: str, samples: Any) -> Floats:
    array: Floats = np.asarray(samples, np.float32)
    if array.ndim < 2 or len(array) < 2:
        raise InvalidData(
            name,
            expected="two or more samples, (n, ...)",
            received=f"shape {array.shape}",
            remedy="pass several samples",
        )
    if not np.isfinite(array).all():
        raise InvalidData(
            name,
            expected="finite values",
            received="NaN or infinity",
            remedy="leave out samples with missing values, or fill them in",
        )
    return array


def _features(function: Callable[[Any], Any], samples: Floats) -> Features:
    made = np.asarray(function(samples), np.float64)
    if made.ndim == 0 or len(made) != len(samples):
        raise InvalidParameter(
            "features",
            expected=f"a function that returns features ({len(samples)}, d) for as many samples",
            received=f"an array of shape {made.shape}",
            remedy="return one row of features for each sample",
        )
    if not np.isfinite(made).all():
        raise InvalidData(
            "the features",
            expected="finite values",
            received="NaN or infinity",
            remedy="check the function, and the units of the samples",
        )
    return made.reshape(len(made), -1)


def _standardised(real: Floats, made: Floats) -> tuple[Floats, Floats]:
    if real.ndim not in (3, 4):
        raise InvalidParameter(
            "features",
            expected="a function or model, for samples that are not images",
            received=f"None, and samples of shape {real.shape[1:]}",
            remedy="pass images (n, h, w) or (n, h, w, channels), or features",
        )
    mean, deviation = real.mean(dtype=np.float64), real.std(dtype=np.float64) or 1.0
    first, second = (
        ((each.reshape(*each.shape[:3], -1) - mean) / deviation).astype(np.float32)
        for each in (real, made)
    )
    return first, second


def _random_features(images: Floats) -> Features:
    parts = [
        np.asarray(_activations(_weights(images.shape[3]), images[start : start + _BLOCK]))
        for start in range(0, len(images), _BLOCK)
    ]
    return np.concatenate(parts).astype(np.float64)


@lru_cache(maxsize=8)
def _weights(channels: int) -> tuple[Floats, ...]:
    """Return the kernels of the layers; He-normal, so that activations keep their scale."""
    rng = generator_for(0, "features of the Fréchet distance")
    inputs = (channels, *_FILTERS)
    return tuple(
        (rng.normal(size=(3, 3, taken, made)) * math.sqrt(2 / (9 * taken))).astype(np.float32)
        for taken, made in zip(inputs, _FILTERS, strict=False)
    )


@jax.jit
def _activations(weights: tuple[Any, ...], images: Any) -> Any:
    """Return the mean of each filter over the pixels, (n, all filters)."""
    means, x = [], images
    for index, kernel in enumerate(weights):
        strides = (1, 1) if index == 0 else (2, 2)
        x = jax.lax.conv_general_dilated(
            x, kernel, strides, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x)
        means.append(x.mean(axis=(1, 2)))
    return jnp.concatenate(means, axis=1)


def _distance(first: Features, second: Features) -> float:
    (m1, c1), (m2, c2) = (
        (each.mean(axis=0), np.atleast_2d(np.cov(each, rowvar=False))) for each in (first, second)
    )
    root = _root(c1)
    # The eigenvalues of C1 C2 are those of this symmetric product, and not negative.
    shared = np.linalg.eigvalsh(root @ c2 @ root)
    crossed = np.sqrt(np.maximum(shared, 0)).sum()
    distance = np.square(m1 - m2).sum() + np.trace(c1) + np.trace(c2) - 2 * crossed
    return max(0.0, float(distance))


def _root(covariance: Features) -> Features:
    """Return the symmetric square root."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
