"""Hides pixels from a network that predicts them: learning to denoise from noisy samples alone.

If the noise of a pixel is independent of that of its neighbours, a network that predicts the pixel
from its surroundings learns the mean of what it may be, which is free of noise (Krull et al., 2019,
"Noise2Void", section 3.3; Batson and Royer, 2019, "Noise2Self", proposition 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.core.types import Corrupted

if TYPE_CHECKING:
    from isthmus.core.types import Corruption
    from isthmus.data.schema import Schema

Array = jax.Array

_BOX = 3
"""Side of the boxes of a picture in each of which a pixel is hidden."""
_BOX_OF_SERIES = 16
_REACH = 2
"""Largest distance of a neighbour along height or width."""


def hidden_pixels(schema: Schema, *, series: bool = False) -> Corruption:
    """Return a corruption that hides one random pixel in each box of a picture, with all channels.

    A hidden pixel gets the value of a random neighbour in a window of 5 x 5 pixels, and only hidden
    pixels count in the loss. The boxes keep them apart, as in the stratified sampling of
    Noise2Void, section 3.4. In a series, time steps are hidden in the same way.

    Parameters
    ----------
    schema : Schema
        The schema of pictures or series.
    series : bool
        Whether samples are series (time, channels), not pictures (height, width).

    Raises
    ------
    InvalidParameter
        Samples have no neighbouring pixels: they are rows of a table, or too small.
    """
    shape = schema.sample_shape
    _check(schema, series=series)
    height, width, channels = (shape[0], 1, shape[1]) if series else (*shape, 1)[:3]
    box = (_BOX_OF_SERIES, 1) if series else (_BOX, _BOX)
    offsets = _offsets(_REACH, 0 if series else _REACH)
    rows, columns = jnp.arange(height)[:, None], jnp.arange(width)
    boxes = (-(-height // box[0]), -(-width // box[1]))
    place = rows % box[0] * box[1] + columns % box[1]

    def corrupt(key: Array, inputs: Array) -> Corrupted:
        n = len(inputs)
        where, which = jax.random.split(key)
        drawn = jax.random.randint(where, (n, *boxes), 0, box[0] * box[1])
        hidden = drawn[:, rows // box[0], columns // box[1]] == place
        step = jnp.asarray(offsets)[jax.random.randint(which, hidden.shape, 0, len(offsets))]
        source = _moved(rows, step[..., 0], height) * width
        source = source + _moved(columns, step[..., 1], width)
        pixels = inputs.reshape(n, height * width, channels)
        moved = jnp.take_along_axis(pixels, source.reshape(n, -1, 1), axis=1)
        hidden = jnp.broadcast_to(hidden.reshape(n, -1, 1), pixels.shape)
        hidden_inputs = jnp.where(hidden, moved, pixels).reshape(inputs.shape)
        return Corrupted(hidden_inputs, hidden.reshape(inputs.shape).astype(inputs.dtype))

    return corrupt


def _offsets(high: int, wide: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """Return the steps to the neighbours of a pixel, (neighbours, 2)."""
    steps = [(y, x) for y in range(-high, high + 1) for x in range(-wide, wide + 1) if y or x]
    return np.array(steps, np.int32)


def _moved(index: Array, step: Array, size: int) -> Array:
    """Return ``index + step``, or ``index - step`` if that is outside, which is never `index`."""
    ahead = index + step
    return jnp.where((ahead < 0) | (ahead >= size), index - step, ahead)


def _check(schema: Schema, *, series: bool) -> None:
    shape = schema.sample_shape
    sides = shape[:1] if series else shape[:2]
    if 1 < len(shape) < 4 and min(sides) >= 2 * _REACH:
        return
    received = f"samples of shape {shape}"
    remedy = "use noise='gaussian' or 'masking'"
    if len(shape) == 1:
        received = f"rows of {shape[0]} numbers, which have no neighbours"
        remedy = "reshape flat pictures to (n, height, width), or " + remedy
    raise InvalidParameter(
        "noise='blind_spot'",
        expected="pictures, (n, height, width) or (n, height, width, channels), of at least "
        f"{2 * _REACH} pixels a side, or series with an architecture for series",
        received=received,
        remedy=remedy,
    )
