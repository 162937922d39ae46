import copy
import pickle

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, check_cv
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidData, InvalidParameter
from isthmus.persistence import artifact

IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = load_iris().target_names[SPECIES]
QUICK = {"epochs": 2, "random_state": 0, "verbose": 0}


def small(**settings):
    plain = {"latent_dim": 2, "hidden": (8,), "head_hidden": (8,), **QUICK}
    return ist.SupervisedAutoencoder(**{**plain, **settings})


@pytest.fixture(scope="module")
def fitted():
    return small(epochs=60, learning_rate=0.02).fit(IRIS, NAMES)


@pytest.fixture(scope="module")
def regressor():
    X, y = load_diabetes(return_X_y=True)
    return small(task="regression", epochs=30, latent_dim=4).fit(X, y), X, y


LEARNS = {"epochs": 60, "learning_rate": 0.02, "classification_weight": 1.0, "batch_size": 16}


@parametrize_with_checks([small(**LEARNS), small(task="regression", **LEARNS)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_public_use(fitted):
    assert list(fitted.classes_) == ["setosa", "versicolor", "virginica"]
    predicted, probabilities = fitted.predict(IRIS), fitted.predict_proba(IRIS)
    assert set(predicted) <= set(NAMES)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (fitted.classes_[probabilities.argmax(axis=1)] == predicted).all()
    assert fitted.score(IRIS, NAMES) == accuracy_score(NAMES, predicted) > 0.9
    assert fitted.transform(IRIS).shape == (150, 2)
    assert fitted.reconstruct(IRIS).shape == IRIS.shape
    assert isinstance(fitted.head_, keras.Model)
    np.testing.assert_allclose(fitted.head_(fitted.transform(IRIS)), probabilities, rtol=1e-4)
    assert fitted.labelled_share_ == 1
    assert fitted.history_["val_accuracy"][-1] > 0.8
    assert fitted.history_["supervised_loss"][-1] < fitted.history_["supervised_loss"][0]


def test_codes_part_what_labels_part(digits):
    X, y = (digits.images / 16).astype(np.float32), digits.target
    settings = {"latent_dim": 2, "epochs": 25, "random_state": 0, "verbose": 0}
    model = ist.SupervisedAutoencoder(**settings).fit(X[:1400], y[:1400])
    plain = ist.Autoencoder(**settings).fit(X[:1400])
    assert model.score(X[1400:], y[1400:]) > 0.88
    rest = X[1400:]
    assert model.reconstruction_error(rest).mean() < 1.5 * plain.reconstruction_error(rest).mean()


def test_regression(regressor):
    model, X, y = regressor
    assert model.score(X, y) == pytest.approx(r2_score(y, model.predict(X)))
    assert model.score(X, y) > 0.35
    assert model.predict(X).shape == y.shape
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "classes_")
    assert "accuracy" not in model.history_
    both = small(task="regression").fit(X, np.column_stack([y, -1000 * y]))
    assert both.predict(X).shape == (len(X), 2)
    np.testing.assert_array_equal(both.predict(X).std(axis=0) > 0, True)


def test_what_scikit_learn_takes_it_for():
    assert is_classifier(small())
    assert is_classifier(make_pipeline(small()))
    assert is_regressor(small(task="regression"))
    assert isinstance(check_cv(2, SPECIES, classifier=is_classifier(small())), StratifiedKFold)
    search = GridSearchCV(small(**LEARNS), {"latent_dim": [1, 2]}, cv=2).fit(IRIS, NAMES)
    assert search.best_score_ > 0.8


def test_initial_weights_are_those_of_an_autoencoder():
    X = IRIS[:30]
    settings = {"optimizer": "sgd", "learning_rate": 1e-30, "schedule": "constant"}
    plain = ist.Autoencoder(2, hidden=(8,), **QUICK, **settings).fit(X)
    model = small(**settings).fit(X, SPECIES[:30])
    np.testing.assert_allclose(model.transform(X), plain.transform(X), rtol=1e-5, atol=1e-6)


# --- labels -----------------------------------------------------------------------------------

NUMBERS = np.array([0, 1, 2] * 10)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (NUMBERS, [0, 1, 2]),
        (NUMBERS.tolist(), [0, 1, 2]),
        (NUMBERS.astype(np.uint8), [0, 1, 2]),
        (NUMBERS.astype(float) * 10, [0.0, 10.0, 20.0]),
        (NUMBERS > 0, [False, True]),
        (np.array(["a", "b", "ß"])[NUMBERS], ["a", "b", "ß"]),
        (np.array(["a", "b", "c"], dtype=object)[NUMBERS], ["a", "b", "c"]),
        (pd.Series(["x", "y", "z"] * 10, dtype="category"), ["x", "y", "z"]),
        (pl.Series(["x", "y", "z"] * 10), ["x", "y", "z"]),
        (pa.chunked_array([["x", "y", "z"] * 10]), ["x", "y", "z"]),
        (np.array([-1, 1] * 15), [-1, 1]),
        (np.array([-2, -1, 0, 1, 2] * 6), [-2, -1, 0, 1, 2]),
        (np.zeros(30, int), [0]),
    ],
)
def test_every_kind_of_class(y, classes, tmp_path):
    model = small(epochs=1).fit(IRIS[:30], y)
    assert model.classes_.tolist() == classes
    assert set(model.predict(IRIS).tolist()) <= set(classes)
    assert model.labelled_share_ == 1
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    assert again.classes_.dtype.kind == model.classes_.dtype.kind
    assert again.predict(IRIS).tolist() == model.predict(IRIS).tolist()


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.where(NUMBERS == 1, -1, NUMBERS), [0, 2]),
        ([0.0, np.nan, 2.0] * 10, [0.0, 2.0]),
        ([0, None, 2] * 10, [0, 2]),
        (["a", None, "b"] * 10, ["a", "b"]),
        (["a", np.nan, "b"] * 10, ["a", "b"]),
        ([True, None, False] * 10, [False, True]),
        (pd.Series([1, None, 2] * 10, dtype="Int64"), [1, 2]),
        (pd.Series(["u", None, "v"] * 10, dtype="category"), ["u", "v"]),
        (pl.Series([3, None, 4] * 10), [3, 4]),
        (np.ma.array([5, 9, 6] * 10, mask=[0, 1, 0] * 10), [5, 6]),
    ],
)
def test_missing_labels(y, classes):
    model = small().fit(IRIS[:30], y)
    assert model.classes_.tolist() == classes
    assert model.labelled_share_ == pytest.approx(2 / 3)
    assert 0 <= model.score(IRIS[:30], y) <= 1


