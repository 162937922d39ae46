import jax
import jax.numpy as jnp
import numpy as np
import pytest

from isthmus.core.types import Batch, Outputs
from isthmus.objectives.kl import divergence, kl, log_density_ratio

RNG = np.random.default_rng(0)
MEAN = jnp.asarray(RNG.normal(size=(6, 3)).astype(np.float32))
LOG_VARIANCE = jnp.asarray(RNG.normal(size=(6, 3)).astype(np.float32))
CELLS = jnp.zeros((6, 4))
OUTPUTS = Outputs(MEAN, CELLS, mean=MEAN, log_variance=LOG_VARIANCE)
LEARNED = OUTPUTS._replace(  # the third dimension is of the level above, a standard normal
    prior_mean=jnp.asarray(RNG.normal(size=(6, 2)).astype(np.float32)),
    prior_log_variance=jnp.asarray(RNG.normal(size=(6, 2)).astype(np.float32)),
)
BATCH = Batch(CELLS, CELLS, jnp.ones(6))


def test_it_is_the_expected_log_ratio():
    z = MEAN + jnp.exp(LOG_VARIANCE / 2) * jax.random.normal(jax.random.key(0), (200_000, 6, 3))
    posterior = jax.scipy.stats.norm.logpdf(z, MEAN, jnp.exp(LOG_VARIANCE / 2))
    ratio = (posterior - jax.scipy.stats.norm.logpdf(z)).mean(axis=0)
    np.testing.assert_allclose(kl(OUTPUTS), ratio, atol=0.03)


def _log_ratio(z, outputs):
    """Return log q(z | x) - log p(z) in each dimension."""
    normal = jax.scipy.stats.norm.logpdf
    posterior = normal(z, MEAN, jnp.exp(LOG_VARIANCE / 2))
    if outputs.prior_mean is None:
        return posterior - normal(z)
    low = normal(z[..., :2], outputs.prior_mean, jnp.exp(outputs.prior_log_variance / 2))
    return posterior - jnp.concatenate([low, normal(z[..., 2:])], axis=-1)


def test_with_a_learned_prior_it_is_the_expected_log_ratio():
    z = MEAN + jnp.exp(LOG_VARIANCE / 2) * jax.random.normal(jax.random.key(0), (200_000, 6, 3))
    np.testing.assert_allclose(kl(LEARNED), _log_ratio(z, LEARNED).mean(axis=0), atol=0.1)


@pytest.mark.parametrize("outputs", [OUTPUTS, LEARNED], ids=["standard", "learned"])
def test_the_ratio_of_densities(outputs):
    noise = jnp.asarray(RNG.normal(size=(6, 3)).astype(np.float32))
    z = MEAN + jnp.exp(LOG_VARIANCE / 2) * noise
    made = outputs._replace(code=z, latents=z)
    expected = -_log_ratio(z, outputs).sum(axis=-1)
    np.testing.assert_allclose(log_density_ratio(made, noise), expected, rtol=1e-4, atol=1e-4)


def test_it_is_zero_at_the_prior_only():
    prior = OUTPUTS._replace(mean=jnp.zeros((6, 3)), log_variance=jnp.zeros((6, 3)))
    assert (kl(prior) == 0).all()
    assert (kl(OUTPUTS) > 0).all()


def test_it_counts_per_cell():
    value = divergence(1.0, cells=4).value(BATCH, OUTPUTS)
    np.testing.assert_allclose(value, kl(OUTPUTS).sum(axis=1) / 4, rtol=1e-6)


@pytest.mark.parametrize(
    ("warmup", "progress", "weight"), [(0, 0, 3), (0.5, 0, 0), (0.5, 0.25, 1.5), (0.5, 0.8, 3)]
)
def test_warm_up(warmup, progress, weight):
    term = divergence(3.0, cells=4, warmup=warmup)
    np.testing.assert_allclose(term.weight(jnp.float32(progress)), weight)


def test_free_bits_cost_the_same_whether_used_or_not():
    batch = BATCH._replace(weight=jnp.array([1, 1, 1, 1, 0, 0.0]))  # two rows of padding
    means = np.asarray(kl(OUTPUTS))[:4].mean(axis=0)
    free = float(np.sort(means)[1])  # one dimension above the limit, one at it, one below
    term = divergence(1.0, cells=1, free_bits=free)

    def total(outputs):
        return (term.value(batch, outputs) * batch.weight).sum() / 4

    np.testing.assert_allclose(total(OUTPUTS), np.maximum(means, free).sum(), rtol=1e-5)
    gradient = jax.grad(lambda mean: total(OUTPUTS._replace(mean=mean)))(MEAN)
    used = np.asarray(jnp.abs(gradient).sum(axis=0) > 0)
    assert list(used) == list(means > free)


def test_points_have_none():
    with pytest.raises(AssertionError, match="needs a network with a posterior"):
        kl(Outputs(MEAN, CELLS))
