"""Noise that denoising autoencoders learn to remove: pure functions of a key, in scaled units.

Each function returns an `isthmus.core.types.Corruption`: a function of a JAX key and inputs
(n, *sample_shape). Values that are fractions of a range stay within [0, 1]. In a table of several
kinds of columns, Gaussian noise does not change categories and booleans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.core.types import Corruption
    from isthmus.data.schema import Schema

Array = jax.Array


def gaussian(level: float, schema: Schema) -> Corruption:
    """Return normal noise of standard deviation `level`; fractions are clipped to [0, 1]."""
    clipped = schema.values == "unit"
    numeric = _numeric(schema)

    def corrupt(key: Array, inputs: Array) -> Array:
        noisy = inputs + level * numeric * jax.random.normal(key, inputs.shape, inputs.dtype)
        return jnp.clip(noisy, 0.0, 1.0) if clipped else noisy

    return corrupt


def masking(level: float, schema: Schema) -> Corruption:
    """Return noise that sets a fraction `level` of the columns to 0, as if they were missing.

    Vincent et al., 2010, "Stacked denoising autoencoders", section 3.3. The cells of a categorical
    column are set together, and so are the channels of a pixel (height, width, channels) or voxel:
    otherwise the other channels would show what the missing one is like.
    """
    columns, column_of_cell = _columns(schema)
    whole_pixels = len(schema.sample_shape) > 2

    def corrupt(key: Array, inputs: Array) -> Array:
        if column_of_cell is None:
            shape = (*inputs.shape[:-1], 1) if whole_pixels else inputs.shape
            kept = jax.random.bernoulli(key, 1.0 - level, shape)
        else:
            shape = (len(inputs), columns)
            kept = jax.random.bernoulli(key, 1.0 - level, shape)[:, column_of_cell]
        return jnp.where(kept, inputs, 0.0)

    return corrupt


def salt_pepper(level: float, schema: Schema) -> Corruption:
    """Return noise that sets a fraction `level` of the cells to 0 or 1, with equal probability."""
    if schema.values != "unit":
        raise InvalidParameter(
            "noise='salt_pepper'",
            expected="values within [0, 1]",
            received="real numbers" if schema.values == "real" else "a table of several kinds",
            remedy="use noise='masking' or 'gaussian', or scale='range'",
        )

    def corrupt(key: Array, inputs: Array) -> Array:
        drawn = jax.random.uniform(key, inputs.shape, inputs.dtype)
        ends = (drawn < 0.5 * level).astype(inputs.dtype)
        return jnp.where(drawn < level, ends, inputs)

    return corrupt


def binarize(key: Array, inputs: Array) -> Array:
    """Set each cell to 1 with its value as the probability, else to 0: dynamic binarisation.

    Salakhutdinov and Murray, 2008, "On the quantitative analysis of deep belief networks",
    section 6. Every training step draws new values.
    """
    return (jax.random.uniform(key, inputs.shape, inputs.dtype) < inputs).astype(inputs.dtype)


NOISES: Catalogue[Callable[[float, Schema], Corruption]] = Catalogue(
    "noise", {"gaussian": gaussian, "masking": masking, "salt_pepper": salt_pepper}
)
FRACTION_NOISES = ("masking", "salt_pepper")
"""The noises whose level is a fraction of cells, at most 1."""


def _columns(schema: Schema) -> tuple[int, Any]:
    """Return the number of columns and the column of each cell; None where they are the same."""
    segments = schema.segments
    if all(segment.stop - segment.start == 1 for segment in segments):
        return 0, None
    widths = [segment.stop - segment.start for segment in segments]
    return len(segments), np.repeat(np.arange(len(segments)), widths)


def _numeric(schema: Schema) -> Any:
    """Return 1 for cells that are numbers and 0 for those of categories and booleans."""
    if schema.values != "mixed":
        return 1.0
    return np.concatenate(
        [np.full(s.stop - s.start, s.kind == "numeric", np.float32) for s in schema.segments]
    )
