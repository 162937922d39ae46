import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm

from isthmus.core.errors import InvalidParameter
from isthmus.core.types import Batch, Outputs, Segment
from isthmus.objectives.likelihood import LIKELIHOODS, SMALLEST_VARIANCE, resolve_likelihood

RNG = np.random.default_rng(0)
LOGITS = jnp.asarray(RNG.normal(size=(5, 4)).astype(np.float32))
UNIT = jnp.asarray(RNG.integers(2, size=(5, 4)).astype(np.float32))
REAL = jnp.asarray(RNG.normal(size=(5, 4)).astype(np.float32))
OBSERVED = jnp.asarray((RNG.random((5, 4)) > 0.3).astype(np.float32))
OUTPUTS = Outputs(LOGITS, LOGITS, LOGITS)


def batch(target, observed=None, weight=None):
    return Batch(target, target, jnp.ones(5) if weight is None else weight, observed)


@pytest.mark.parametrize("observed", [None, OBSERVED], ids=["whole", "missing"])
def test_log_densities_per_cell_of_the_sample(observed):
    seen = 1 if observed is None else observed
    p = jax.nn.sigmoid(LOGITS)
    made = OUTPUTS._replace(reconstruction=p)
    expected = (jnp.log(jnp.where(UNIT == 1, p, 1 - p)) * seen).sum(axis=1) / -4
    term = LIKELIHOODS["bernoulli"].make((), None)
    np.testing.assert_allclose(term(batch(UNIT, observed), made), expected, rtol=1e-4)

    expected = (norm.logpdf(REAL, LOGITS, np.sqrt(0.3)) * seen).sum(axis=1) / -4
    term = LIKELIHOODS["gaussian"].make((), 0.3)
    np.testing.assert_allclose(term(batch(REAL, observed), OUTPUTS), expected, rtol=1e-4)


def test_the_variance_is_the_best_of_the_rows_that_count():
    weight = jnp.array([1, 1, 1, 0, 0.0])
    rows = batch(REAL, OBSERVED, weight)
    free = LIKELIHOODS["gaussian"].make((), None)(rows, OUTPUTS)

    def mean(variance):
        return (LIKELIHOODS["gaussian"].make((), variance)(rows, OUTPUTS) * weight).sum()

    best = min(float(mean(v)) for v in np.geomspace(0.1, 10, 400))
    np.testing.assert_allclose((free * weight).sum(), best, rtol=1e-3)


def test_a_perfect_reconstruction_has_a_finite_density():
    perfect = OUTPUTS._replace(reconstruction=REAL)
    value = LIKELIHOODS["gaussian"].make((), None)(batch(REAL), perfect)
    np.testing.assert_allclose(value, 0.5 * np.log(2 * np.pi * SMALLEST_VARIANCE), rtol=1e-4)


def test_mse_is_what_textbooks_sum():
    term = LIKELIHOODS["mse"].make((), None)(batch(REAL), OUTPUTS)
    np.testing.assert_allclose(4 * term, jnp.square(REAL - LOGITS).sum(axis=1), rtol=1e-5)
    variance = LIKELIHOODS["mse"].variance
    density = LIKELIHOODS["mse"].make((), variance)(batch(REAL), OUTPUTS)
    np.testing.assert_allclose(density - term, 0.5 * np.log(np.pi), rtol=1e-4)


def test_a_table_of_three_kinds():
    segments = (
        Segment("a", "numeric", 0, 1),
        Segment("b", "binary", 1, 2),
        Segment("c", "categorical", 2, 4),
    )
    target = UNIT.at[:, 0].set(REAL[:, 0]).at[:, 2:].set(jax.nn.one_hot(jnp.arange(5) % 2, 2))
    term = LIKELIHOODS["mixture"].make(segments, 0.3)
    cells = (
        norm.logpdf(target[:, 0], LOGITS[:, 0], np.sqrt(0.3))
        + target[:, 1] * LOGITS[:, 1]
        - jax.nn.softplus(LOGITS[:, 1])
        + (target[:, 2:] * jax.nn.log_softmax(LOGITS[:, 2:])).sum(axis=1)
    )
    np.testing.assert_allclose(term(batch(target), OUTPUTS), -cells / 4, rtol=1e-4)


@pytest.mark.parametrize(
    ("values", "name"), [("real", "gaussian"), ("unit", "bernoulli"), ("mixed", "mixture")]
)
def test_the_values_decide(values, name):
    assert resolve_likelihood("auto", values) == name


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("bernoulli", "real", "values within"),
        ("binarized", "mixed", "values within"),
        ("mixture", "unit", "several kinds"),
        ("gausian", "real", "did you mean 'gaussian'"),
        (3, "real", "likelihood: expected one of"),
    ],
)
def test_likelihoods_that_do_not_fit(name, values, message):
    with pytest.raises(InvalidParameter, match=message):
        resolve_likelihood(name, values)
