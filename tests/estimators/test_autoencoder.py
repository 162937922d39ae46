import copy
import pickle
import random
import threading
import warnings

import jax.numpy as jnp
import joblib
import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as ist
from isthmus.core.errors import (
    DataWarning,
    InvalidData,
    InvalidParameter,
    SchemaMismatch,
    TrainingWarning,
)

IRIS = load_iris().data
QUICK = {"epochs": 2, "random_state": 0, "verbose": 0}


def small(**settings):
    return ist.Autoencoder(**{"latent_dim": 2, "hidden": (8,), **QUICK, **settings})


@pytest.fixture(scope="module")
def fitted():
    return small(epochs=20).fit(IRIS)


@parametrize_with_checks([small(epochs=1)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_public_use(fitted):
    codes = fitted.transform(IRIS)
    assert codes.shape == (150, 2)
    assert codes.dtype == np.float32
    assert fitted.inverse_transform(codes).shape == IRIS.shape
    np.testing.assert_allclose(fitted.reconstruct(IRIS), fitted.inverse_transform(codes), rtol=1e-5)
    errors = fitted.reconstruction_error(IRIS)
    assert errors.shape == (150,)
    assert (errors >= 0).all()
    assert fitted.score(IRIS) == -errors.mean()
    assert isinstance(fitted.encoder_, keras.Model)
    assert list(fitted.get_feature_names_out()) == ["autoencoder0", "autoencoder1"]
    assert set(fitted.history_) == {"epoch", "loss", "val_loss", "learning_rate", "seconds"}


def test_the_same_random_state_gives_the_same_bits():
    a, b, c = (small(random_state=s).fit(IRIS).transform(IRIS) for s in (0, 0, 1))
    assert (a == b).all()
    assert (a != c).any()


def test_global_randomness_is_left_alone():
    pair = own_pair()  # Keras draws its seeds when layers are created
    before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    for change in ({}, pair):
        small(**change, random_state=None).fit(IRIS)
    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
    assert random.getstate() == before[1]


@given(st.lists(st.integers(0, 149), min_size=2, max_size=150))
@settings(max_examples=20, deadline=None)
def test_a_row_does_not_depend_on_its_neighbours(fitted, rows):
    whole = fitted.transform(IRIS)
    np.testing.assert_array_equal(fitted.transform(IRIS[rows]), whole[rows])


def test_eight_threads_at_once(fitted):
    expected, wrong = fitted.reconstruct(IRIS), []
    fresh = pickle.loads(pickle.dumps(fitted))  # so that threads compile at the same time

    def work():
        wrong.extend(call for call in range(20) if not (fresh.reconstruct(IRIS) == expected).all())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    fitted.encoder_.predict(IRIS[:5], verbose=0)  # donates the buffers of the public model
    np.testing.assert_array_equal(fitted.reconstruct(IRIS), expected)


@pytest.mark.parametrize(
    "round_trip",
    [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy],
    ids=["pickle", "deepcopy"],
)
def test_copies_are_equal(fitted, round_trip):
    np.testing.assert_array_equal(round_trip(fitted).reconstruct(IRIS), fitted.reconstruct(IRIS))


def test_joblib(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "m.joblib")
    again = joblib.load(tmp_path / "m.joblib")
    np.testing.assert_array_equal(again.transform(IRIS), fitted.transform(IRIS))


def test_clone_is_unfitted(fitted):
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "network_")


def test_pipeline_and_grid_search():
    digits = load_digits()
    X, y = digits.data[:300], digits.target[:300]
    pipeline = make_pipeline(small(latent_dim=8, epochs=3), LogisticRegression(max_iter=2000))
    search = GridSearchCV(pipeline, {"autoencoder__latent_dim": [2, 8]}, cv=2).fit(X, y)
    assert search.best_params_["autoencoder__latent_dim"] == 8


@pytest.mark.parametrize(("kind", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output(kind, frame):
    X = frame(IRIS, ["a", "b", "c", "d"]) if kind == "polars" else frame(IRIS, columns=list("abcd"))
    model = small().set_output(transform=kind).fit(X)
    codes = model.transform(X)
    assert isinstance(codes, frame)
    assert list(codes.columns) == ["autoencoder0", "autoencoder1"]
    rebuilt = model.reconstruct(X)
    assert isinstance(rebuilt, frame)
    assert list(rebuilt.columns) == ["a", "b", "c", "d"]
    assert list(model.feature_names_in_) == ["a", "b", "c", "d"]


def test_columns_in_another_order_absent_or_new():
    X = pd.DataFrame(IRIS, columns=["sepal", "width", "petal", "stem"])
    model = small().fit(X)
    expected = model.transform(X)
    np.testing.assert_array_equal(model.transform(X[X.columns[::-1]]), expected)
    with pytest.raises(SchemaMismatch, match="petal"):
        model.transform(X.drop(columns="petal"))
    with pytest.raises(SchemaMismatch, match="colour"):
        model.transform(X.assign(colour=1.0))


def test_a_table_of_many_kinds_comes_back_as_it_was():
    rng = np.random.default_rng(0)
    n = 60
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "count": rng.integers(0, 50, n),
            "flag": rng.random(n) > 0.5,
            "city": rng.choice(["Bergen", "Oslo", "Narvik"], n),
            "day": pd.date_range("2024-01-01", periods=n),
            "fixed": 7,
        }
    )
    X.loc[::7, "size"] = np.nan
    X.loc[::5, "city"] = None
    model = small(hidden=(16,), epochs=5).fit(X)
    assert model.loss_ == "mixture"
    rebuilt = model.reconstruct(X)
    assert list(rebuilt.columns) == list(X.columns)
    assert (rebuilt.dtypes == X.dtypes).all()
    assert not rebuilt.isna().any().any()
    assert set(rebuilt["city"]) <= {"Bergen", "Oslo", "Narvik"}
    assert (rebuilt["fixed"] == 7).all()
    unseen = X.assign(city="Paris")
    with pytest.warns(DataWarning, match=r"'city' in 60 rows \(such as 'Paris'\)"):
        assert np.isfinite(model.transform(unseen)).all()
    with pytest.raises(SchemaMismatch, match="Paris"):
        small(hidden=(16,), epochs=1, unknown="error").fit(X).transform(unseen)
    assert (model.reconstruction_error(X) >= 0).all()


def test_images_keep_their_shape_and_range():
    X = (load_digits().images[:100] * 15).astype(np.uint8)
    model = small(latent_dim=4).fit(X)
    rebuilt = model.reconstruct(X)
    assert rebuilt.shape == X.shape
    assert 0 <= rebuilt.min() <= rebuilt.max() <= 255
    assert model.loss_ == "bce"
    with pytest.raises(SchemaMismatch, match=r"\(8, 8\).*\(6, 6\)"):
        model.transform(X[:, :6, :6])


@pytest.mark.parametrize(("rows", "columns"), [(1, 4), (2, 1), (300, 1), (3, 2000)])
def test_any_shape(rows, columns):
    X = np.random.default_rng(0).normal(size=(rows, columns))
    model = small(latent_dim=1).fit(X)
    assert np.isfinite(model.reconstruct(X)).all()


def test_missing_cells_are_filled_in(fitted):
    X = IRIS.copy()
    X[::3, 1] = np.nan
    assert np.isfinite(fitted.reconstruct(X)).all()
    assert np.isfinite(fitted.reconstruction_error(X)).all()


def own_pair(code=2, out=4):
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(code)])
    decoder = keras.Sequential(
        [keras.Input((code,)), keras.layers.Dropout(0.1), keras.layers.Dense(out)]
    )
    return {"encoder": encoder, "decoder": decoder}


