"""Archives of numbers that are finite, but so large that nothing finite can be computed."""

import warnings

import keras
import numpy as np
import pytest

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidData, IsthmusError
from isthmus.persistence import artifact

QUICK = {"hidden": (8,), "epochs": 2, "random_state": 0, "verbose": 0}
X = np.random.default_rng(0).normal(size=(200, 4))
Y = (X[:, 0] > 0).astype(int)
LARGEST = float(np.finfo(np.float32).max)


def autoencoder():
    return ist.Autoencoder(2, **QUICK)


MODELS = {
    "autoencoder": (autoencoder, ("transform", "reconstruct", "score")),
    "variational": (
        lambda: ist.VariationalAutoencoder(2, **QUICK),
        ("transform", "score", "log_likelihood"),
    ),
    "supervised": (lambda: ist.SupervisedAutoencoder(2, **QUICK), ("predict_proba", "predict")),
    "detector": (
        lambda: ist.AnomalyDetector(false_alarm_rate=0.1, random_state=0),
        ("score_samples", "predict", "explain", "expected"),
    ),
    "series": (
        lambda: ist.AnomalyDetector(autoencoder(), window=4, random_state=0),
        ("score_samples", "predict", "explain"),
    ),
    "index": (lambda: ist.SimilarityIndex(autoencoder()), ("kneighbors",)),
    "map": (lambda: ist.LatentMap(autoencoder(), random_state=0), ("transform",)),
    "sampler": (lambda: ist.LatentSampler(autoencoder(), random_state=0), ("score_samples",)),
}


@pytest.fixture(scope="module")
def saved():
    """Return the archive of a model by its name in `MODELS`."""
    made = {}

    def stored(name):
        if name not in made:
            made[name] = MODELS[name][0]().fit(X, Y)._to_artifact()
        return made[name]

    return stored


def written(stored, change, path):
    arrays = {name: change(name, array) for name, array in stored.arrays.items()}
    artifact.write(path, artifact.Artifact(stored.kind, stored.manifest, arrays))
    return path


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("value", [LARGEST, -LARGEST, 1e19])
def test_weights_that_no_training_reaches_are_refused(name, value, saved, tmp_path):
    def change(name, array):
        return np.full_like(array, value) if "weights/" in name else array

    with pytest.raises(InvalidArchive, match=r"numbers up to 1e\+18, received [13]\.?4?e\+"):
        ist.load(written(saved(name), change, tmp_path / "m.isthmus"))


def test_one_large_weight_is_enough(saved, tmp_path):
    def change(name, array):
        if name != "weights/0":
            return array
        array = array.copy()
        array[1, 1] = LARGEST
        return array

    with pytest.raises(InvalidArchive, match=r"array 0 of the model .*3\.4e\+38"):
        ist.load(written(saved("autoencoder"), change, tmp_path / "m.isthmus"))


@pytest.mark.parametrize("value", [1e17, 1e30, LARGEST])
@pytest.mark.parametrize("name", MODELS)
def test_any_array_of_large_numbers_gives_finite_results_or_our_error(name, value, saved, tmp_path):
    stored = saved(name)
    for chosen in (n for n, array in stored.arrays.items() if array.dtype.kind == "f"):

        def change(name, array, chosen=chosen):
            return np.full_like(array, value) if name == chosen else array

        path = written(stored, change, tmp_path / "m.isthmus")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                model = ist.load(path)
            except InvalidArchive:
                continue
            for method in MODELS[name][1]:
                try:
                    outputs = getattr(model, method)(X)
                except IsthmusError:
                    continue
                for output in outputs if isinstance(outputs, tuple) else (outputs,):
                    assert np.isfinite(np.asarray(output)).all(), (chosen, method)


def test_outputs_that_overflow_name_the_row_and_the_cause():
    model = ist.Autoencoder(2, scale="none", **QUICK).fit(X)
    rows = X.copy()
    rows[7] = 3e38
    for method in (model.transform, model.reconstruct, model.score):
        with pytest.raises(InvalidData, match=r"row 7: expected finite.*Try: check the rows"):
            method(rows)
    with pytest.raises(InvalidData, match="row 0"):
        model.transform(rows[7:8])
    many = np.tile(X, (300, 1))
    many[40_000] = 3e38
    with pytest.raises(InvalidData, match="row 40000"):
        model.transform(many)
    assert np.isfinite(model.transform(X)).all()


def test_large_outputs_that_are_finite_are_given():
    model = ist.Autoencoder(2, scale="none", architecture="linear", epochs=1, verbose=0).fit(X)
    rows = np.full((100_000, 4), 1e34)  # the sum of the outputs overflows
    assert np.isfinite(model.reconstruct(rows)).all()


def test_a_large_variance_of_a_users_own_layer_is_kept(tmp_path):
    normalised = keras.layers.BatchNormalization()
    encoder = keras.Sequential([keras.Input((4,)), normalised, keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    normalised.moving_variance.assign([1e30] * 4)
    model = ist.Autoencoder(encoder=encoder, decoder=decoder, epochs=1, verbose=0).fit(X)
    assert model.encoder_.layers[0].moving_variance.numpy().max() > 1e18
    model.save(tmp_path / "m.isthmus")
    loaded = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
