"""The Kullback-Leibler divergence of the posterior from the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from isthmus.objectives.objective import Term

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.core.types import Batch, Outputs


def kl(outputs: Outputs) -> jax.Array:
    """Return the divergence of each sample's posterior in each dimension, (n, dimensions), in nats.

    ``(mean^2 + variance - 1 - log variance) / 2`` from a standard normal (Kingma and Welling, 2014,
    "Auto-encoding variational Bayes", appendix B), and likewise in units of a learned prior. With
    levels above the code it is an estimate from one sample of the level above.
    """
    if outputs.mean is None or outputs.log_variance is None:
        raise AssertionError("the KL divergence needs a network with a posterior")
    mean, log_variance = outputs.mean, outputs.log_variance
    if outputs.prior_mean is not None:
        prior_mean, prior_log_variance = prior_moments(outputs)
        mean = (mean - prior_mean) * jnp.exp(-0.5 * prior_log_variance)
        log_variance = log_variance - prior_log_variance
    return 0.5 * (jnp.square(mean) + jnp.exp(log_variance) - 1.0 - log_variance)


def log_density_ratio(outputs: Outputs, noise: jax.Array) -> jax.Array:
    """Return log p(z) - log q(z | x) of the sampled latent variables of all levels, (n,).

    Parameters
    ----------
    outputs : Outputs
        Of a network with a posterior q.
    noise : array of shape (n, dimensions)
        From which the latent variables were sampled.
    """
    z = outputs.code if outputs.latents is None else outputs.latents
    log_variance = jnp.asarray(outputs.log_variance)
    if outputs.prior_mean is not None:
        prior_mean, prior_log_variance = prior_moments(outputs)
        z = (z - prior_mean) * jnp.exp(-0.5 * prior_log_variance)
        log_variance = log_variance - prior_log_variance
    # The constants of the two densities cancel.
    return 0.5 * (jnp.square(noise) - jnp.square(z) + log_variance).sum(axis=-1)


def prior_moments(outputs: Outputs) -> tuple[jax.Array, jax.Array]:
    """Return mean and log variance of the prior in all dimensions, in the shape of the posterior's.

    Those that `outputs` leave out are of the highest level, which is standard normal.
    """
    learned = (jnp.asarray(each) for each in (outputs.prior_mean, outputs.prior_log_variance))
    width = jnp.asarray(outputs.mean).shape[-1]
    mean, log_variance = (
        jnp.pad(each, [(0, 0)] * (each.ndim - 1) + [(0, width - each.shape[-1])])
        for each in learned
    )
    return mean, log_variance


def divergence(beta: float, *, cells: int, warmup: float = 0.0, free_bits: float = 0.0) -> Term:
    """Return the penalty ``beta * KL(posterior || prior) / cells`` of each sample.

    Parameters
    ----------
    beta : float
        Its weight. With 1 the objective is the evidence lower bound (ELBO); for other values see
        Higgins et al., 2017, "beta-VAE".
    cells : int
        Number of cells of a sample. The likelihoods of `isthmus.objectives.likelihood` are per
        cell, so the divergence is too, and the objective is -ELBO / cells: learning rates and
        gradient norms then mean the same as for any other loss.
    warmup : float
        Fraction of training over which the weight rises from 0, to keep codes from collapsing
        before the decoder has learned to use them (Bowman et al., 2016, section 3.1).
    free_bits : float
        Nats in each dimension that cost the same whether used or not: a dimension contributes
        ``max(free_bits, mean over the batch)`` (Kingma et al., 2016, "Improved variational
        inference with inverse autoregressive flow", equation 15).
    """

    def value(batch: Batch, outputs: Outputs) -> jax.Array:
        nats = kl(outputs)
        if free_bits > 0:
            weight = batch.weight[:, None]
            means = (nats * weight).sum(axis=0) / jnp.maximum(weight.sum(), 1.0)
            # Averaged over samples, this equals the sum of the maxima and has their gradient.
            nats = jnp.where(means > free_bits, nats, free_bits)
        return nats.sum(axis=-1) / cells

    return Term("kl", value, _rising(beta, warmup))


def sampled_divergence(beta: float, *, cells: int, warmup: float = 0.0) -> Term:
    """Return the penalty ``beta * log(q(z | x) / p(z)) / cells`` of each sample and its code z.

    Its mean over codes is that of `divergence`, whose parameters it has. Importance weights need
    the densities of the codes that were drawn.
    """

    def value(_batch: Batch, outputs: Outputs) -> jax.Array:
        if outputs.noise is None:
            raise AssertionError("the densities of codes need the noise they were drawn with")
        return -log_density_ratio(outputs, outputs.noise) / cells

    return Term("kl", value, _rising(beta, warmup))


def _rising(beta: float, warmup: float) -> Callable[[jax.Array], jax.Array | float]:
    def weight(progress: jax.Array) -> jax.Array | float:
        if warmup == 0:
            return beta
        return beta * jnp.minimum(progress / warmup, 1.0)

    return weight
