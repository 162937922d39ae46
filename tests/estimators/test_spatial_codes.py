"""Codes of the user's own networks may have several dimensions; they are vectors elsewhere."""

import pickle

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import isthmus as ist
from isthmus.core.errors import InvalidParameter, SchemaMismatch

QUICK = {"epochs": 2, "random_state": 0, "verbose": 0}


def pair(code=(4, 4, 3)):
    keras.utils.set_random_seed(0)
    convolution = {"padding": "same", "activation": "relu"}
    encoder = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(3, 3, strides=2, **convolution),
            layers.Reshape(code),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input(code),
            layers.Reshape((4, 4, 3)),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
            layers.Reshape((8, 8)),
        ]
    )
    return {"encoder": encoder, "decoder": decoder}


@pytest.fixture(scope="module")
def pictures(digits):
    return (digits.images[:200] / 16).astype(np.float32)


@pytest.fixture(scope="module", params=[(4, 4, 3), (16, 3)])
def model(request, pictures):
    return ist.Autoencoder(**pair(request.param), **QUICK).fit(pictures)


def test_codes_are_flat_and_their_shape_is_known(model, pictures):
    codes = model.transform(pictures)
    assert codes.shape == (200, 48) == (200, model.latent_dim_)
    spatial = codes.reshape(-1, *model.code_shape_)
    own = model.network_.halves[0].predict(pictures, verbose=0)
    np.testing.assert_allclose(spatial, own, atol=1e-5)
    rebuilt = model.inverse_transform(codes)
    np.testing.assert_array_equal(model.inverse_transform(spatial), rebuilt)
    np.testing.assert_allclose(model.reconstruct(pictures), rebuilt, atol=1e-5)
    assert model.encoder_.output_shape == (None, 48)
    assert ist.parameter_table(model).code_cells == 48
    with pytest.raises(SchemaMismatch, match="48"):
        model.inverse_transform(codes[:, :47])


def test_they_are_saved(model, pictures, tmp_path):
    model.save(tmp_path / "m.isthmus")
    for again in (ist.load(tmp_path / "m.isthmus"), pickle.loads(pickle.dumps(model))):
        assert again.code_shape_ == model.code_shape_
        np.testing.assert_array_equal(again.transform(pictures), model.transform(pictures))
        np.testing.assert_array_equal(again.reconstruct(pictures), model.reconstruct(pictures))
    ist.load(tmp_path / "m.isthmus").fit(pictures[:50])


def test_tasks_take_them(pictures, digits, tmp_path):
    labels = digits.target[:200]
    pipeline = make_pipeline(ist.Autoencoder(**pair(), **QUICK), LogisticRegression(max_iter=500))
    assert pipeline.fit(pictures, labels).score(pictures, labels) > 0.5
    supervised = ist.SupervisedAutoencoder(**pair(), **QUICK).fit(pictures, labels)
    assert supervised.predict_proba(pictures).shape == (200, 10)
    detector = ist.AnomalyDetector(ist.Autoencoder(**pair(), **QUICK), false_alarm_rate=0.1)
    detector.fit(pictures).save(tmp_path / "d.isthmus")
    again = ist.load(tmp_path / "d.isthmus")
    np.testing.assert_allclose(
        again.anomaly_score(pictures), detector.anomaly_score(pictures), rtol=1e-6
    )
    index = ist.SimilarityIndex(ist.Autoencoder(**pair(), **QUICK)).fit(pictures)
    assert (index.kneighbors(pictures[:5], n_neighbors=1)[1].ravel() == np.arange(5)).all()
    assert ist.referee(supervised, pictures).contestants[0].code_size == 48


def test_other_architectures_have_the_shape_of_a_vector(small_model):
    assert small_model[0].code_shape_ == (2,)
    assert not hasattr(ist.Autoencoder(), "code_shape_")


def test_what_does_not_fit_is_refused(pictures):
    with pytest.raises(InvalidParameter, match=r"decoder input: .*\(4, 4, 3\)"):
        ist.Autoencoder(encoder=pair()["encoder"], decoder=pair((16, 3))["decoder"]).fit(pictures)
    with pytest.raises(InvalidParameter, match="latent_dim: expected 48"):
        ist.Autoencoder(4, **pair()).fit(pictures)
    with pytest.raises(InvalidParameter, match="Flatten"):
        ist.VariationalAutoencoder(**pair()).fit(pictures)
    open_ended = keras.Sequential([keras.Input((None, 8)), layers.Conv1D(3, 3, padding="same")])
    with pytest.raises(InvalidParameter, match="codes of one shape"):
        ist.Autoencoder(encoder=open_ended, decoder=pair()["decoder"]).fit(pictures)
