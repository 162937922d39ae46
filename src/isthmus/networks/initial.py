"""Initial weights, drawn with NumPy.

Keras would compile a program for each shape that it draws, which takes longer than training on a
small table. The distributions are those that the layers name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import jax
import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.core.randomness import generator_for

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

    from isthmus.core.types import Floats

T = TypeVar("T")

MOST_PARAMETERS = 2**31
"""8 GiB of weights, and as much again twice for Adam; more is a slip of the pen."""
_CONSTANTS = {
    "bias": 0.0,
    "beta": 0.0,
    "gamma": 1.0,
    "moving_mean": 0.0,
    "moving_variance": 1.0,
}


def without_values(build: Callable[[], T]) -> T:
    """Build Keras models whose variables have shapes, but no values until they are assigned."""
    found: list[T] = []
    jax.eval_shape(lambda: found.append(build()))
    return found[0]


def draw(model: keras.Model, seed: int) -> None:
    """Assign every variable of a model its initial value; the same seed gives the same ones.

    Kernels are uniform as in Glorot and Bengio, 2010, equation 16; biases 0; normalisations are
    the identity.

    Raises
    ------
    InvalidParameter
        The model is too large for any memory.
    """
    if model.count_params() > MOST_PARAMETERS:
        raise InvalidParameter(
            "the network",
            expected=f"at most {MOST_PARAMETERS:,} parameters",
            received=f"{model.count_params():,}",
            remedy="a smaller latent_dim, or fewer units in hidden",
        )
    for position, variable in enumerate(model.variables):
        shape = tuple(variable.shape)
        if variable.name == "kernel":
            variable.assign(_glorot(shape, generator_for(seed, f"weights/{position}")))
        else:
            variable.assign(np.full(shape, _CONSTANTS[variable.name], dtype=np.float32))


def _glorot(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    window = math.prod(shape[:-2])  # of a convolution: each unit sees so many neighbours
    limit = math.sqrt(6.0 / (window * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, shape).astype(np.float32)
