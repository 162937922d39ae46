"""Random changes of pictures: pure functions of a key, which move missing pixels along.

Each function here returns a `isthmus.core.types.SampleChange`. Pictures have shape (n, height,
width) or (n, height, width, channels). Geometric changes treat all channels alike, and need no new
pixels at the edges: what is beyond an edge is the reflection of what is inside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from isthmus.core.types import Floats, SampleChange

Array = jax.Array

HEIGHT, WIDTH = 1, 2
"""The axes of a batch of pictures."""


@dataclass(frozen=True)
class Canvas:
    """What a change must know about the pictures.

    Parameters
    ----------
    shape : tuple of int
        Of one picture: (height, width) or (height, width, channels).
    low, high : float32 arrays of shape (1,) or (channels,)
        The range of the values in scaled units.
    """

    shape: tuple[int, ...]
    low: Floats
    high: Floats


def flip(_amount: float, _canvas: Canvas) -> SampleChange:
    """Return a change that swaps left and right in half of the pictures."""
    return lambda key, pictures: _flipped(pictures, WIDTH, _coins(key, pictures))


def flip_vertical(_amount: float, _canvas: Canvas) -> SampleChange:
    """Return a change that swaps top and bottom in half of the pictures."""
    return lambda key, pictures: _flipped(pictures, HEIGHT, _coins(key, pictures))


def quarter_turns(_amount: float, canvas: Canvas) -> SampleChange:
    """Return a change that turns each picture by 0, 90, 180 or 270 degrees, with equal probability.

    Raises
    ------
    InvalidParameter
        Pictures are not square.
    """
    height, width = canvas.shape[:2]
    if height != width:
        raise InvalidParameter(
            "augmentation 'quarter_turns'",
            expected="square pictures",
            received=f"pictures of {height} x {width} pixels",
            remedy="use 'rotation', or 'flip+flip_vertical'",
        )

    def change(key: Array, pictures: Array) -> Array:
        turns = jax.random.randint(key, (len(pictures),), 0, 4)
        swapped = jnp.swapaxes(pictures, HEIGHT, WIDTH)
        turned = jnp.where(_by_picture(turns % 2 == 1, pictures), swapped, pictures)
        turned = _flipped(turned, HEIGHT, (turns == 1) | (turns == 2))
        return _flipped(turned, WIDTH, turns >= 2)

    return change


def rotation(degrees: float, _canvas: Canvas) -> SampleChange:
    """Return a change that turns each picture by at most `degrees`, with bilinear interpolation.

    A pixel is missing if one of those that it is interpolated from is.
    """

    def change(key: Array, pictures: Array) -> Array:
        n, height, width = pictures.shape[:3]
        largest = math.radians(degrees)
        angle = jax.random.uniform(key, (n, 1, 1), jnp.float32, -largest, largest)
        up, across = jnp.arange(height)[:, None] - (height - 1) / 2, jnp.arange(width)
        across = across - (width - 1) / 2
        y = jnp.cos(angle) * up - jnp.sin(angle) * across + (height - 1) / 2
        x = jnp.sin(angle) * up + jnp.cos(angle) * across + (width - 1) / 2
        return _interpolated(pictures, y, x)

    return change


def crop(reach: float, _canvas: Canvas) -> SampleChange:
    """Return a change that moves each picture by at most a fraction `reach` of its sides.

    It is a crop of a picture that was extended by reflection (He et al., 2016, section 4.2, who
    extended it by zeros).
    """

    def change(key: Array, pictures: Array) -> Array:
        for axis in (HEIGHT, WIDTH):
            side = pictures.shape[axis]
            most = round(reach * side)
            shape = (len(pictures), 1)
            steps = jax.random.randint(jax.random.fold_in(key, axis), shape, -most, most + 1)
            pictures = _picked(pictures, axis, _reflected(jnp.arange(side) + steps, side))
        return pictures

    return change


def contrast(amount: float, canvas: Canvas) -> SampleChange:
    """Return a change that multiplies distances from the middle of the range.

    The factor is uniform from ``1 - amount`` to ``1 + amount``, one for each picture.
    """
    middle = jnp.asarray((canvas.low + canvas.high) / 2)

    def change(key: Array, pictures: Array) -> Array:
        factor = _drawn(key, pictures, 1 - amount, 1 + amount)
        return _within(canvas, middle + factor * (pictures - middle), pictures)

    return change


def brightness(amount: float, canvas: Canvas) -> SampleChange:
    """Return a change that adds at most a fraction `amount` of the range to a picture or takes it.

    All channels change by the same fraction of their range.
    """
    span = jnp.asarray(canvas.high - canvas.low)

    def change(key: Array, pictures: Array) -> Array:
        step = _drawn(key, pictures, -amount, amount)
        return _within(canvas, pictures + step * span, pictures)

    return change


def _coins(key: Array, pictures: Array) -> Array:
    return jax.random.bernoulli(key, shape=(len(pictures),))


def _drawn(key: Array, pictures: Array, low: float, high: float) -> Array:
    """Return a uniform number for each picture, in the shape of `pictures` with sides of 1."""
    drawn = jax.random.uniform(key, (len(pictures),), pictures.dtype, low, high)
    return _by_picture(drawn, pictures)


def _by_picture(values: Array, pictures: Array) -> Array:
    return values.reshape(-1, *(1,) * (pictures.ndim - 1))


def _flipped(pictures: Array, axis: int, chosen: Array) -> Array:
    """Return pictures, of which those that are chosen, (n,), are reversed along an axis."""
    return jnp.where(_by_picture(chosen, pictures), jnp.flip(pictures, axis), pictures)


def _within(canvas: Canvas, changed: Array, before: Array) -> Array:
    """Return changed values within the range; those outside before do not go further away."""
    low, high = jnp.asarray(canvas.low), jnp.asarray(canvas.high)
    return jnp.clip(changed, jnp.minimum(low, before), jnp.maximum(high, before))


def _picked(pictures: Array, axis: int, places: Array) -> Array:
    """Return pictures of which each has the lines at its `places`, (n, side), along an axis."""

    def pick(picture: Array, at: Array) -> Array:
        return jnp.take(picture, at, axis=axis - 1)

    return jax.vmap(pick)(pictures, places)


def _reflected(places: Array, side: int) -> Array:
    """Return places on a line of `side` pixels, of which those outside by up to `side` - 1."""
    last = side - 1
    return last - jnp.abs(last - jnp.abs(places))


def _interpolated(pictures: Array, y: Array, x: Array) -> Array:
    """Return the values of pictures at places `y`, `x`, (n, height, width), in pixels."""
    n, height, width = pictures.shape[:3]
    flat = pictures.reshape(n, height * width, -1)
    top, left = jnp.floor(y), jnp.floor(x)
    total = jnp.zeros_like(flat)
    for below, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = jnp.abs(1 - below - (y - top)) * jnp.abs(1 - right - (x - left))
        row = _wrapped(top.astype(jnp.int32) + below, height)
        place = row * width + _wrapped(left.astype(jnp.int32) + right, width)
        values = jnp.take_along_axis(flat, place.reshape(n, -1, 1), axis=1)
        weight = weight.reshape(n, -1, 1)
        total = total + jnp.where(weight > 0, weight * values, 0.0)
    return total.reshape(pictures.shape)


def _wrapped(places: Array, side: int) -> Array:
    """Return places reflected as often as needed: a corner of a long picture may be far away."""
    if side == 1:
        return jnp.zeros_like(places)
    return _reflected(places % (2 * side - 2), side)
