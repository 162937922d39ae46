"""Training of the networks of lossy coders."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.compression import model_training
from isthmus.compression.lossy.arrays import as_stored
from isthmus.compression.lossy.grey_levels import LAYERS, WINDOW, LevelGrid, LevelRefiner, windows
from isthmus.compression.lossy.transform import TransformNetwork, network_sizes
from isthmus.compression.model_training import AdamState, LearningRate
from isthmus.core.randomness import generator_for, key_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from isthmus.compression.lossy.transform import Doubles
    from isthmus.core.types import Floats

    Weights = dict[str, jax.Array]
    Loss = Callable[[Weights, jax.Array], jax.Array]

_BATCH, _RATE = 128, LearningRate(1.5e-3, warm_up=200)
_UNITS = (64, 512)
_PRIOR = ("center", "narrow", "wide", "share")
_FACTORS = {"linear": 0.1, "gain": 3.0, **dict.fromkeys(_PRIOR, 3.0)}
"""The learning rate of some weights relative to the others, by the last part of their name."""
_REFINER_BATCH, _REFINER_RATE = 2048, LearningRate(3e-3, warm_up=200)
_REFINER_UNITS = (64, 64)
_WINDOWS = 2**18
"""The number of pixels on which a refiner is trained, if there are so many."""


def train_network(
    samples: NDArray[Any],
    mean: Doubles,
    ranges: Doubles,
    basis: Floats,
    steps: Floats,
    *,
    seed: int,
    updates: int,
) -> TransformNetwork:
    """Return a network that codes samples at several operating points.

    Training starts from the principal components and minimizes bits + weight x squared error. The
    weight of each operating point is the one for which its step is optimal for a Gaussian.

    Parameters
    ----------
    samples : ndarray, shape (n, cells)
    mean, ranges : ndarray of float64, shape (cells,)
        `mean` is subtracted from the cells, which are then divided by `ranges`.
    basis : ndarray of float32, shape (codes, cells)
        Principal components.
    steps : ndarray of float32, shape (points,)
    seed : int
    updates : int
        The number of weight updates, each with a batch of 128 samples.

    Raises
    ------
    TrainingDiverged
        The weights are not finite.
    """
    data, count, points = jnp.asarray(samples), len(samples), len(steps)
    trade = jnp.asarray(_trade(steps))
    center, scale = jnp.asarray(mean, jnp.float32), jnp.asarray(ranges, jnp.float32)

    def loss(weights: Weights, key: jax.Array) -> jax.Array:
        row_key, point_key, noise_key = jax.random.split(key, 3)
        rows = jax.random.randint(row_key, (_BATCH,), 0, count)
        cells = (data[rows].astype(jnp.float32) - center) / scale
        point = jax.random.randint(point_key, (_BATCH,), 0, points)
        codes = _both(weights, cells, "encoder", point) * jnp.exp(weights["encoder.gain"][point])
        noise = jax.random.uniform(noise_key, codes.shape) - 0.5
        bits = _bits(weights, codes + noise, point).sum(1)
        whole = codes + jax.lax.stop_gradient(jnp.round(codes) - codes)
        values = whole * jnp.exp(weights["decoder.gain"][point])
        rebuilt = _both(weights, values, "decoder", point) + weights["decoder.bias2"]
        error = ((rebuilt - cells) ** 2).sum(1)
        # The square root balances the gradients of coarse and fine points on shared weights.
        return ((bits + trade[point] * error) / jnp.sqrt(trade[point])).mean() / cells.shape[1]

    weights = _initial(samples, mean, ranges, basis, steps, seed)
    trained = _trained(loss, weights, updates, _RATE, key_for(seed, "network"))
    for side in ("encoder.gain", "decoder.gain"):
        trained[side] = np.exp(trained[side])
    sizes = network_sizes(samples.shape[1], len(basis), trained["encoder.1"].shape, points)
    return TransformNetwork(as_stored({name: trained[name] for name in sizes}))


def _trade(steps: Floats) -> Floats:
    """Return the weight of the squared error, in bits, for which each step is optimal.

    A fine step s costs -log2(s) bits and has the squared error s**2 / 12. The weighted sum is
    minimal at s for the weight 6 / (ln(2) s**2).
    """
    return (6 / math.log(2) / steps**2).astype(np.float32)


def _initial(
    samples: NDArray[Any], mean: Doubles, ranges: Doubles, basis: Floats, steps: Floats, seed: int
) -> Weights:
    generator = generator_for(seed, "network")
    cells, codes, points = samples.shape[1], len(basis), len(steps)
    outer = min(max(_UNITS[0], cells), _UNITS[1])
    weights: dict[str, Any] = {
        name: np.zeros(shape)
        for name, shape in network_sizes(cells, codes, (outer, outer // 2), points).items()
    }
    for side in ("encoder", "decoder"):
        for i, gain in enumerate((1.0, 1.0, 0.1)):
            shape = weights[f"{side}.{i}"].shape
            weights[f"{side}.{i}"] = generator.normal(0, gain / math.sqrt(shape[0]), shape)
    weights["encoder.linear"], weights["decoder.linear"] = basis.T, basis
    weights["encoder.gain"] -= np.log(steps)[:, None]
    weights["decoder.gain"] += np.log(steps)[:, None]
    spread = (((samples[:4096] - mean) / ranges) @ basis.T).std(0)
    scale = np.log(0.55 * np.maximum(spread / steps[:, None], 0.05))
    weights |= {"center": np.zeros((points, codes)), "share": np.zeros((points, codes))}
    weights |= {"narrow": scale - 0.7, "wide": scale + 0.5}
    return {name: jnp.asarray(value, jnp.float32) for name, value in weights.items()}


def _both(weights: Weights, values: jax.Array, side: str, point: jax.Array) -> jax.Array:
    hidden = values
    for i in range(2):
        sums = hidden @ weights[f"{side}.{i}"] + weights[f"{side}.bias{i}"][point]
        hidden = jax.nn.gelu(sums)
    return values @ weights[f"{side}.linear"] + hidden @ weights[f"{side}.2"]


def _bits(weights: Weights, codes: jax.Array, point: jax.Array) -> jax.Array:
    """Return the bits of codes under a mixture of two logistic distributions with one center."""
    center, narrow, wide, share = (weights[name][point] for name in _PRIOR)
    distance = jnp.abs(codes - center)

    def mass(scale: jax.Array) -> jax.Array:
        inverse = jnp.exp(-scale)
        upper = jax.nn.sigmoid((0.5 - distance) * inverse)
        return upper - jax.nn.sigmoid((-0.5 - distance) * inverse)

    part = jax.nn.sigmoid(share)
    return -jnp.log2(jnp.maximum(part * mass(narrow) + (1 - part) * mass(wide), 1e-7))


def train_refiner(
    grid: LevelGrid, images: NDArray[np.uint8], *, seed: int, updates: int
) -> LevelRefiner:
    """Return a refiner with the least squared error of images (n, *shape) given their levels.

    Raises
    ------
    TrainingDiverged
        The weights are not finite.
    """
    generator = generator_for(seed, f"windows {grid.levels} {grid.factor}")
    order = generator.permutation(len(images))
    together = max(1, _WINDOWS // math.prod(grid.shape))
    around, parts, count = [], [], 0
    sums, seen = np.zeros((256, grid.outputs)), np.zeros(256)
    for first in range(0, len(images), together):
        chosen = images[order[first : first + together]]
        values = grid.quantise(chosen)
        near, target = windows(values), grid.split(chosen)
        same = near.min((3, 4, 5)) == near.max((3, 4, 5))
        np.add.at(sums, values[same][:, 0], target[same])
        seen += np.bincount(values[same][:, 0], minlength=256)
        places = np.argwhere(~same)
        if len(places) > _WINDOWS:
            places = places[generator.choice(len(places), _WINDOWS, replace=False)]
        around.append(near[tuple(places.T)].reshape(-1, values.shape[3] * WINDOW))
        parts.append(target[tuple(places.T)])
        count += len(parts[-1])
        if count >= _WINDOWS:
            break
    own = np.arange(256.0)[:, None]
    flat = ((sums + own) / (seen[:, None] + 1)).astype(np.float32)
    weights = _refiner_weights(grid, generator)
    if count:
        data = jnp.asarray(np.concatenate(around)), jnp.asarray(np.concatenate(parts))

        def loss(weights: Weights, key: jax.Array) -> jax.Array:
            rows = jax.random.randint(key, (_REFINER_BATCH,), 0, count)
            inputs = data[0][rows].astype(jnp.float32) / 255
            middle = jnp.tile(inputs[:, WINDOW // 2 :: WINDOW], grid.factor**2)
            hidden = inputs
            for i in range(LAYERS):
                hidden = hidden @ weights[f"kernel{i}"] + weights[f"bias{i}"]
                hidden = jax.nn.relu(hidden) if i < LAYERS - 1 else hidden
            return ((hidden + middle - data[1][rows] / 255) ** 2).mean()

        key = key_for(seed, f"refiner {grid.levels} {grid.factor}")
        weights = _trained(loss, weights, updates, _REFINER_RATE, key)
    return LevelRefiner(
        as_stored({name: np.asarray(value) for name, value in weights.items()}), flat
    )


def _refiner_weights(grid: LevelGrid, generator: np.random.Generator) -> Weights:
    sizes = (WINDOW * grid.shape[2], *_REFINER_UNITS, grid.outputs)
    weights = {}
    for i, gain in enumerate((1.4, 1.4, 0.1)):
        kernel = generator.normal(0, gain / math.sqrt(sizes[i]), sizes[i : i + 2])
        weights[f"kernel{i}"] = jnp.asarray(kernel, jnp.float32)
        weights[f"bias{i}"] = jnp.zeros(sizes[i + 1])
    return weights


def _trained(loss: Loss, weights: Weights, updates: int, rate: LearningRate, key: jax.Array) -> Any:
    factors = {name: _FACTORS.get(name.rpartition(".")[2], 1.0) for name in weights}

    def step(i: Any, state: AdamState) -> AdamState:
        gradient = jax.grad(loss)(state.weights, jax.random.fold_in(key, i))
        return model_training.adam(state, gradient, rate.at(i, updates), i, factors)

    run = jax.jit(lambda state: jax.lax.fori_loop(0, updates, step, state))
    return model_training.learned(run(model_training.fresh(weights)).weights, "a lossy model")