def test_the_users_own_networks_are_cloned_and_repeat():
    pair = own_pair()
    before = [np.asarray(w) for w in pair["encoder"].get_weights()]
    model = small(**pair).fit(IRIS)
    after = pair["encoder"].get_weights()
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    np.testing.assert_array_equal(small(**pair).fit(IRIS).transform(IRIS), model.transform(IRIS))
    assert model.latent_dim_ == 2
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(IRIS), model.transform(IRIS))


def test_the_public_models_are_the_persons_to_change(tmp_path):
    for change in ({}, own_pair()):
        model = small(**change).fit(IRIS)
        codes = model.transform(IRIS)
        model.encoder_.set_weights([np.zeros_like(w) for w in model.encoder_.get_weights()])
        np.testing.assert_array_equal(model.transform(IRIS), codes)
        model.save(tmp_path / "m.isthmus")
        np.testing.assert_array_equal(ist.load(tmp_path / "m.isthmus").transform(IRIS), codes)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(IRIS), codes)


def test_a_pair_of_the_users_own_learns_categories_and_pictures():
    rng = np.random.default_rng(0)
    kinds = rng.choice(["a", "b", "c"], 300)
    X = pd.DataFrame({"kind": kinds, "size": (kinds == "a") + rng.normal(0, 0.1, 300)})
    model = small(**own_pair(), epochs=60, learning_rate=0.02).fit(X)
    assert model.loss_ == "mse"  # the decoder's last activation is unknown
    assert (model.reconstruct(X)["kind"] == kinds).mean() > 0.95


def test_common_layers_are_refused():
    layer = keras.layers.Dense(4)
    halves = [keras.Sequential([keras.Input((4,)), layer]) for _ in range(2)]
    with pytest.raises(InvalidParameter, match="share weights"):
        small(encoder=halves[0], decoder=halves[1]).fit(IRIS)


