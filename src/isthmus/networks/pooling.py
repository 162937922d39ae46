"""Pooling and upsampling as reshapes, whose gradients are cheap on a CPU.

XLA's gradient of pooling searches every window again (select-and-scatter), and its gradient of a
repeat is a scatter-add; on a CPU both run on one core.

Images are (n, height, width, channels).
"""

from __future__ import annotations

from functools import partial, reduce

import jax
import jax.numpy as jnp

Array = jax.Array
Pair = tuple[int, int]


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool(images: Array, size: Pair) -> Array:
    """Return the largest value of each window; sides must be multiples of `size`.

    The gradient goes to the first of equal values, as in XLA.
    """
    return reduce(jnp.maximum, _corners(images, size))


def _max_pool_forward(images: Array, size: Pair) -> tuple[Array, Array]:
    best, place = (corners := _corners(images, size))[0], None
    for number, corner in enumerate(corners[1:], start=1):
        before = jnp.zeros(best.shape, jnp.int32) if place is None else place
        place = jnp.where(corner > best, number, before)
        best = jnp.maximum(best, corner)
    return best, jnp.zeros(best.shape, jnp.int32) if place is None else place


def _max_pool_backward(size: Pair, place: Array, change: Array) -> tuple[Array]:
    n, height, width, channels = change.shape
    number = jnp.arange(size[0] * size[1], dtype=jnp.int32).reshape(1, 1, size[0], 1, size[1], 1)
    chosen = place[:, :, None, :, None] == number
    spread = jnp.where(chosen, change[:, :, None, :, None], jnp.zeros((), change.dtype))
    return (spread.reshape(n, height * size[0], width * size[1], channels),)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def average_pool(images: Array, size: Pair) -> Array:
    """Return the mean of each window; sides must be multiples of `size`."""
    return _windows(images, size).mean(axis=(2, 4))


def upsample(images: Array, factors: Pair) -> Array:
    """Repeat every cell `factors` times along height and width."""
    n, height, width, channels = images.shape
    rows, columns = factors
    wide = jnp.broadcast_to(
        images[:, :, None, :, None], (n, height, rows, width, columns, channels)
    )
    return wide.reshape(n, height * rows, width * columns, channels)


def _windows(images: Array, size: Pair) -> Array:
    n, height, width, channels = images.shape
    return images.reshape(n, height // size[0], size[0], width // size[1], size[1], channels)


def _corners(images: Array, size: Pair) -> list[Array]:
    windows = _windows(images, size)
    return [windows[:, :, i, :, j] for i in range(size[0]) for j in range(size[1])]
