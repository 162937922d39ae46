"""The map of codes."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidParameter, MissingExtra

pytest.importorskip("openTSNE", reason="needs the extra 'maps'")

QUICK = {"epochs": 1, "hidden": (8,), "verbose": 0, "random_state": 0}


def small(**settings):
    return ist.LatentMap(ist.Autoencoder(2, **QUICK), **{"random_state": 0, **settings})


@pytest.fixture(scope="module")
def autoencoder(digits):
    return ist.Autoencoder(10, epochs=5, verbose=0, random_state=0).fit(digits.images)


@pytest.fixture(scope="module")
def fitted(autoencoder, digits):
    return ist.LatentMap(FrozenEstimator(autoencoder), random_state=0).fit(digits.images[:600])


@parametrize_with_checks([small()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_alike_lie_beside_alike_and_new_rows_among_them(fitted, digits):
    known, new = digits.images[:600], digits.images[600:900]
    here, there = fitted.transform(known), fitted.transform(new)
    assert here.shape == (600, 2)
    assert here.dtype == there.dtype == np.float32
    labels = KNeighborsClassifier(1).fit(here[::2], digits.target[:600:2])
    assert labels.score(here[1::2], digits.target[1:600:2]) > 0.85
    labels.fit(here, digits.target[:600])
    assert labels.score(there, digits.target[600:900]) > 0.85
    assert list(fitted.get_feature_names_out()) == ["latentmap0", "latentmap1"]


def test_training_rows_stay_and_new_rows_are_placed_by_themselves(fitted, digits):
    task = clone(fitted)
    np.testing.assert_array_equal(
        task.fit_transform(digits.images[:600]), fitted.transform(digits.images[:600])
    )
    new = digits.images[600:700]
    order = np.random.default_rng(0).permutation(100)
    np.testing.assert_allclose(
        fitted.transform(new)[order], fitted.transform(new[order]), atol=1e-4
    )


def test_a_frozen_autoencoder_is_used_and_others_are_cloned(autoencoder, fitted, digits):
    assert fitted.autoencoder_ is autoencoder
    given = ist.Autoencoder(3, **QUICK).fit(digits.images[:50])
    task = ist.LatentMap(given, random_state=0).fit(digits.images[:40])
    assert task.autoencoder_ is not given
    assert given.n_samples_ == 50
    task.set_params(autoencoder__latent_dim=2).fit(digits.images[:40])
    assert task.codes_.shape == (40, 2)
    assert ist.LatentMap().autoencoder is None


def test_equal_rows_lie_in_one_place(digits):
    rows = np.repeat(digits.data[:15], 3, axis=0)
    task = small()
    places = task.fit_transform(rows)
    assert len(task.codes_) == 15
    np.testing.assert_array_equal(places[::3], places[2::3])
    np.testing.assert_array_equal(task.transform(rows), places)
    assert np.isfinite(small().fit_transform(np.repeat(digits.data[:1], 5, axis=0))).all()


def test_frames_in_frames_out(digits):
    frame = pd.DataFrame(digits.data[:40, 18:24]).rename(columns=lambda i: f"p{i}")
    places = small().set_output(transform="pandas").fit_transform(frame)
    assert list(places.columns) == ["latentmap0", "latentmap1"]


def test_saving_and_pickling_keep_the_bits(fitted, digits, tmp_path):
    fitted.save(tmp_path / "map.isthmus")
    rows = digits.images[550:650]
    for again in (ist.load(tmp_path / "map.isthmus"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.transform(rows), fitted.transform(rows))
        assert again.method == "auto"


@pytest.mark.parametrize(
    "alter",
    [
        lambda a: {**a, "embedding": a["embedding"][:-1]},
        lambda a: {**a, "embedding": a["embedding"] * np.float32(np.nan)},
        lambda a: {**a, "codes": a["codes"][:, :1]},
        lambda a: {**a, "codes": a["codes"].astype(np.float64)},
        lambda a: {k: v for k, v in a.items() if k != "codes"},
        lambda a: {**a, "more": a["codes"]},
        lambda a: {**a, "autoencoder/weights/0": a["codes"]},
        lambda a: {k: v for k, v in a.items() if k != "autoencoder/weights/0"},
    ],
)
def test_forged_files_are_refused(fitted, tmp_path, alter):
    from isthmus.persistence import artifact

    stored = fitted._to_artifact()
    forged = artifact.Artifact(stored.kind, stored.manifest, alter(stored.arrays))
    artifact.write(tmp_path / "map.isthmus", forged)
    with pytest.raises(InvalidArchive, match=r"map\.isthmus"):
        ist.load(tmp_path / "map.isthmus")


def test_settings_that_cannot_work(digits, monkeypatch):
    with pytest.raises(InvalidParameter, match="did you mean 'tsne'"):
        small(method="t-sne").fit(digits.data)
    with pytest.raises(InvalidParameter, match="an isthmus estimator"):
        ist.LatentMap("dense").fit(digits.data)
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(MissingExtra, match=r"pip install 'isthmus\[maps\]'"):
        small().fit(digits.data)


@pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning")  # as UMAP is imported
def test_umap(digits):
    pytest.importorskip("numba", reason="needs the extra 'maps'")
    frozen = FrozenEstimator(ist.Autoencoder(2, **QUICK).fit(digits.data))
    task = ist.LatentMap(frozen, method="umap", random_state=0)
    first = task.fit_transform(digits.data[:60])
    assert first.shape == (60, 2)
    np.testing.assert_array_equal(task.fit_transform(digits.data[:60]), first)
    np.testing.assert_array_equal(task.transform(digits.data[:60]), first)