def test_unlabelled_rows_train_the_reconstruction_alone():
    """Missing labels have no effect, and the loss is rescaled by the labelled fraction."""
    y = SPECIES.copy()
    y[::2] = -1
    other = NAMES.astype(object)
    other[::2] = None
    a, b = small().fit(IRIS, y), small().fit(IRIS, other)
    np.testing.assert_array_equal(a.predict_proba(IRIS), b.predict_proba(IRIS))
    assert a.labelled_share_ == 0.5
    learned = small(**LEARNS).fit(IRIS, y)
    assert learned.score(IRIS[::2], SPECIES[::2]) > 0.85


def test_a_class_of_one_row_is_learned_from_and_not_validated_by():
    y = np.zeros(150, int)
    y[7] = 1
    y[100:] = -1
    for seed in range(5):
        model = small(
            random_state=seed,
            epochs=150,
            learning_rate=0.05,
            patience=None,
            validation_fraction=0.5,
            classification_weight=10,
        ).fit(IRIS, y)
        assert "val_accuracy" in model.history_
        assert model.history_["val_accuracy"][-1] > 0.9


def test_partly_missing_targets():
    X, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, y / 100])
    both[::3, 0] = np.nan
    both[::5] = np.nan
    model = small(task="regression", epochs=30, latent_dim=4).fit(X, both)
    assert model.labelled_share_ == pytest.approx(1 - len(both[::5]) / len(both))
    assert np.isfinite(model.predict(X)).all()
    assert model.score(X, both) > 0.3


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        ([1, 2, 3], "one label for each of the 150 rows of X, received 3 labels"),
        ("abc", "one for each row, received 'abc'"),
        (np.full(150, np.nan), "at least one row, received only missing labels"),
        (np.full(150, -1), "only missing labels"),
        (np.linspace(0, 1, 150), r"Unknown label type: continuous.*task='regression'"),
        (np.eye(3)[SPECIES], r"one class per row, received an array of shape \(150, 3\)"),
        ([1, "a"] * 75, "Unknown label type"),
        ([(1, 2), None] * 75, "Unknown label type"),
        (np.full(150, "2020-01-01", "datetime64[D]"), "Unknown label type"),
        (np.full((150, 1, 1), 1), "received ndarray"),
        (np.full(150, 1j), "Unknown label type"),
        (np.where(SPECIES > 0, np.inf, 1.0), "Unknown label type: infinite"),
        ([[1], [1, 2]] * 75, "y"),
    ],
)
def test_labels_that_are_no_classes(y, message):
    with pytest.raises(InvalidData, match=message):
        small().fit(IRIS, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y"),
        (NAMES, "expected numbers"),
        (np.full(150, np.nan), "missing in every row"),
        (np.full(150, np.inf), "finite numbers, received infinity"),
        (np.where(SPECIES > 0, 1e308, -1e308), "in other units"),
        (np.zeros((150, 0)), "expected numbers"),
        ([None, "a"] * 75, "expected numbers"),
        (np.full(150, 1j), "expected numbers"),
    ],
)
def test_targets_that_are_no_numbers(y, message):
    with pytest.raises(InvalidData, match=message):
        small(task="regression").fit(IRIS, y)


