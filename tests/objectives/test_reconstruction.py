import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.core.errors import InvalidParameter
from isthmus.core.types import Batch, Outputs, Segment
from isthmus.objectives.catalogue import LOSSES, loss_of, resolve_loss
from isthmus.objectives.reconstruction import custom

SEGMENTS = (
    Segment("a", "numeric", 0, 1),
    Segment("b", "categorical", 1, 4),
    Segment("c", "binary", 4, 5),
    Segment("d", "categorical", 5, 7),
)


def shaped(loss, batch, outputs):
    """The same cells, as images if the loss needs them."""
    if not loss.images:
        return batch, outputs

    def image(cells):
        return None if cells is None else cells.reshape(-1, 7, 1)

    return (
        batch._replace(
            inputs=image(batch.inputs), target=image(batch.target), observed=image(batch.observed)
        ),
        outputs._replace(
            reconstruction=image(outputs.reconstruction), logits=image(outputs.logits)
        ),
    )


def batch_and_outputs(seed=0, n=6, unit=True, observed=None):
    rng = np.random.default_rng(seed)
    logits = jnp.asarray(rng.normal(size=(n, 7)).astype(np.float32))
    if unit:
        target = jnp.asarray(rng.random((n, 7)).astype(np.float32))
        values = jax.nn.sigmoid(logits)
    else:
        one_hot = np.zeros((n, 7), np.float32)
        one_hot[:, 0] = rng.normal(size=n)
        one_hot[np.arange(n), 1 + rng.integers(3, size=n)] = 1
        one_hot[:, 4] = rng.integers(2, size=n)
        one_hot[np.arange(n), 5 + rng.integers(2, size=n)] = 1
        target = jnp.asarray(one_hot)
        values = jnp.concatenate(
            [
                logits[:, :1],
                jax.nn.softmax(logits[:, 1:4]),
                jax.nn.sigmoid(logits[:, 4:5]),
                jax.nn.softmax(logits[:, 5:]),
            ],
            axis=1,
        )
    return (
        Batch(target, target, jnp.ones(n), observed),
        Outputs(jnp.zeros((n, 2)), values, logits),
    )


KERAS = {
    "mse": keras.losses.mean_squared_error,
    "mae": keras.losses.mean_absolute_error,
    "huber": keras.losses.huber,
    "bce": keras.losses.binary_crossentropy,
}


@pytest.mark.parametrize("name", sorted(KERAS))
def test_equals_keras(name):
    batch, outputs = batch_and_outputs()
    ours = LOSSES[name](())(batch, outputs)
    np.testing.assert_allclose(ours, KERAS[name](batch.target, outputs.reconstruction), rtol=2e-5)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_one_value_per_sample_and_missing_cells_do_not_count(name):
    observed = jnp.ones((6, 7)).at[2, 1:4].set(0)
    batch, outputs = batch_and_outputs(unit=name != "mixture", observed=observed)
    batch, outputs = shaped(LOSSES[name], batch, outputs)
    loss = LOSSES[name](SEGMENTS)
    first = loss(batch, outputs)
    assert first.shape == (6,)
    disturbed = batch._replace(target=batch.target.at[2, 1:4].set(99.0))
    np.testing.assert_array_equal(loss(disturbed, outputs), first)
    gradient = jax.grad(lambda o: loss(batch, outputs._replace(reconstruction=o)).sum())(
        outputs.reconstruction
    )
    assert not np.asarray(gradient)[2, 1:4].any()


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_row_without_observed_cells_costs_nothing(name):
    batch, outputs = batch_and_outputs(unit=name != "mixture", observed=jnp.zeros((6, 7)))
    batch, outputs = shaped(LOSSES[name], batch, outputs)
    np.testing.assert_array_equal(LOSSES[name](SEGMENTS)(batch, outputs), np.zeros(6))


def test_bce_from_logits_survives_what_probabilities_do_not():
    batch, outputs = batch_and_outputs()
    huge = outputs._replace(logits=outputs.logits * 1e6)
    assert np.isfinite(LOSSES["bce"](())(batch, huge)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_mixture_is_the_sum_of_its_columns(seed):
    batch, outputs = batch_and_outputs(seed, unit=False)
    t, values = np.asarray(batch.target), np.asarray(outputs.reconstruction, np.float64)
    expected = (
        (values[:, 0] - t[:, 0]) ** 2
        - (t[:, 1:4] * np.log(values[:, 1:4])).sum(1) / np.log(3)
        - np.log(np.where(t[:, 4] > 0, values[:, 4], 1 - values[:, 4])) / np.log(2)
        - (t[:, 5:] * np.log(values[:, 5:])).sum(1) / np.log(2)
    ) / 4
    mixture = LOSSES["mixture"](SEGMENTS)
    np.testing.assert_allclose(mixture(batch, outputs), expected, rtol=1e-4)
    np.testing.assert_allclose(mixture(batch, outputs._replace(logits=None)), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "function",
    [
        lambda t, p: keras.ops.mean(keras.ops.square(t - p)),
        lambda t, p: keras.ops.mean(keras.ops.square(t - p), axis=-1),
        lambda t, p: jnp.square(t - p),
        keras.losses.MeanSquaredError(),
    ],
)
def test_custom_equals_the_built_in(function):
    batch, outputs = batch_and_outputs()
    np.testing.assert_allclose(
        custom(function)(batch, outputs), LOSSES["mse"](())(batch, outputs), rtol=1e-5
    )


def test_auto_follows_the_values():
    assert [resolve_loss("auto", v, images=False) for v in ("real", "unit", "mixed")] == [
        "mse",
        "bce",
        "mixture",
    ]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("bce", "real", "values within \\[0, 1\\], received real numbers"),
        ("mixture", "unit", "a table with categories"),
        ("msee", "real", "did you mean 'mse'"),
        ("ssim", "unit", "loss 'ssim': expected images, of shape"),
        ("gradient_difference", "real", "received a table, flat rows or series"),
        ({"mse": 1, "bce": 1}, "real", "loss 'bce': expected values within"),
        ({"mse": 1, "ms_ssim": 1}, "unit", "loss 'ms_ssim': expected images"),
        ({"mse": 1, "mssim": 1}, "unit", "did you mean"),
        ({"mse": 0}, "unit", "a finite weight above 0"),
        ({}, "unit", "at least one name"),
        ("mse:x", "unit", "names with weights above 0"),
    ],
    ids=str,
)
def test_a_loss_that_cannot_be(name, values, message):
    with pytest.raises(InvalidParameter, match=message):
        resolve_loss(name, values, images=False)


def test_ssim_needs_fractions():
    assert resolve_loss("ssim", "unit", images=True) == "ssim"
    with pytest.raises(InvalidParameter, match=r"values within .* scale='range'"):
        resolve_loss("ssim", "real", images=True)


def test_weighted_losses_are_added():
    observed = jnp.ones((6, 7)).at[2, 1:4].set(0)
    batch, outputs = shaped(LOSSES["ssim"], *batch_and_outputs(observed=observed))
    name = resolve_loss({"mse": 0.5, "ssim": 2, "bce": 1 / 3}, "unit", images=True)
    assert name == f"mse:0.5,ssim:2,bce:{1 / 3!r}"
    assert resolve_loss(name, "unit", images=True) == name
    single = {each: LOSSES[each](())(batch, outputs) for each in ("mse", "ssim", "bce")}
    expected = 0.5 * single["mse"] + 2 * single["ssim"] + single["bce"] / 3
    np.testing.assert_allclose(loss_of(name, ())(batch, outputs), expected, rtol=1e-6)
