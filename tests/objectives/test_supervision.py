import jax
import jax.numpy as jnp
import numpy as np
import pytest

from isthmus.core.types import Batch, Outputs
from isthmus.objectives.supervision import cross_entropy, hits, squared_error, supervision

RNG = np.random.default_rng(0)
CELLS = jnp.zeros((4, 3))
LOGITS = jnp.asarray(RNG.normal(size=(4, 5)).astype(np.float32))
CLASSES = jnp.array([0, 4, np.nan, 2], jnp.float32)
TARGETS = jnp.asarray(RNG.normal(size=(4, 5)).astype(np.float32)).at[1, 3].set(np.nan)
TARGETS = TARGETS.at[2].set(np.nan)


def pair(y, response=LOGITS):
    return Batch(CELLS, CELLS, jnp.ones(4), y=y), Outputs(CELLS, CELLS, response=response)


def test_cross_entropy_is_that_of_a_softmax():
    values = np.asarray(cross_entropy(*pair(CLASSES)))
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(values[[0, 1, 3]], -np.log(shares[[0, 1, 3], [0, 4, 2]]), rtol=1e-5)
    assert np.isnan(values[2])


def test_hits():
    best = np.asarray(LOGITS.argmax(axis=1), np.float32)
    np.testing.assert_array_equal(hits(*pair(jnp.asarray(best))), 1)
    np.testing.assert_array_equal(
        hits(*pair(jnp.asarray(best).at[1].set(np.nan)))[:3], [1, np.nan, 1]
    )
    np.testing.assert_array_equal(hits(*pair(jnp.asarray((best + 1) % 5))), 0)


def test_squared_error_is_over_known_targets():
    values = np.asarray(squared_error(*pair(TARGETS)))
    for row in (0, 1, 3):
        known = ~np.isnan(TARGETS[row])
        np.testing.assert_allclose(
            values[row], np.square(LOGITS[row] - TARGETS[row])[known].mean(), rtol=1e-5
        )
    assert np.isnan(values[2])


@pytest.mark.parametrize(("loss", "y"), [(cross_entropy, CLASSES), (squared_error, TARGETS)])
def test_missing_labels_cost_nothing_and_pull_nowhere(loss, y):
    term, metric = supervision(loss, 0.1, labelled_share=0.75)
    batch, outputs = pair(y)
    values = term.value(batch, outputs)
    assert values[2] == 0
    assert float(term.weight(jnp.float32(0.5))) == pytest.approx(0.1)
    # The mean over all rows is the mean over those with a label.
    np.testing.assert_allclose(values.mean(), np.nanmean(metric.value(batch, outputs)), rtol=1e-5)
    gradient = jax.grad(lambda r: term.value(*pair(y, r)).sum())(LOGITS)
    assert np.isfinite(gradient).all()
    assert (np.asarray(gradient[2]) == 0).all()
    assert (np.abs(gradient).sum(axis=1) > 0).tolist() == [True, True, False, True]


@pytest.mark.parametrize(("loss", "y"), [(cross_entropy, CLASSES), (squared_error, TARGETS)])
def test_a_response_that_is_no_number_is_not_hidden(loss, y):
    term, _ = supervision(loss, 1.0)
    values = term.value(*pair(y, LOGITS.at[0].set(np.nan)))
    assert np.isnan(values[0])
    assert np.isfinite(values[1:]).all()


def test_large_logits_do_not_overflow():
    values = cross_entropy(*pair(CLASSES, 1e30 * LOGITS))
    assert np.isfinite(np.asarray(values)[[0, 1, 3]]).all()


def test_without_labels_it_is_a_mistake():
    with pytest.raises(AssertionError, match="needs rows with labels"):
        cross_entropy(*pair(None))
