"""Adam for the networks of the learned coders.

The coders do not use `isthmus.training.optimizer_step`, which updates Keras variables with Keras
optimizers, other moments and other schedules. With it, the same seed would give models with other
bits, so files compressed again would differ, and fitting a codec would have to load Keras. Here
weights are plain dictionaries of JAX arrays. Only ``fit`` imports this module; decoding needs no
JAX.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.errors import TrainingDiverged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Weights = dict[str, jax.Array]


class AdamState(NamedTuple):
    """Weights and the two moments of their gradients."""

    weights: Weights
    mean: Weights
    square: Weights


class LearningRate(NamedTuple):
    """A learning rate that rises to its peak and then falls as half a cosine."""

    peak: float
    warm_up: int
    """The number of steps until the peak."""

    def at(self, step: Any, steps: Any) -> Any:
        """Return the learning rate of a step, counted from 0."""
        rising = self.peak * jnp.minimum(1, (step + 1) / self.warm_up)
        return rising * (0.5 * (1 + jnp.cos(math.pi * step / steps)) + 0.002)


def fresh(weights: Weights) -> AdamState:
    """Return the state before the first step."""
    zeros = jax.tree.map(jnp.zeros_like, weights)
    return AdamState(weights, zeros, zeros)


def adam(
    state: AdamState, gradient: Weights, rate: Any, step: Any, factors: Mapping[str, float]
) -> AdamState:
    """Return the state after a step.

    Kingma and Ba, 2015, "Adam: a method for stochastic optimization", algorithm 1.

    Parameters
    ----------
    state : AdamState
    gradient : dict of str to array
    rate : float
    step : int
        Counted from 0.
    factors : mapping of str to float
        The learning rate of some weights, relative to the others.
    """
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state.mean, gradient)
    square = jax.tree.map(lambda s, g: 0.99 * s + 0.01 * g * g, state.square, gradient)
    rate = rate * jnp.sqrt(1 - 0.99 ** (step + 1)) / (1 - 0.9 ** (step + 1))
    weights = {
        name: weight - rate * factors.get(name, 1.0) * mean[name] / (jnp.sqrt(square[name]) + 1e-8)
        for name, weight in state.weights.items()
    }
    return AdamState(weights, mean, square)


def learned(weights: Weights, what: str) -> dict[str, NDArray[Any]]:
    """Return trained weights as NumPy arrays; raises TrainingDiverged if some are not finite."""
    arrays = {name: np.asarray(value) for name, value in weights.items()}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise TrainingDiverged(
            f"training {what}",
            expected="finite weights",
            received="NaN or infinite weights",
            remedy="pass another seed",
        )
    return arrays
