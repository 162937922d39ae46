"""How far a posterior is from the prior: the Kullback-Leibler divergence to a standard normal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from isthmus.objectives.objective import Term

if TYPE_CHECKING:
    from isthmus.core.types import Batch, Outputs


def kl(outputs: Outputs) -> jax.Array:
    """Return the divergence of each sample's posterior in each dimension, (n, latent_dim), in nats.

    ``(mean^2 + variance - 1 - log variance) / 2`` (Kingma and Welling, 2014, "Auto-encoding
    variational Bayes", appendix B).
    """
    if outputs.mean is None or outputs.log_variance is None:
        raise AssertionError("a divergence was asked of a network whose codes are points")
    variance = jnp.exp(outputs.log_variance)
    return 0.5 * (jnp.square(outputs.mean) + variance - 1.0 - outputs.log_variance)


def divergence(beta: float, *, cells: int, warmup: float = 0.0, free_bits: float = 0.0) -> Term:
    """Return the penalty ``beta * KL(posterior || prior) / cells`` of each sample.

    Parameters
    ----------
    beta : float
        Its weight; 1 makes the objective the evidence lower bound (ELBO), others Higgins et al.,
        2017, "beta-VAE".
    cells : int
        Numbers in a sample. The likelihoods of `isthmus.objectives.likelihood` are per cell of a
        sample, so the divergence is too, and the whole is ELBO / cells: learning rates and
        gradient norms then mean the same as for any other loss.
    warmup : float
        Share of training over which the weight rises from 0, against codes that collapse before
        the decoder has learned to read them (Bowman et al., 2016, section 3.1).
    free_bits : float
        Nats in each dimension that cost the same whether they are used or not: a dimension counts
        ``max(free_bits, mean over the batch)`` (Kingma et al., 2016, "Improved variational
        inference with inverse autoregressive flow", equation 15).
    """

    def value(batch: Batch, outputs: Outputs) -> jax.Array:
        nats = kl(outputs)
        if free_bits > 0:
            weight = batch.weight[:, None]
            means = (nats * weight).sum(axis=0) / jnp.maximum(weight.sum(), 1.0)
            # The mean of this over samples is the sum of the maxima, with their gradient.
            nats = jnp.where(means > free_bits, nats, free_bits)
        return nats.sum(axis=-1) / cells

    def weight(progress: jax.Array) -> jax.Array | float:
        if warmup == 0:
            return beta
        return beta * jnp.minimum(progress / warmup, 1.0)

    return Term("kl", value, weight)
