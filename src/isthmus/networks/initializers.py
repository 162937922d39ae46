"""Initial weights, drawn with NumPy.

Keras would compile a program for each shape, which takes longer than training on a small table.
The distributions are those of the layers' initializers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import jax
import keras
import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.core.randomness import generator_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.core.types import Floats

T = TypeVar("T")

MOST_PARAMETERS = 2**31
"""8 GiB of weights, and twice that for Adam; more is likely a mistake."""
_CONSTANTS = {
    "bias": 0.0,
    "beta": 0.0,
    "gamma": 1.0,
    "moving_mean": 0.0,
    "moving_variance": 1.0,
}


def without_values(build: Callable[[], T]) -> T:
    """Build Keras models whose variables have shapes but no values until they are assigned."""
    built: list[T] = []
    jax.eval_shape(lambda: built.append(build()))
    return built[0]


def draw(model: keras.Model, seed: int) -> None:
    """Assign every weight of a model its initial value, which `seed` determines.

    Kernels are uniform as in Glorot and Bengio, 2010, equation 16; recurrent kernels are
    orthogonal (Saxe et al., 2014); biases are 0, but 1 for the forget gate of an LSTM (Gers et
    al., 2000); normalisations are the identity.

    Raises
    ------
    InvalidParameter
        The model has too many parameters.
    """
    if model.count_params() > MOST_PARAMETERS:
        raise InvalidParameter(
            "the network",
            expected=f"at most {MOST_PARAMETERS:,} parameters",
            received=f"{model.count_params():,}",
            remedy="use a smaller latent_dim, or fewer units in hidden",
        )
    zero = {
        id(layer.kernel)
        for layer in model._flatten_layers()
        if isinstance(getattr(layer, "kernel_initializer", None), keras.initializers.Zeros)
    }
    for position, variable in enumerate(model.variables):
        shape = tuple(variable.shape)
        if variable.name == "seed_generator_state":
            continue  # of a random layer, not a weight
        rng = generator_for(seed, f"weights/{position}")
        if id(variable) in zero:
            variable.assign(np.zeros(shape, np.float32))
        elif variable.name == "kernel":
            variable.assign(_glorot(shape, rng))
        elif variable.name == "recurrent_kernel":
            variable.assign(_orthogonal(shape, rng))
        elif variable.path.endswith("lstm_cell/bias"):
            variable.assign(_forgetting(shape[0]))
        else:
            variable.assign(np.full(shape, _CONSTANTS[variable.name], dtype=np.float32))


def _glorot(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    window = math.prod(shape[:-2])  # cells in the receptive field of a convolution
    limit = math.sqrt(6.0 / (window * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def _orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return a matrix (units, gates * units) whose rows are orthonormal."""
    columns, upper = np.linalg.qr(rng.normal(size=shape[::-1]))
    return (columns * np.sign(np.diag(upper))).T.astype(np.float32)


def _forgetting(size: int) -> Floats:
    """Return the biases of an LSTM's gates; the second quarter belongs to the forget gate."""
    bias = np.zeros(size, np.float32)
    bias[size // 4 : size // 2] = 1.0
    return bias