def test_scores_of_missing_labels_alone(fitted):
    with pytest.raises(InvalidData, match="at least one label"):
        fitted.score(IRIS, [None] * 150)


def test_weighted_scores(fitted, regressor):
    predicted = fitted.predict(IRIS)
    weight = np.random.default_rng(0).random(150)
    assert fitted.score(IRIS, NAMES, weight) == pytest.approx(
        accuracy_score(NAMES, predicted, sample_weight=weight)
    )
    model, X, y = regressor
    weight = np.arange(len(y))
    assert model.score(X, y, weight) == pytest.approx(
        r2_score(y, model.predict(X), sample_weight=weight)
    )


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning):
        small().fit(IRIS, SPECIES[:, None])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "clasification"}, "did you mean 'classification'"),
        ({"classification_weight": 0}, "above 0"),
        ({"classification_weight": np.nan}, "received nan"),
        ({"head_hidden": "big"}, "'auto' or the units of each hidden layer"),
        ({"head_activation": "tan"}, "did you mean 'tanh'"),
        ({"head_dropout": 1.0}, "below 1"),
    ],
)
def test_settings_that_cannot_work(change, message):
    with pytest.raises(InvalidParameter, match=message):
        small(**change).fit(IRIS, SPECIES)


def test_a_failed_fit_leaves_what_was_fitted():
    model = small().fit(IRIS, NAMES)
    before = model.predict(IRIS)
    with pytest.raises(InvalidData):
        model.fit(IRIS, np.linspace(0, 1, 150))
    with pytest.raises(InvalidData):
        model.fit(np.full((30, 4), np.nan), SPECIES[:30])
    np.testing.assert_array_equal(model.predict(IRIS), before)


def test_labels_that_diverge_are_found():
    huge = {"learning_rate": 1e30, "clip_norm": None, "schedule": "constant", "optimizer": "sgd"}
    with pytest.raises(ArithmeticError):
        small(**huge, epochs=5).fit(IRIS, SPECIES)


# --- networks of one's own, dropout, resumption ------------------------------------------------


def own_pair():
    from keras import Input, Sequential, layers

    encoder = Sequential(
        [Input((8, 8)), layers.Flatten(), layers.Dense(9, "tanh"), layers.Dense(2, "tanh")]
    )
    decoder = Sequential([Input((2,)), layers.Dense(64, "sigmoid"), layers.Reshape((8, 8))])
    return {"encoder": encoder, "decoder": decoder, "latent_dim": "auto", "loss": "bce"}


@pytest.fixture(scope="module")
def pictures(digits):
    return (digits.images[:200] / 16).astype(np.float32), digits.target[:200]


DROPOUT = {"head_hidden": (6, 5), "head_activation": "tanh", "head_dropout": 0.5}


def test_a_pair_of_the_users_own_with_a_head(pictures, tmp_path):
    X, y = pictures
    pair = own_pair()
    model, other = (small(**pair, **DROPOUT).fit(X, y) for _ in range(2))
    assert model.encoder_.layers[-1].activation is keras.activations.tanh
    assert model.network_.fast() is not model.network_.full
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    assert len(model.head_.get_weights()) == 6
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
    again.save(tmp_path / "n.isthmus")
    assert (tmp_path / "m.isthmus").read_bytes() == (tmp_path / "n.isthmus").read_bytes()


