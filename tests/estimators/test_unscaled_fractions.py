"""Values within [0, 1] with scale="none" are fractions for a loss that needs them."""

import copy
import json
import pickle

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest

import isthmus as ist
from isthmus.core.errors import DataWarning, InvalidParameter
from isthmus.persistence import artifact

QUICK = {"hidden": (8,), "epochs": 2, "random_state": 0, "verbose": 0}
UNSCALED = {"scale": "none", "loss": "bce", **QUICK}
X = np.random.default_rng(0).random((80, 5))
IMAGES = np.random.default_rng(1).random((60, 6, 4))
Y = (X[:, 0] > 0.5).astype(int)


def test_public_use():
    model = ist.Autoencoder(2, **UNSCALED).fit(X)
    assert model.loss_ == "bce"
    rebuilt = model.reconstruct(X)
    assert rebuilt.min() >= 0
    assert rebuilt.max() <= 1
    np.testing.assert_array_equal(model.schema_.to_matrix(X), X.astype(np.float32))


def test_it_is_what_auto_learns_from_such_values():
    unscaled, auto = (
        ist.Autoencoder(2, scale=s, loss="bce", **QUICK).fit(X) for s in ("none", "auto")
    )
    np.testing.assert_array_equal(unscaled.transform(X), auto.transform(X))


@pytest.mark.parametrize(
    "rows",
    [
        X.astype(np.float32),
        X > 0.5,
        (X > 0.5).astype(int),
        X[:, :1],
        IMAGES,
        IMAGES[..., None],
        np.where(X > 0.9, np.nan, X),
        pd.DataFrame(X, columns=list("abcde")),
        pl.DataFrame(X, schema=list("abcde")),
        pd.DataFrame({"whole": np.arange(80) % 2, "half": X[:, 0].astype(np.float32)}),
    ],
    ids=[
        "float32",
        "bool",
        "int",
        "one column",
        "images",
        "channels",
        "missing",
        "pandas",
        "polars",
        "whole numbers",
    ],
)
def test_relatives(rows):
    model = ist.Autoencoder(1, **UNSCALED).fit(rows)
    rebuilt = np.asarray(model.reconstruct(rows), dtype=float)
    assert model.loss_ == "bce"
    assert model.schema_.values == "unit"
    assert 0 <= rebuilt.min() <= rebuilt.max() <= 1


@pytest.mark.parametrize("kind", [ist.DenoisingAutoencoder, ist.SupervisedAutoencoder])
def test_other_estimators(kind):
    model = kind(2, **UNSCALED).fit(X, Y)
    assert model.loss_ == "bce"
    assert 0 <= model.reconstruct(X).min() <= model.reconstruct(X).max() <= 1


def test_noise_for_fractions():
    model = ist.DenoisingAutoencoder(2, noise="salt_pepper", noise_level=0.2, **UNSCALED).fit(X)
    assert model.loss_ == "bce"


@pytest.mark.parametrize("likelihood", ["bernoulli", "binarized"])
def test_likelihoods(likelihood):
    model = ist.VariationalAutoencoder(2, scale="none", likelihood=likelihood, **QUICK).fit(X)
    assert model.loss_ == likelihood
    assert model.sample(9, random_state=0).min() >= 0
    with pytest.raises(InvalidParameter, match=r"likelihood '.*' with scale='none'.*from 0\.0"):
        model.fit(3 * X)


def test_a_pair_of_the_users_own():
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(5, activation="sigmoid")])
    model = ist.Autoencoder(encoder=encoder, decoder=decoder, **UNSCALED).fit(X)
    assert model.loss_ == "bce"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x * 4 - 1, r"from -0\.9\d+ to 2\.9\d+"),
        (lambda x: np.where(x == x.max(), 1.5, x), r"from 0\.0\d+ to 1\.5\."),
        (lambda x: np.where(x == x.min(), -1e-6, x), r"from -1e-06 to 0\.99\d+"),
        (lambda x: (255 * x).astype(np.uint8), "from 0 to 254"),
        (lambda x: pd.DataFrame({"a": x[:, 0], "b": 7 * x[:, 1]}), r"from 0\.0\d+ to 6\.9\d+"),
    ],
)
def test_other_values_are_refused_with_the_smallest_and_the_largest(change, said):
    with pytest.raises(
        InvalidParameter, match=rf"'bce' with scale='none'.*within \[0, 1\].*{said}.*scale='range'"
    ):
        ist.Autoencoder(2, **UNSCALED).fit(change(X))


def test_categories_are_refused_as_before():
    frame = pd.DataFrame({"a": X[:, 0], "b": Y > 0})
    with pytest.raises(InvalidParameter, match="a table with categories or booleans"):
        ist.Autoencoder(2, **UNSCALED).fit(frame)


@pytest.mark.parametrize("loss", ["auto", "mse"])
def test_other_losses_stay_as_they_are(loss):
    model = ist.Autoencoder(2, **{**UNSCALED, "loss": loss}).fit(X)
    assert (model.loss_, model.schema_.values) == ("mse", "real")


@pytest.mark.parametrize("rows", [X, IMAGES, pd.DataFrame(X, columns=list("abcde"))])
def test_archives_and_copies(rows, tmp_path):
    model = ist.Autoencoder(2, **UNSCALED).fit(rows)
    model.save(tmp_path / "m.isthmus")
    loaded = ist.load(tmp_path / "m.isthmus")
    assert loaded.get_params()["scale"] == "none"
    assert loaded.get_params()["loss"] == "bce"
    for copied in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(copied.transform(rows), model.transform(rows))
        np.testing.assert_array_equal(
            np.asarray(copied.reconstruct(rows)), np.asarray(model.reconstruct(rows))
        )
    json.dumps(artifact.read(tmp_path / "m.isthmus").manifest["schema"])
    assert loaded.fit(rows).loss_ == "bce"


def test_values_outside_later_are_treated_as_with_another_scale():
    unscaled, auto = (
        ist.Autoencoder(2, scale=s, loss="bce", **QUICK).fit(X) for s in ("none", "auto")
    )
    outside = X.copy()
    outside[3] = [-0.5, 1.5, 2.0, 0.0, 1.0]
    np.testing.assert_array_equal(
        unscaled.reconstruction_error(outside), auto.reconstruction_error(outside)
    )
    with pytest.warns(DataWarning, match="another scale: expected values from 0 to 1"):
        unscaled.transform(255 * X)


def test_the_referee_gives_the_cross_entropy_and_a_detector_takes_it():
    model = ist.Autoencoder(2, **UNSCALED)
    assert ist.referee(model.fit(X), X).contestants[0].cross_entropy > 0
    detector = ist.AnomalyDetector(model, false_alarm_rate=0.1, random_state=0).fit(X)
    assert np.isfinite(detector.anomaly_score(X)).all()
    assert detector.autoencoder_.loss_ == "bce"
