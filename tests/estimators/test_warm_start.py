"""With warm_start, fit goes on from what is fitted."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import isthmus as ist
from isthmus.core.errors import InvalidData, InvalidParameter, SchemaMismatch

QUICK = {"latent_dim": 2, "hidden": (8,), "random_state": 0, "verbose": 0, "warm_start": True}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 2)) @ RNG.normal(size=(2, 5)) + RNG.normal(size=(90, 5)) / 10
LABELS = np.where(X[:, 0] > 0, "up", "down")


def small(kind=ist.Autoencoder, **settings):
    return kind(**{**QUICK, "epochs": 8, "schedule": "constant", **settings})


@pytest.mark.parametrize(
    "kind",
    [
        ist.Autoencoder,
        ist.DenoisingAutoencoder,
        ist.SupervisedAutoencoder,
        ist.VariationalAutoencoder,
    ],
)
@pytest.mark.filterwarnings("ignore:.*collapsed")
def test_a_second_fit_goes_on(kind, tmp_path):
    model = small(kind).fit(X, LABELS)
    first = model.history_["loss"]
    model.save(tmp_path / "m.isthmus")
    schema = model.schema_
    loaded = ist.load(tmp_path / "m.isthmus")
    again = model.fit(X, LABELS).history_["loss"]
    assert again[0] < first[0]
    assert min(again) < min(first)
    assert model.n_iter_ == 8
    assert model.schema_.to_config() == schema.to_config()
    assert loaded.warm_start is True
    np.testing.assert_allclose(loaded.fit(X, LABELS).transform(X), model.transform(X), atol=1e-6)
    cold = clone(model).set_params(warm_start=False).fit(X, LABELS)
    assert cold.history_["loss"] == first
    assert cold.fit(X, LABELS).history_["loss"] == first


def test_scales_are_those_of_the_first_fit():
    model = small().fit(X)
    codes = model.transform(X)
    model.set_params(learning_rate=1e-12).fit(100 * X[:50])
    np.testing.assert_allclose(model.transform(X), codes, atol=1e-4)


def test_a_pair_of_the_users_own_goes_on():
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(5)])
    settings = QUICK | {"hidden": "auto", "epochs": 8, "schedule": "constant"}
    model = ist.Autoencoder(**settings, encoder=encoder, decoder=decoder).fit(X)
    first = min(model.history_["loss"])
    assert min(model.fit(X).history_["loss"]) < first
    encoder.add(keras.layers.Activation("tanh"))
    with pytest.raises(InvalidParameter, match="models of another one"):
        model.fit(X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_dim": 3}, "warm_start=True: latent_dim: expected 2"),
        ({"hidden": (9,)}, "hidden"),
        ({"activation": "relu"}, "activation"),
        ({"architecture": "linear", "hidden": "auto"}, "architecture"),
        ({"scale": "none"}, "scale"),
        ({"checkpoint": "c"}, "warm_start with a checkpoint"),
    ],
)
def test_settings_of_another_network_are_refused(change, message):
    model = small(epochs=1).fit(X)
    codes = model.transform(X)
    with pytest.raises(InvalidParameter, match=message):
        model.set_params(**change).fit(X)
    np.testing.assert_array_equal(model.transform(X), codes)


def test_other_columns_and_labels_are_refused():
    model = small(epochs=1).fit(X)
    with pytest.raises(SchemaMismatch, match="pass the columns that fit was given"):
        model.fit(X[:, :4])
    table = pd.DataFrame({"a": X[:, 0], "kind": LABELS})
    of_table = small(epochs=1).fit(table)
    of_table.fit(table[:40])
    with pytest.raises(SchemaMismatch):
        of_table.fit(table.rename(columns={"a": "b"}))
    supervised = small(ist.SupervisedAutoencoder, epochs=1).fit(X, LABELS)
    some = np.where(RNG.random(90) < 0.5, LABELS, None)
    assert list(supervised.fit(X, some).classes_) == ["down", "up"]
    with pytest.raises(InvalidData, match="classes of the earlier fit"):
        supervised.fit(X, np.where(LABELS == "up", "left", "down"))
    regression = small(ist.SupervisedAutoencoder, epochs=1, task="regression").fit(X, X[:, 0])
    regression.fit(X, 2 * X[:, 0])
    with pytest.raises(InvalidData, match="1 targets"):
        regression.fit(X, X[:, :2])
