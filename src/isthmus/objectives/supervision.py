"""The losses of a head: terms per sample, in which rows without a label do not count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from isthmus.objectives.objective import Metric, Term

if TYPE_CHECKING:
    from isthmus.core.types import Batch, Outputs
    from isthmus.objectives.objective import PerSample


def cross_entropy(batch: Batch, outputs: Outputs) -> jax.Array:
    """Return the cross-entropy of each sample's class, (n,), in nats; NaN without a label."""
    y, logits = _pair(batch, outputs)
    missing = jnp.isnan(y)
    number = jnp.where(missing, 0.0, y).astype(jnp.int32)[:, None]
    chosen = jnp.take_along_axis(logits, number, axis=-1)[:, 0]
    entropy = jax.nn.logsumexp(logits, axis=-1) - chosen
    return jnp.where(missing, jnp.nan, entropy)


def hits(batch: Batch, outputs: Outputs) -> jax.Array:
    """Return 1 if the most likely class is correct, else 0, (n,); NaN without a label."""
    y, logits = _pair(batch, outputs)
    return jnp.where(jnp.isnan(y), jnp.nan, (logits.argmax(axis=-1) == y).astype(jnp.float32))


def squared_error(batch: Batch, outputs: Outputs) -> jax.Array:
    """Return the mean squared error of each sample's targets, (n,); NaN without any."""
    y, response = _pair(batch, outputs)
    present = ~jnp.isnan(y)
    squares = jnp.where(present, jnp.square(response - jnp.where(present, y, 0.0)), 0.0)
    count = present.sum(axis=-1)
    return jnp.where(count > 0, squares.sum(axis=-1) / jnp.maximum(count, 1), jnp.nan)


def supervision(
    loss: PerSample, weight: float, *, labelled_share: float = 1.0
) -> tuple[Term, Metric]:
    """Return the penalty ``weight * mean of loss over labelled rows``, and that mean as a metric.

    Parameters
    ----------
    loss : PerSample
        The loss of each row's label; NaN without a label.
    weight : float
        Relative to the reconstruction, whose weight is 1 (Le et al., 2018, "Supervised
        autoencoders").
    labelled_share : float
        Fraction of rows that have a label. Because means are taken over all rows, the term is
        divided by it, so that the effect of `weight` does not depend on the number of labels.
    """

    def value(batch: Batch, outputs: Outputs) -> jax.Array:
        y, _ = _pair(batch, outputs)
        missing = jnp.isnan(y) if y.ndim == 1 else jnp.isnan(y).all(axis=-1)
        return jnp.where(missing, 0.0, loss(batch, outputs)) / labelled_share

    return Term("supervised", value, lambda _progress: weight), Metric("supervised_loss", loss)


def _pair(batch: Batch, outputs: Outputs) -> tuple[jax.Array, jax.Array]:
    if batch.y is None or outputs.response is None:
        raise AssertionError("a supervised term needs rows with labels and a network with a head")
    return batch.y, outputs.response
