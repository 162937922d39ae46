import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as ist
from isthmus.core.errors import InvalidParameter

QUICK = {"epochs": 2, "random_state": 0, "verbose": 0}


def small(**settings):
    return ist.DenoisingAutoencoder(**{"latent_dim": 2, "hidden": (8,), **QUICK, **settings})


@pytest.fixture(scope="module")
def pictures(digits):
    return (digits.images[:600] / 16).astype(np.float32)


@parametrize_with_checks([small(epochs=1)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_it_takes_noise_away(pictures):
    noise = np.random.default_rng(1).normal(0, 0.3, pictures.shape)
    noisy = np.clip(pictures + noise, 0, 1).astype(np.float32)
    model = ist.DenoisingAutoencoder(
        16, noise_level=0.3, epochs=40, random_state=0, verbose=0, batch_size=64
    ).fit(pictures[:500])
    assert model.loss_ == "bce"

    def error(X):
        return np.square(X[500:] - pictures[500:]).mean()

    denoised = model.denoise(noisy)
    assert error(denoised) < 0.65 * error(noisy)
    np.testing.assert_array_equal(denoised, model.reconstruct(noisy))
    plain = ist.Autoencoder(16, epochs=40, random_state=0, verbose=0, batch_size=64)
    assert error(denoised) < 0.95 * error(plain.fit(pictures[:500]).reconstruct(noisy))


@pytest.mark.parametrize("noise", ["masking", "salt_pepper", lambda key, x: x * 0.9])
def test_every_noise_trains_and_repeats(pictures, noise):
    a, b = (small(noise=noise, noise_level=0.2).fit(pictures[:100]) for _ in range(2))
    np.testing.assert_array_equal(a.transform(pictures), b.transform(pictures))
    clean = ist.Autoencoder(2, hidden=(8,), **QUICK).fit(pictures[:100])
    assert (a.transform(pictures) != clean.transform(pictures)).any()


def test_a_table_with_categories_and_missing_cells():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=80), "kind": rng.choice(["a", "b"], 80)})
    X.loc[::7, "size"] = np.nan
    for noise in ("gaussian", "masking"):
        model = small(noise=noise).fit(X)
        assert model.loss_ == "mixture"
        assert not model.denoise(X).isna().any().any()


def test_pipeline_clone_and_archive(pictures, tmp_path):
    labels = np.arange(100) % 2
    rows = pictures[:100].reshape(100, -1)
    pipeline = make_pipeline(small(), LogisticRegression()).fit(rows, labels)
    again = clone(pipeline).fit(rows, labels)
    np.testing.assert_array_equal(again.predict_proba(rows), pipeline.predict_proba(rows))
    codes = pipeline[0].transform(rows)
    assert codes.shape == (100, 2)
    np.testing.assert_array_equal(pipeline[1].predict(codes), pipeline.predict(rows))
    model = small(noise="masking", architecture="convolutional", hidden=(3,)).fit(pictures[:100])
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    assert type(again) is ist.DenoisingAutoencoder
    assert again.get_params() == model.get_params()
    for other in (again, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.denoise(pictures), model.denoise(pictures))


def test_a_saved_noise_of_your_own_must_be_given_again(pictures, tmp_path):
    small(noise=lambda key, x: x).fit(pictures[:50]).save(tmp_path / "m.isthmus")
    model = ist.load(tmp_path / "m.isthmus")
    with pytest.raises(InvalidParameter, match=r"set_params\(noise="):
        model.fit(pictures[:50])


def test_a_run_goes_on_with_the_same_noise(pictures, tmp_path):
    whole = small(epochs=4, checkpoint=tmp_path / "c").fit(pictures[:100])
    again = small(epochs=4, checkpoint=tmp_path / "c").fit(pictures[:100])
    np.testing.assert_array_equal(whole.transform(pictures), again.transform(pictures))
    with pytest.raises(InvalidParameter, match="received another noise_level"):
        small(epochs=4, noise_level=0.1, checkpoint=tmp_path / "c").fit(pictures[:100])


def half(key, x):
    return x[:, :4]


def numpy_noise(key, x):
    return np.asarray(x) + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": "gausian"}, "did you mean 'gaussian'"),
        ({"noise": None}, "noise: expected one of"),
        ({"noise_level": -1}, "noise_level: expected a finite number at least 0"),
        ({"noise": "masking", "noise_level": 1.5}, "at most 1"),
        ({"noise": half}, r"noise 'half': .*received values of shape \(2, 4, 8\)"),
        ({"noise": numpy_noise}, "noise 'numpy_noise': .*TracerArrayConversionError"),
        ({"noise": lambda x: x}, "TypeError"),
        ({"noise": lambda key, x: jax.random.bernoulli(key, 0.5, x.shape)}, "bool"),
        ({"noise": lambda key, x: jnp.float16(x)}, "float16"),
    ],
)
def test_noise_that_cannot_work(pictures, change, message):
    with pytest.raises(InvalidParameter, match=message):
        small(**change).fit(pictures[:50])
