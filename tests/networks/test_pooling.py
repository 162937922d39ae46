import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from isthmus.networks.pooling import average_pool, max_pool, upsample

SIZES = [(2, 2), (3, 1), (1, 1)]


def pictures(*shape):
    # Few distinct values, so that most windows have ties.
    return np.random.default_rng(0).integers(0, 3, shape).astype(np.float32)


def gradient(function, images):
    def weighted(x):
        made = function(x)
        return (made * jnp.arange(1.0, made.size + 1).reshape(made.shape)).sum()

    return jax.jit(jax.grad(weighted))(images)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(max_pool, keras.layers.MaxPooling2D), (average_pool, keras.layers.AveragePooling2D)],
    ids=["max", "average"],
)
def test_pools_as_keras_does(ours, theirs, size):
    images = pictures(2, 6, 4, 3)
    layer = theirs(size)
    np.testing.assert_allclose(ours(images, size), layer(images), rtol=1e-6)
    np.testing.assert_allclose(
        gradient(lambda x: ours(x, size), images), gradient(layer, images), rtol=1e-6
    )


def test_the_gradient_of_ties_goes_to_the_first():
    grown = gradient(lambda x: max_pool(x, (2, 2)), jnp.ones((1, 2, 2, 1)))
    assert grown.ravel().tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_a_missing_value_is_not_hidden(pool):
    images = np.zeros((1, 4, 4, 1), np.float32)
    images[0, 0, 1] = np.nan
    images[0, 2, 2] = np.nan
    expected = [[True, False], [False, True]]
    assert np.isnan(pool(images, (2, 2)))[0, :, :, 0].tolist() == expected
    value, _ = jax.vjp(lambda x: pool(x, (2, 2)), images)
    assert np.isnan(value)[0, :, :, 0].tolist() == expected


@pytest.mark.parametrize("factors", [(2, 2), (1, 3)])
def test_upsamples_as_keras_does(factors):
    images = pictures(2, 3, 4, 2)
    layer = keras.layers.UpSampling2D(factors)
    np.testing.assert_array_equal(upsample(images, factors), layer(images))
    np.testing.assert_allclose(
        gradient(lambda x: upsample(x, factors), images), gradient(layer, images), rtol=1e-6
    )