@pytest.mark.parametrize("share", [0.01, 0.98])
def test_any_validation_share(share):
    assert small(validation_fraction=share).fit(IRIS[:20]).n_iter_ == 2


def test_a_loss_of_the_users_own_equals_the_built_in():
    def loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

    mine, built_in = (small(loss=f).fit(IRIS) for f in (loss, "mse"))
    np.testing.assert_allclose(mine.history_["loss"], built_in.history_["loss"], rtol=1e-4)
    np.testing.assert_allclose(mine.transform(IRIS), built_in.transform(IRIS), rtol=1e-2, atol=1e-3)
    assert mine.loss_ == "custom:loss"
    jax_loss = small(loss=lambda t, p: jnp.abs(t - p)).fit(IRIS)
    assert np.isfinite(jax_loss.history_["loss"]).all()


def test_linear_is_pca():
    X = np.random.default_rng(0).normal(size=(400, 6)) @ np.diag([5, 4, 3, 0.3, 0.2, 0.1])
    model = ist.Autoencoder(
        3, architecture="linear", scale="none", epochs=150, random_state=0, learning_rate=0.02
    ).fit(X)
    residual = X - X.mean(0)
    _, s, _ = np.linalg.svd(residual, full_matrices=False)
    best = (s[3:] ** 2).sum() / X.size
    assert -model.score(X) < 1.1 * best


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_dim": 0}, "latent_dim: expected an integer from 1"),
        ({"latent_dim": 2.5}, "received 2.5"),
        ({"latent_dim": 2**40}, "from 1 to 1,048,576"),
        ({"architecture": "dens"}, "did you mean 'dense'"),
        ({"activation": "rely"}, "did you mean 'relu'"),
        ({"normalization": "bath"}, "did you mean 'batch'"),
        ({"hidden": "big"}, r"'auto' or the units of each hidden layer"),
        ({"hidden": (4, -1)}, "hidden: expected an integer"),
        ({"architecture": "linear"}, "no hidden layers"),
        ({"loss": "bce"}, "values within"),
        ({"l1": -1.0}, "l1: expected a finite number at least 0"),
        ({"contraction": np.nan}, "received nan"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": True}, "batch_size"),
        ({"learning_rate": 0}, "above 0"),
        ({"validation_fraction": 1.0}, "below 1"),
        ({"precision": "float8"}, "precision"),
        ({"random_state": "x"}, "random_state"),
        ({"optimizer": "adan"}, "did you mean 'adam'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"patience": 0}, "patience"),
        ({"scale": "minmax"}, "scale"),
        ({"encoder": 3}, "encoder: expected a keras.Model"),
        ({**own_pair(), "latent_dim": 3}, "latent_dim: expected 2"),
        ({"checkpoint": 5}, "checkpoint: expected the path"),
        (own_pair(out=5), r"decoder output: expected the shape \(4,\)"),
    ],
)
def test_settings_that_cannot_work(change, message):
    with pytest.raises(InvalidParameter, match=message):
        small(**change).fit(IRIS)


def test_a_code_larger_than_the_input_is_allowed_with_a_warning():
    with pytest.warns(DataWarning, match="latent_dim=6 is larger than the 4 cells"):
        small(latent_dim=6).fit(IRIS)


def test_a_network_for_no_memory():
    with pytest.raises(InvalidParameter, match="the network: expected at most"):
        small(hidden=(2**20, 2**20)).fit(IRIS)


def test_labels_of_another_length():
    with pytest.raises(InvalidData, match="150 rows of X, received 3 labels"):
        small().fit(IRIS, [1, 2, 3])


def test_infinities_name_their_column():
    X = IRIS.copy()
    X[7, 2] = np.inf
    with pytest.raises(InvalidData, match="x2"):
        small().fit(X)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    with pytest.raises(InvalidData, match="'c'"):
        small().fit(frame)


def broken(target, rebuilt):
    if target.sum() > 0:
        return target
    return rebuilt


@pytest.mark.parametrize(
    ("loss", "received"),
    [
        (lambda t, p: None, "None is not a valid value"),
        (lambda t: t, "TypeError"),
        (broken, "TracerBoolConversionError"),
        (keras.losses.MeanSquaredError, "Error: "),
    ],
)
def test_losses_that_cannot_be_called(loss, received):
    with pytest.raises(InvalidParameter, match=f"loss .*received .*{received}"):
        small(loss=loss).fit(IRIS)


def test_another_number_of_columns(fitted):
    with pytest.raises(SchemaMismatch, match=r"3 features.*expecting 4.*Try: pass the columns"):
        fitted.transform(IRIS[:, :3])


def test_masked_cells_are_missing_cells():
    masked = np.ma.masked_greater(IRIS, 6.0)
    codes = [small().fit(X).transform(X) for X in (masked, masked.filled(np.nan))]
    np.testing.assert_array_equal(*codes)


