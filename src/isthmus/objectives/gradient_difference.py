"""The gradient difference loss of images, which keeps edges sharp.

References
----------
Mathieu, Couprie and LeCun (2016), "Deep multi-scale video prediction beyond mean square error",
International Conference on Learning Representations, section 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from isthmus.core.types import Batch, Outputs

Array = jax.Array


def gradient_difference(batch: Batch, outputs: Outputs) -> Array:
    """Return the mean difference of the absolute gradients of each image, (n,), in scaled units.

    The gradients are the differences of neighbouring pixels, down and across. The exponent of the
    paper is 1, and its sum is a mean over the pairs of neighbours of which both are observed. Since
    the level and the sign of gradients do not matter, it needs a second loss, such as "mse".
    """
    total = pairs = jnp.zeros(len(batch.target))
    for axis in (1, 2):
        ours, theirs = (
            jnp.abs(jnp.diff(cells, axis=axis)) for cells in (outputs.reconstruction, batch.target)
        )
        both = jnp.ones_like(ours)
        if batch.observed is not None:
            before = jax.lax.slice_in_dim(batch.observed, 0, -1, axis=axis)
            both = before * jax.lax.slice_in_dim(batch.observed, 1, None, axis=axis)
        rest = tuple(range(1, ours.ndim))
        total = total + (jnp.abs(ours - theirs) * both).sum(rest)
        pairs = pairs + both.sum(rest)
    return total / jnp.maximum(pairs, 1.0)
