"""Bottlenecks turn the encoder's features into a code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import keras

from isthmus.networks.layer_blocks import dense

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_LOG_VARIANCE = 20.0
"""Standard deviations stay between exp(-10) and exp(10), so that no exponential overflows."""


class Sampled(NamedTuple):
    """A code as Keras tensors, and the tensors it was computed from."""

    point: Any
    """(n, latent_dim), the code that the encoder returns."""
    code: Any
    """(n, latent_dim), the code that is decoded in training."""
    noise: Any = None
    """(n, noise_dim), the input for standard normal noise; None without a posterior."""
    mean: Any = None
    """(n, latent_dim), the mean of the posterior."""
    log_variance: Any = None
    """(n, latent_dim), the log variance of the posterior."""
    levels: Mapping[str, Any] = {}
    """With levels above the code, the outputs that describe all levels, by their names in
    `isthmus.core.types.Outputs`; mean and log variance are among them."""
    prior: Any = None
    """With levels above the code, the model from noise to a code drawn from the prior."""


class Bottleneck(Protocol):
    """The interface of a bottleneck: it computes a code from features."""

    @property
    def latent_dim(self) -> int:
        """Size of the code."""

    def apply(self, features: Any) -> Sampled:
        """Return the code of features (n, width), a Keras tensor."""


@dataclass(frozen=True)
class DeterministicBottleneck:
    """A deterministic code: a dense layer without activation, which can reach any code.

    Parameters
    ----------
    latent_dim : int
        Size of the code.
    """

    latent_dim: int

    def apply(self, features: Any) -> Sampled:
        """Return the code of features (n, width)."""
        inputs = keras.Input(features.shape[1:], name="features")
        made = dense(self.latent_dim, "code", policy="float32")(inputs)
        code = keras.Model(inputs, made, name="bottleneck")(features)
        return Sampled(code, code)


@dataclass(frozen=True)
class GaussianBottleneck:
    """A code that is sampled from a diagonal Gaussian, the posterior of a sample.

    Mean and log variance are two dense layers; the code is sampled as mean + standard deviation *
    noise (Kingma and Welling, 2014, "Auto-encoding variational Bayes", section 2.4). The log
    variance is ``20 tanh(v / 20)``: close to v in the relevant range, and bounded so that its
    exponential does not overflow float32.

    Parameters
    ----------
    latent_dim : int
        Size of the code.
    """

    latent_dim: int

    def apply(self, features: Any) -> Sampled:
        """Return the posterior and a code of features (n, width)."""
        mean, log_variance = gaussian(self.latent_dim, features.shape[1], "posterior")(features)
        noise = keras.Input((self.latent_dim,), name="noise")
        code = sampling(self.latent_dim)([mean, log_variance, noise])
        return Sampled(mean, code, noise, mean, log_variance)


def gaussian(size: int, width: int, name: str, *, hidden: int = 0) -> keras.Model:
    """Return the model from features (n, width) to mean and log variance, (n, size) each.

    Both are dense layers on the features, or on a hidden layer of `hidden` units beside them.
    """
    x = features = keras.Input((width,), name="features")
    if hidden:
        x = dense(hidden, "hidden", policy="float32")(x)
        x = keras.layers.Activation("gelu", name="hidden_gelu", dtype="float32")(x)
        x = keras.layers.Concatenate(name="with_features", dtype="float32")([x, features])
    mean = dense(size, "mean", policy="float32")(x)
    v = dense(size, "log_variance", policy="float32")(x)
    for layer in (
        keras.layers.Rescaling(1 / LARGEST_LOG_VARIANCE, name="shrunk", dtype="float32"),
        keras.layers.Activation("tanh", name="bounded", dtype="float32"),
        keras.layers.Rescaling(LARGEST_LOG_VARIANCE, name="stretched", dtype="float32"),
    ):
        v = layer(v)
    return keras.Model(features, [mean, v], name=name)


def sampling(size: int, name: str = "sampling") -> keras.Model:
    """Return the model from mean, log variance and noise, (n, size) each, to a sample."""
    mean, log_variance, noise = (
        keras.Input((size,), name=part) for part in ("mean", "log_variance", "noise")
    )
    half = keras.layers.Rescaling(0.5, name="log_deviation", dtype="float32")(log_variance)
    deviation = keras.layers.Activation("exponential", name="deviation", dtype="float32")(half)
    away = keras.layers.Multiply(name="away", dtype="float32")([deviation, noise])
    code = keras.layers.Add(name="code", dtype="float32")([mean, away])
    return keras.Model([mean, log_variance, noise], code, name=name)
