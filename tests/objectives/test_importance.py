import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isthmus.core.types import Batch, Outputs
from isthmus.objectives.importance import ImportanceWeighting
from isthmus.objectives.kl import divergence, sampled_divergence
from isthmus.objectives.objective import Objective

LOG_WEIGHTS = arrays(np.float32, (5, 3), elements=st.floats(-200, 200, width=32))


@given(LOG_WEIGHTS, st.integers(1, 50))
def test_the_bound_is_the_log_of_the_mean_weight(log_weights, cells):
    k = len(log_weights)
    found = ImportanceWeighting(k, cells)(jnp.asarray(-log_weights.ravel() / cells))
    exact = np.logaddexp.reduce(log_weights.astype(np.float64), axis=0) - np.log(k)
    np.testing.assert_allclose(found, -exact / cells, rtol=1e-5, atol=1e-4)


@given(LOG_WEIGHTS)
def test_the_gradient_has_normalized_weights(log_weights):
    """Equation 14 of Burda et al., 2016."""
    bound = ImportanceWeighting(len(log_weights), 1)
    gradient = jax.grad(lambda terms: bound(terms).sum())(jnp.asarray(-log_weights.ravel()))
    shares = np.exp(log_weights.astype(np.float64) - log_weights.max(axis=0))
    shares /= shares.sum(axis=0)
    np.testing.assert_allclose(gradient.reshape(log_weights.shape), shares, atol=1e-4)


def sampled(codes, seed=0):
    """Outputs of a network with two dimensions of the code, and one of a second level."""
    rng = np.random.default_rng(seed)
    mean, log_variance = (rng.normal(size=(4, 3)).astype(np.float32) for _ in range(2))
    prior = [np.tile(rng.normal(size=(4, 2)).astype(np.float32), (codes, 1)) for _ in range(2)]
    mean, log_variance = (np.tile(each, (codes, 1)) for each in (mean, log_variance))
    noise = rng.normal(size=mean.shape).astype(np.float32)
    z = mean + np.exp(log_variance / 2) * noise
    parts = map(jnp.asarray, (z[:, :2], z[:, :1], mean, log_variance, z, *prior, noise))
    names = ("code", "reconstruction", "mean", "log_variance", "latents")
    names = (*names, "prior_mean", "prior_log_variance", "noise")
    return Outputs(**dict(zip(names, parts, strict=True)))


def batch_of(n):
    return Batch(jnp.zeros((n, 1)), jnp.zeros((n, 1)), jnp.ones(n))


def test_the_divergence_of_drawn_codes_has_the_mean_of_the_exact_one():
    codes = 50_000
    made = sampled(codes)
    drawn = sampled_divergence(2.0, cells=5)
    values = np.asarray(drawn.value(batch_of(4 * codes), made), np.float64).reshape(codes, 4)
    exact = divergence(2.0, cells=5).value(batch_of(4), jax.tree.map(lambda each: each[:4], made))
    np.testing.assert_allclose(values.mean(axis=0), exact, atol=0.05)
    assert drawn.weight(jnp.float32(1.0)) == 2.0
    with pytest.raises(AssertionError, match="noise"):
        drawn.value(batch_of(4), made._replace(noise=None))


def test_one_code_has_the_bound_of_its_term():
    made, ratio = sampled(1), sampled_divergence(1.0, cells=5)

    def term(_batch, outputs):
        return outputs.reconstruction.sum(axis=1)

    one, plain = (
        Objective(term, (ratio,), weighting=weighting)
        for weighting in (ImportanceWeighting(1, 5), None)
    )
    assert (one.codes, plain.codes) == (1, 1)
    values = (each(batch_of(4), made, jnp.float32(1.0)) for each in (one, plain))
    np.testing.assert_allclose(*values, rtol=1e-5)