def test_dropout_is_keyed(pictures):
    X, y = pictures
    a, b, c = (small(**DROPOUT, random_state=seed).fit(X, y) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    assert (a.predict_proba(X) != c.predict_proba(X)).any()
    without = small(**{**DROPOUT, "head_dropout": 0.0}).fit(X, y)
    assert (a.predict_proba(X) != without.predict_proba(X)).any()


@pytest.mark.parametrize("architecture", ["dense", "convolutional"])
def test_a_run_that_was_cut_off_goes_on_bit_for_bit(pictures, tmp_path, architecture):
    X, y = pictures
    settings = {"architecture": architecture, "hidden": (3,), "epochs": 4, **DROPOUT}
    whole = small(**settings).fit(X, y)

    class Cut(Exception):
        pass

    def raise_it(*_):
        raise Cut

    from isthmus.training.checkpoint import Checkpoint

    original = Checkpoint.on_epoch

    def on_epoch(self, event):
        original(self, event)
        if event.epoch == 2:
            raise Cut

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch", on_epoch)
        with pytest.raises(Cut):
            small(**settings, checkpoint=tmp_path / "c").fit(X, y)
    resumed = small(**settings, checkpoint=tmp_path / "c").fit(X, y)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    np.testing.assert_array_equal(resumed.reconstruct(X), whole.reconstruct(X))
    assert resumed.history_["val_accuracy"] == whole.history_["val_accuracy"]
    with pytest.raises(InvalidParameter, match="received another labels"):
        small(**settings, checkpoint=tmp_path / "c").fit(X, y[::-1])


# --- keeping ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy], ids=["pickle", "deepcopy"]
)
def test_copies_are_equal(fitted, regressor, copied):
    np.testing.assert_array_equal(copied(fitted).predict_proba(IRIS), fitted.predict_proba(IRIS))
    model, X, _ = regressor
    np.testing.assert_array_equal(copied(model).predict(X), model.predict(X))


def test_archives(fitted, regressor, tmp_path):
    model, X, y = regressor
    model.save(tmp_path / "r.isthmus")
    again = ist.load(tmp_path / "r.isthmus")
    assert type(again) is ist.SupervisedAutoencoder
    assert again.get_params() == model.get_params()
    assert again.score(X, y) == model.score(X, y)
    assert is_regressor(again)
    fitted.save(tmp_path / "c.isthmus")
    assert ist.load(tmp_path / "c.isthmus").labelled_share_ == 1
    assert clone(fitted).fit(IRIS, NAMES).score(IRIS, NAMES) == fitted.score(IRIS, NAMES)


@pytest.mark.parametrize(
    "alter",
    [
        lambda c: c.pop("labels"),
        lambda c: c.pop("head"),
        lambda c: c.update(head={"hidden": [8], "activation": "gelu"}),
        lambda c: c["head"].update(hidden=[9]),
        lambda c: c["head"].update(hidden=[10**9]),
        lambda c: c["head"].update(hidden=[8, 8]),
        lambda c: c["head"].update(activation="os.system"),
        lambda c: c["head"].update(dropout=1.5),
        lambda c: c["head"].update(dropout=0.5),
        lambda c: c["labels"].update(classes=["a", "b"]),
        lambda c: c["labels"].update(classes=["b", "a", "c"]),
        lambda c: c["labels"].update(classes=["a", "a", "c"]),
        lambda c: c["labels"].update(classes=["a", 1, "c"]),
        lambda c: c["labels"].update(classes=[[], {}, "c"]),
        lambda c: c["labels"].update(classes=[1, 2, 2**70], dtype="int64"),
        lambda c: c["labels"].update(classes=[1, 2, 300], dtype="int8"),
        lambda c: c["labels"].update(dtype="V8"),
        lambda c: c.update(labels={"mean": [0.0] * 3, "scale": [1.0, 0.0, 1.0], "flat": False}),
        lambda c: c.update(labels={"mean": [0.0] * 3, "scale": [1.0] * 3, "flat": True}),
        lambda c: c.update(labels={"mean": [0.0], "scale": [1.0], "flat": True}),
        lambda c: c.update(labels=None),
        lambda c: c["fitted"].update(labelled_share_="all"),
    ],
)
def test_forged_archives_are_refused(fitted, tmp_path, alter):
    fitted.save(tmp_path / "m.isthmus")
    stored = artifact.read(tmp_path / "m.isthmus")
    content = copy.deepcopy(stored.manifest)
    alter(content)
    artifact.write(tmp_path / "f.isthmus", artifact.Artifact(stored.kind, content, stored.arrays))
    with pytest.raises(InvalidArchive, match=r"f\.isthmus"):
        ist.load(tmp_path / "f.isthmus")


@pytest.mark.parametrize(("kind", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_leaves_predictions_alone(kind, frame):
    model = small().set_output(transform=kind).fit(IRIS, NAMES)
    assert isinstance(model.transform(IRIS), frame)
    assert isinstance(model.predict(IRIS), np.ndarray)
    assert isinstance(model.fit_transform(IRIS, NAMES), frame)


def test_the_report_says_how_many_labels_are_right(fitted, regressor, tmp_path):
    page = ist.write_report(fitted, IRIS, tmp_path / "c.html", y=NAMES).read_text()
    assert "Accuracy" in page
    model, X, y = regressor
    assert "R²" in ist.write_report(model, X, tmp_path / "r.html", y=y).read_text()
    assert "Accuracy" not in ist.write_report(fitted, IRIS, tmp_path / "n.html").read_text()