def test_a_failed_fit_leaves_what_was_fitted():
    model = small().fit(IRIS)
    codes = model.transform(IRIS)
    with pytest.raises(InvalidData):
        model.fit(np.full((10, 3), np.nan))
    np.testing.assert_array_equal(model.transform(IRIS), codes)


def test_a_row_without_observed_cells_has_no_error(fitted):
    X = np.vstack([IRIS, np.full((5, 4), np.nan)])
    errors = fitted.reconstruction_error(X)
    assert np.isnan(errors[150:]).all()
    assert fitted.score(X) == pytest.approx(fitted.score(IRIS))


def test_even_one_step_learns():
    X = IRIS[:64]
    first, second = (
        small(epochs=1, batch_size=64, validation_fraction=0, learning_rate=rate).fit(X)
        for rate in (0.002, 0.5)
    )
    assert first.history_["learning_rate"][0] > 0
    assert (first.transform(X) != second.transform(X)).any()


@pytest.mark.parametrize("codes", [[[np.nan, 1.0]], [1.0, 2.0], [[1e300, 1.0]]])
def test_codes_that_are_none(fitted, codes):
    with pytest.raises(InvalidData):
        fitted.inverse_transform(codes)


def test_number_columns_have_no_names():
    model = small().fit(pd.DataFrame(IRIS))
    assert not hasattr(model, "feature_names_in_")
    assert model.transform(pd.DataFrame(IRIS)).shape == (150, 2)
    assert model.transform(IRIS).shape == (150, 2)


def test_a_saved_custom_loss_must_be_given_again(tmp_path):
    small(loss=lambda t, p: (t - p) ** 2).fit(IRIS).save(tmp_path / "m.isthmus")
    model = ist.load(tmp_path / "m.isthmus")
    with pytest.raises(InvalidParameter, match=r"set_params\(loss="):
        model.fit(IRIS)
    assert model.set_params(loss="mse").fit(IRIS).loss_ == "mse"


def test_codes_of_another_size(fitted):
    with pytest.raises(SchemaMismatch, match=r"expected shape \(n, 2\), received \(5, 3\)"):
        fitted.inverse_transform(np.zeros((5, 3)))


def test_auto_sizes():
    model = ist.Autoencoder(epochs=1, verbose=0, random_state=0).fit(load_digits().images[:64])
    assert model.latent_dim_ == 16
    assert ist.Autoencoder(epochs=1, verbose=0).fit(IRIS).latent_dim_ == 2


def test_bfloat16_keeps_float32_weights():
    model = small(precision="bfloat16", epochs=10).fit(IRIS)
    assert {w.dtype for w in model.encoder_.get_weights()} == {np.dtype(np.float32)}
    assert np.isfinite(model.history_["loss"]).all()


def test_silent_without_a_terminal(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(verbose=1).fit(IRIS)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.nightly
def test_a_million_rows():
    X = np.random.default_rng(0).normal(size=(1_000_000, 10)).astype(np.float32)
    model = small(epochs=1).fit(X)
    assert model.transform(X).shape == (1_000_000, 2)


@pytest.mark.nightly
def test_ten_thousand_columns():
    X = np.random.default_rng(0).normal(size=(200, 10_000)).astype(np.float32)
    assert small(epochs=1).fit(X).reconstruct(X).shape == X.shape


@pytest.mark.parametrize("rows", [iter(IRIS), (row for row in IRIS)])
def test_an_iterator_is_refused_by_name(rows):
    with pytest.raises(InvalidData) as caught:
        small().fit(rows)
    assert caught.value.received.startswith("an iterator")
    assert "\n" not in str(caught.value)


def test_messages_of_scikit_learn_are_one_line():
    with pytest.raises(InvalidData) as caught:
        small().fit(np.float64(1))
    assert "\n" not in str(caught.value)


class Doubled(keras.layers.Layer):
    """A layer that Keras can copy, and an archive cannot store."""

    def call(self, inputs):
        return 2 * inputs


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_layers_that_cannot_be_saved_are_told_before_training(half, tmp_path):
    X = np.random.default_rng(0).random((40, 6))
    parts = {"encoder": ((6,), 2), "decoder": ((2,), 6)}
    models = {
        name: keras.Sequential([keras.Input(shape), keras.layers.Dense(size)])
        for name, (shape, size) in parts.items()
    }
    quiet = ist.Autoencoder(**models, **QUICK).fit(X)
    quiet.save(tmp_path / "m.isthmus")
    models[half].add(Doubled(name="mine"))
    with pytest.warns(TrainingWarning, match=r"save will refuse .*layer mine \(Doubled\)"):
        model = ist.Autoencoder(**models, **QUICK | {"epochs": 1}).fit(X)
    with pytest.raises(InvalidParameter, match=r"layer mine \(Doubled\)"):
        model.save(tmp_path / "n.isthmus")
