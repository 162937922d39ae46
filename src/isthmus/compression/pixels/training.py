"""Training of the integer networks of `PixelModel`: in floats first, then quantization-aware.

In the second phase, the forward pass rounds weights and activations as the integer network does,
and gradients pass the rounding unchanged. This is the straight-through estimator (Bengio, Léonard
and Courville, 2013, "Estimating or propagating gradients through stochastic neurons").
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.compression import model_training
from isthmus.compression.entropy.integer_networks import (
    ACTIVATION_LIMIT,
    STEPS_PER_BIT,
    WEIGHT_LIMIT,
    IntegerDense,
)
from isthmus.compression.model_training import AdamState, LearningRate
from isthmus.compression.pixels.network import LAYERS, PLACE_INPUT, PLACES, PixelNetwork, places
from isthmus.core.randomness import generator_for, key_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.pixels.alphabet import Alphabet
    from isthmus.compression.pixels.neighbourhood import Neighbourhood

    Weights = dict[str, jax.Array]
    Images = NDArray[np.uint8]

_UNITS = (64, 64)
_BATCH = 4096
_RATE = LearningRate(4e-3, warm_up=100)
_ROUNDED_FROM = 0.6
"""The fraction of the steps after which weights and activations are rounded."""
_FEWEST_STEPS, _MOST_STEPS = 1500, 20_000
_EPOCHS = 2
_MOST_CELLS = 2**30
"""The most values to train on. From larger data, random images are selected."""
_INPUT_BITS, _ACTIVATION_BITS = 8, 6
"""Binary places: the input 255 represents just below 1, the activation 255 just below 4."""
_PLACES_OF = {"w0": 5, "rows": 5, "columns": 5, "w1": 6, "w2": 6}
"""Binary places of the weights, which are clipped to fit 8 bits."""
_LOGIT_SCALE = 4
"""Logits, in bits, are the last sums times this factor, which makes them learn faster."""
_LARGEST_BIAS = 2**22


def train(
    images: Images,
    neighbours: Neighbourhood,
    alphabet: Alphabet,
    counts: NDArray[np.int64],
    seed: int,
    epochs: float | None,
) -> tuple[PixelNetwork, ...]:
    """Return a network for each channel.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, channels)
    neighbours, alphabet : Neighbourhood, Alphabet
        The inputs and the classes of the networks.
    counts : ndarray of int64, shape (256,)
        How often each symbol occurs.
    seed : int
    epochs : float, optional
        The mean number of times that each pixel is seen.

    Raises
    ------
    TrainingDiverged
        The weights are not finite.
    """
    most = max(1, _MOST_CELLS // math.prod(neighbours.canvas_shape))
    if len(images) > most:
        chosen = generator_for(seed, "images").choice(len(images), most, replace=False)
        images = images[np.sort(chosen)]
    canvas = np.zeros((len(images), *neighbours.canvas_shape), np.uint8)
    neighbours.inside(canvas.transpose(1, 2, 3, 0))[...] = images.transpose(1, 2, 3, 0)
    flat = jnp.asarray(canvas.ravel())
    masses = np.add.reduceat(counts, alphabet.bounds[:-1])
    return tuple(
        _train_channel(
            _initial(neighbours, k, masses, generator_for(seed, f"weights {k}")),
            _Pixels(flat, jnp.asarray(alphabet.class_of), key_for(seed, f"order {k}")),
            _Place(neighbours, k),
            _steps(images[..., k].size, epochs),
        )
        for k in range(neighbours.channels)
    )


class _Pixels(NamedTuple):
    """Training data: a flat canvas, the classes of values, and a key for the order."""

    canvas: jax.Array
    class_of: jax.Array
    key: jax.Array


class _Place(NamedTuple):
    """The static arguments of compiled steps."""

    neighbours: Neighbourhood
    channel: int


def _steps(pixels: int, epochs: float | None) -> int:
    if epochs is not None:
        return max(1, math.ceil(epochs * pixels / _BATCH))
    return min(max(_EPOCHS * pixels // _BATCH, _FEWEST_STEPS), _MOST_STEPS)


def _initial(
    neighbours: Neighbourhood,
    channel: int,
    counts: NDArray[np.int64],
    generator: np.random.Generator,
) -> Weights:
    sizes = (neighbours.inputs(channel), *_UNITS, len(counts))
    weights: dict[str, Any] = {}
    for i, (inputs, units) in enumerate(itertools.pairwise(sizes)):
        scale = 0.05 if i == LAYERS - 1 else 1.4 / math.sqrt(inputs)
        weights[f"w{i}"] = generator.normal(0, scale, (inputs, units))
        weights[f"b{i}"] = np.full(units, 0.3)
    odds = (counts + 0.5) / (counts + 0.5).sum()
    weights["b2"] = np.log2(odds) / _LOGIT_SCALE
    weights["rows"] = np.zeros((min(neighbours.height, PLACES), _UNITS[0]))
    weights["columns"] = np.zeros((min(neighbours.width, PLACES), _UNITS[0]))
    return {name: jnp.asarray(value, jnp.float32) for name, value in weights.items()}


def _train_channel(weights: Weights, pixels: _Pixels, place: _Place, steps: int) -> PixelNetwork:
    """Run the steps, first in floats, then with rounded weights and activations."""
    state = model_training.fresh(weights)
    first = int(steps * _ROUNDED_FROM)
    state = _run(state, pixels, place, 0, first, steps, 0.0)
    state = _run(state, pixels, place, first, steps, steps, 1.0)
    return _integers(state.weights)


@functools.partial(jax.jit, static_argnames="place")
def _run(
    state: AdamState,
    pixels: _Pixels,
    place: _Place,
    first: Any,
    last: Any,
    steps: Any,
    rounding: Any,
) -> AdamState:
    """Run steps `first` to `last` of `steps`; `rounding` is 1 to round and 0 not to."""

    def step(i: Any, state: AdamState) -> AdamState:
        key = jax.random.fold_in(pixels.key, i)
        gradient = jax.grad(_bits)(state.weights, pixels, key, place, rounding)
        state = model_training.adam(state, gradient, _RATE.at(i, steps), i, {})
        return state._replace(weights=state.weights | _small(state.weights))

    done: AdamState = jax.lax.fori_loop(first, last, step, state)
    return done


def _bits(
    weights: Weights, pixels: _Pixels, key: jax.Array, place: _Place, rounding: Any
) -> jax.Array:
    """Return the mean number of bits of the classes in a random batch of pixels."""
    shape, channel = place
    image_key, pixel_key = jax.random.split(key)
    size = math.prod(shape.canvas_shape)
    image = jax.random.randint(image_key, (_BATCH,), 0, pixels.canvas.size // size)
    pixel = jax.random.randint(pixel_key, (_BATCH,), 0, shape.height * shape.width)
    row, column = pixel // shape.width, pixel % shape.width
    cell = image * size + shape.cells(row, column) + channel
    near = pixels.canvas[cell[:, None] + shape.shifts(channel)].astype(jnp.float32)
    inputs, offsets = shape.frame(near.T, channel, jnp)
    rows, columns = places(row, shape.height), places(column, shape.width)
    logits = _logits(weights, inputs.T, rows, columns, rounding)
    classes = pixels.class_of[pixels.canvas[cell] + offsets.astype(jnp.int32) & 255]
    chosen = jnp.take_along_axis(logits, classes[:, None], 1)[:, 0]
    return (jax.nn.logsumexp(logits, 1) - chosen).mean() / math.log(2)


def _small(weights: Weights) -> Weights:
    """Return the weights that have to fit 8 bits, clipped to their limits."""
    limits = {name: WEIGHT_LIMIT * 2.0**-places_ for name, places_ in _PLACES_OF.items()}
    return {name: jnp.clip(weights[name], -limit, limit) for name, limit in limits.items()}


def _logits(
    weights: Weights, inputs: jax.Array, rows: jax.Array, columns: jax.Array, rounding: Any
) -> jax.Array:
    """Return natural logits, (batch, classes)."""
    kernels = [_rounded(weights, f"w{i}", rounding) for i in range(LAYERS)]
    row, column = (_rounded(weights, name, rounding) for name in ("rows", "columns"))
    place = (row[rows] + column[columns]) * (PLACE_INPUT / 2**_INPUT_BITS)
    values = _active(inputs / 2**_INPUT_BITS @ kernels[0] + weights["b0"] + place, rounding)
    values = _active(values @ kernels[1] + weights["b1"], rounding)
    sums = (values @ kernels[2] + weights["b2"]) * _LOGIT_SCALE
    return _to_grid(sums, 1 / STEPS_PER_BIT, rounding) * math.log(2)


def _active(sums: jax.Array, rounding: Any) -> jax.Array:
    step = 2.0**-_ACTIVATION_BITS
    return _to_grid(jnp.clip(sums, 0, ACTIVATION_LIMIT * step), step, rounding)


def _rounded(weights: Weights, name: str, rounding: Any) -> jax.Array:
    return _to_grid(weights[name], 2.0 ** -_PLACES_OF[name], rounding)


def _to_grid(values: jax.Array, step: Any, rounding: Any) -> jax.Array:
    error = jnp.round(values / step) * step - values
    near: jax.Array = values + jax.lax.stop_gradient(rounding * error)
    return near


def _integers(weights: Weights) -> PixelNetwork:
    """Return the integer network of the rounded weights."""
    trained = model_training.learned(weights, "a model of pixels")
    exact = {name: array.astype(np.float64) for name, array in trained.items()}
    small = {
        name: np.round(exact[name] * 2.0**places_).astype(np.int8)
        for name, places_ in _PLACES_OF.items()
    }
    logit_bits = int(math.log2(STEPS_PER_BIT * _LOGIT_SCALE))
    layers = []
    for i in range(LAYERS):
        places_ = _PLACES_OF[f"w{i}"] + (_ACTIVATION_BITS if i else _INPUT_BITS)
        shift = places_ - (logit_bits if i == LAYERS - 1 else _ACTIVATION_BITS)
        bias = np.clip(np.round(exact[f"b{i}"] * 2.0**places_), -_LARGEST_BIAS, _LARGEST_BIAS)
        bias += 2 ** (shift - 1)  # sums are rounded down: this rounds them to the nearest
        kernel = np.ascontiguousarray(small[f"w{i}"].T)
        layers.append(IntegerDense(kernel, bias.astype(np.int32), shift))
    return PixelNetwork(tuple(layers), small["rows"], small["columns"])
