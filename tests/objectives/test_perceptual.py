"""The perceptual loss: its value, and what an autoencoder learns by it."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from sklearn.base import clone

import isthmus as ist
from isthmus.core.errors import InvalidParameter
from isthmus.core.types import Batch, Outputs

RNG = np.random.default_rng(0)
X = RNG.random((40, 8, 8))
SETTINGS = {"latent_dim": 3, "hidden": (16,), "epochs": 3, "random_state": 0, "verbose": 0}


def left_half(shape=(8, 8, 1)):
    return keras.Sequential([keras.Input(shape), keras.layers.Cropping2D(((0, 0), (0, 4)))])


def two_outputs():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    first = keras.layers.Conv2D(3, 3, activation="relu")(inputs)
    return keras.Model(inputs, [first, keras.layers.Conv2D(2, 3)(first)])


def test_it_is_the_mean_squared_difference_of_each_output():
    features = two_outputs()
    target, other = (RNG.random((5, 8, 8)).astype(np.float32) for _ in range(2))
    expected = sum(
        np.square(a - b).reshape(5, -1).mean(axis=1)
        for a, b in zip(
            features.predict(target[..., None], verbose=0),
            features.predict(other[..., None], verbose=0),
            strict=True,
        )
    )
    loss = ist.Perceptual(features, weight=0.5)
    np.testing.assert_allclose(loss(target, other), expected, rtol=1e-5)
    batch = Batch(jnp.array(target), jnp.array(target), jnp.ones(5))
    mixed = loss.per_sample(features, lambda batch, _: batch.weight)
    outputs = Outputs(jnp.zeros((5, 1)), jnp.array(other))
    np.testing.assert_allclose(mixed(batch, outputs), 1 + 0.5 * expected, rtol=1e-5)


def test_gradients_reach_the_reconstruction_but_not_through_missing_cells():
    target = jnp.array(RNG.random((2, 8, 8)), jnp.float32)
    observed = jnp.ones_like(target).at[:, :3].set(0)
    loss = ist.Perceptual(left_half()).per_sample(left_half(), None)

    def total(reconstruction):
        batch = Batch(target, target, jnp.ones(2), observed)
        return loss(batch, Outputs(jnp.zeros((2, 1)), reconstruction)).sum()

    slope = np.asarray(jax.grad(total)(jnp.zeros_like(target)))
    assert (slope[:, 3:, :4] != 0).all()
    assert (slope[:, :3] == 0).all()
    assert (slope[:, :, 4:] == 0).all()


def test_features_change_what_is_learned():
    pictures = RNG.random((200, 1, 8)).repeat(8, axis=1)  # eight numbers each, for a code of four
    loss = ist.Perceptual(left_half(), weight=10, pixels="mse")
    model = ist.Autoencoder(loss=loss, **{**SETTINGS, "latent_dim": 4, "epochs": 60}).fit(pictures)
    error = np.square(model.reconstruct(pictures) - pictures).mean(axis=(0, 1))
    assert error[:4].mean() < 0.5 * error[4:].mean()


def test_saved_estimators_do_not_need_the_model(tmp_path):
    loss = ist.Perceptual(left_half(), pixels={"mse": 0.5, "gradient_difference": 0.1})
    model = ist.Autoencoder(loss=loss, **SETTINGS).fit(X)
    assert clone(model).loss is loss
    model.save(tmp_path / "m.isthmus")
    loaded = ist.load(tmp_path / "m.isthmus")
    assert loaded.loss_ == "custom:Perceptual"
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    with pytest.raises(InvalidParameter, match=r"set_params\(loss="):
        loaded.fit(X)
    again = loaded.set_params(loss=loss).fit(X)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (ist.Perceptual(left_half((8, 8, 3))), r"takes \(8, 8, 3\), received pictures .*\(8, 8, 1"),
        (ist.Perceptual(keras.Sequential()), "a Keras model that has been built"),
        (ist.Perceptual(np.square), "a Keras model that has been built"),
        (ist.Perceptual(left_half(), weight=0), "Perceptual weight: expected a finite number"),
        (ist.Perceptual(left_half(), pixels="mze"), "did you mean 'mse'"),
    ],
    ids=["shape", "not built", "function", "weight", "pixels"],
)
def test_errors(loss, message):
    with pytest.raises(InvalidParameter, match=message):
        ist.Autoencoder(loss=loss, **SETTINGS).fit(X)


def test_it_is_for_images_and_visible_pixels():
    loss = ist.Perceptual(left_half())
    with pytest.raises(InvalidParameter, match=r"loss Perceptual: expected images, .*Try: X.resh"):
        ist.Autoencoder(loss=loss, **SETTINGS).fit(X.reshape(40, -1))
    with pytest.raises(InvalidParameter, match="a loss of single pixels"):
        ist.DenoisingAutoencoder(loss=loss, noise="blind_spot", **SETTINGS).fit(X)
