"""Levels of latent variables above the code, which give it a learned prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from isthmus.networks.bottlenecks import Sampled, gaussian, sampling

_FEWEST_UNITS, _UNITS_PER_DIMENSION = 64, 4
"""Of the hidden layer between two levels, for each dimension of the lower one."""


def level_sizes(latent_dim: int, levels: int) -> tuple[int, ...]:
    """Return the dimensions of the levels from the code up: each has half of those below it."""
    return tuple(max(1, latent_dim >> level) for level in range(levels))


@keras.saving.register_keras_serializable(package="isthmus")
class Columns(keras.layers.Layer):
    """The columns ``start`` up to ``stop`` of a matrix: (n, width) -> (n, stop - start).

    Parameters
    ----------
    start, stop : int
        The range of columns.
    """

    def __init__(self, start: int, stop: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start, self.stop = start, stop

    def call(self, inputs: Any) -> Any:
        """Return the columns."""
        return inputs[:, self.start : self.stop]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (n, stop - start)."""
        return (input_shape[0], self.stop - self.start)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "start": self.start, "stop": self.stop}


@dataclass(frozen=True)
class HierarchicalBottleneck:
    """A Gaussian code whose prior is learned: levels of latent variables above it.

    With levels z1 (the code), z2, ..., zL, samples are generated as ``p(zL) ... p(z1 | z2)
    p(x | z1)``, where the last level is standard normal, and the others are diagonal Gaussians
    whose mean and log variance are computed from the level above (Rezende et al., 2014, "Stochastic
    backpropagation and approximate inference in deep generative models"). The posteriors of all
    levels are computed from the encoder's features. Given a sample they are independent, so each
    divergence given the level above has a closed form.

    Code, encoder and decoder are those of a `GaussianBottleneck`.

    Parameters
    ----------
    latent_dim : int
        Size of the code.
    levels : int
        Number of levels with the code, at least 2.
    """

    latent_dim: int
    levels: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Dimensions of the levels, from the code up."""
        return level_sizes(self.latent_dim, self.levels)

    def apply(self, features: Any) -> Sampled:
        """Return the posteriors of features (n, width), samples, and the prior of the code."""
        width = features.shape[1]
        mean, log_variance = gaussian(self.latent_dim, width, "posterior")(features)
        noise = keras.Input((sum(self.sizes),), name="noise")
        priors = [
            gaussian(below, above, f"prior_{level}", hidden=_units(below))
            for level, (below, above) in enumerate(zip(self.sizes, self.sizes[1:], strict=False), 1)
        ]
        made = self._levels(width, priors)([features, mean, log_variance, noise])
        return Sampled(mean, made.pop("code"), noise, mean, log_variance, made, self._prior(priors))

    def _levels(self, width: int, priors: list[keras.Model]) -> keras.Model:
        """Return the model of all levels, given the posterior of the code."""
        features = keras.Input((width,), name="features")
        mean, log_variance = (
            keras.Input((self.latent_dim,), name=name) for name in ("mean", "log_variance")
        )
        noise = keras.Input((sum(self.sizes),), name="noise")
        moments = [(mean, log_variance)] + [
            gaussian(size, width, f"posterior_{level}", hidden=_units(self.latent_dim))(features)
            for level, size in enumerate(self.sizes[1:], 2)
        ]
        samples = [
            sampling(size, f"sampling_{level}")([*moment, own])
            for level, (size, moment, own) in enumerate(
                zip(self.sizes, moments, self._parts(noise), strict=True), 1
            )
        ]
        below = [prior(z) for prior, z in zip(priors, samples[1:], strict=True)]
        outputs = {
            "code": samples[0],
            "latents": _joined(samples, "latents"),
            "mean": _joined([m for m, _ in moments], "means"),
            "log_variance": _joined([v for _, v in moments], "log_variances"),
            "prior_mean": _joined([m for m, _ in below], "prior_means"),
            "prior_log_variance": _joined([v for _, v in below], "prior_log_variances"),
        }
        return keras.Model([features, mean, log_variance, noise], outputs, name="levels")

    def _prior(self, priors: list[keras.Model]) -> keras.Model:
        """Return the model from noise to a code drawn from the prior."""
        noise = keras.Input((sum(self.sizes),), name="noise")
        parts = self._parts(noise)
        z = parts[-1]
        for level in range(len(priors) - 1, -1, -1):
            moments = priors[level](z)
            z = sampling(self.sizes[level], f"sampling_{level + 1}")([*moments, parts[level]])
        return keras.Model(noise, z, name="prior")

    def _parts(self, noise: Any) -> list[Any]:
        """Return the noise of each level."""
        ends = [sum(self.sizes[: level + 1]) for level in range(self.levels)]
        return [
            Columns(end - size, end, name=f"noise_{level}", dtype="float32")(noise)
            for level, (size, end) in enumerate(zip(self.sizes, ends, strict=True), 1)
        ]


def _units(size: int) -> int:
    return max(_FEWEST_UNITS, _UNITS_PER_DIMENSION * size)


def _joined(parts: list[Any], name: str) -> Any:
    if len(parts) == 1:
        return parts[0]
    return keras.layers.Concatenate(name=name, dtype="float32")(parts)
