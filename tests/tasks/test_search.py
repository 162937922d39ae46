"""The index of similar rows."""

import copy
import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidData, InvalidParameter, MissingExtra
from isthmus.persistence import artifact


@pytest.fixture(scope="module")
def autoencoder(digits):
    model = ist.Autoencoder(4, epochs=5, verbose=0, random_state=0).fit(digits.images[:400])
    return FrozenEstimator(model)


@pytest.fixture(params=["exact", "approximate"])
def method(request):
    if request.param == "approximate":
        pytest.importorskip("faiss", reason="needs the extra 'search'")
    return request.param


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_finds_what_scikit_learn_finds(autoencoder, digits, method, metric):
    rows, queries = digits.images[:400], digits.images[400:440]
    index = ist.SimilarityIndex(autoencoder, metric=metric, method=method).fit(rows)
    distances, ids = index.kneighbors(queries, 5)
    reference = NearestNeighbors(n_neighbors=5, metric=metric, algorithm="brute")
    expected = reference.fit(autoencoder.transform(rows)).kneighbors(autoencoder.transform(queries))
    assert (ids == expected[1]).mean() > 0.95
    if method == "exact":
        np.testing.assert_allclose(distances, expected[0], rtol=1e-3, atol=1e-6)
    own, first = index.kneighbors(rows, 1)
    assert (own < 1e-12).all()
    assert (first[:, 0] == np.arange(400)).mean() > 0.99
    assert index.kneighbors(queries, 400)[1].shape == (40, 400)


def test_most_neighbours_are_the_same_digit(autoencoder, digits):
    index = ist.SimilarityIndex(autoencoder).fit(digits.images[:1500])
    found = index.kneighbors(digits.images[1500:])[1]
    assert found.shape == (297, 10)
    assert (digits.target[found] == digits.target[1500:, None]).mean() > 0.7


@pytest.mark.parametrize("names", ["numbers", "text"])
def test_rows_have_names_of_ones_own_and_more_are_added(
    autoencoder, digits, method, names, tmp_path
):
    ids = np.arange(300) * 7 - 5
    ids = ids if names == "numbers" else pd.Series([f"Nº {i}" for i in ids])
    rows = digits.images[:300]
    index = ist.SimilarityIndex(autoencoder, method=method).fit(rows[:120], ids=ids[:120])
    index.add(rows[120:], ids=list(ids[120:]))
    assert list(index.kneighbors(rows[[5, 200]], 1)[1][:, 0]) == [ids[5], ids[200]]
    index.save(tmp_path / "index.isthmus")
    loaded = ist.load(tmp_path / "index.isthmus")
    queries = digits.images[300:400]
    for again in (loaded, copy.deepcopy(index), pickle.loads(pickle.dumps(index))):
        for one, other in zip(again.kneighbors(queries), index.kneighbors(queries), strict=True):
            np.testing.assert_array_equal(one, other)
    loaded.save(tmp_path / "again.isthmus")
    one, other = (tmp_path / f"{name}.isthmus" for name in ("index", "again"))
    assert one.read_bytes() == other.read_bytes()
    loaded.add(queries[:1], ids=["new"] if names == "text" else [10**6])
    assert len(loaded.ids_) == 301


def test_numbers_go_on(autoencoder, digits):
    index = ist.SimilarityIndex(autoencoder).fit(digits.images[:50]).add(digits.images[50:80])
    assert list(index.ids_) == list(range(80))
    assert list(index.kneighbors(digits.images[[3, 70]], 1)[1][:, 0]) == [3, 70]


def test_the_default_autoencoder_is_repeatable(digits):
    index = ist.SimilarityIndex(ist.Autoencoder(2, epochs=1, verbose=0), random_state=0)
    assert index.get_params()["autoencoder__latent_dim"] == 2
    index.set_params(autoencoder__latent_dim=3).fit(digits.data[:40])
    assert index.codes_.shape == (40, 3)
    assert index.n_features_in_ == 64


@pytest.mark.parametrize(
    "ids", [[1, 2], [1, 1, 2], ["a", "b", 3], [1.0, 2.0, 3.0], [[1], [2], [3]], 3, [True, False, 1]]
)
def test_ids_that_name_no_rows(autoencoder, digits, ids):
    with pytest.raises(InvalidData, match="ids: expected"):
        ist.SimilarityIndex(autoencoder).fit(digits.images[:3], ids=ids)


def test_what_cannot_be_asked(autoencoder, digits, monkeypatch):
    index = ist.SimilarityIndex(autoencoder)
    with pytest.raises(ValueError, match="not fitted"):
        index.kneighbors(digits.images)
    index.fit(digits.images[:5], ids=list("abcde"))
    with pytest.raises(InvalidParameter, match="at most 5, the number of rows"):
        index.kneighbors(digits.images[:2])
    with pytest.raises(InvalidParameter, match="n_neighbors"):
        index.kneighbors(digits.images[:2], 0)
    with pytest.raises(InvalidParameter, match="an id for each new row"):
        index.add(digits.images[:2])
    with pytest.raises(InvalidData, match="'a' more than once"):
        index.add(digits.images[:1], ids=["a"])
    with pytest.raises(InvalidData, match="of the type"):
        index.add(digits.images[:1], ids=[1])
    assert len(index.ids_) == len(index.codes_) == 5
    for settings in ({"metric": "euclid"}, {"method": "exakt"}):
        with pytest.raises(InvalidParameter, match="did you mean"):
            ist.SimilarityIndex(autoencoder, **settings).fit(digits.images[:5])
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtra, match=r"pip install 'isthmus\[search\]'"):
        ist.SimilarityIndex(autoencoder, method="approximate").fit(digits.images[:5])


@pytest.mark.parametrize(
    "alter",
    [
        lambda a, c: a.update(codes=a["codes"][:-1]),
        lambda a, c: a.update(codes=a["codes"][0]),
        lambda a, c: a.update(text_ids=a["text_ids"][:0]),
        lambda a, c: a.update(text_ids=a["text_ids"][:, :0]),
        lambda a, c: a.update(text_ids=np.full_like(a["text_ids"], 0x7FFFFFFF)),
        lambda a, c: a.update(text_ids=np.zeros_like(a["text_ids"])),
        lambda a, c: a.update(ids=np.arange(len(a["codes"]))),
        lambda a, c: a.clear(),
        lambda a, c: c.update(autoencoder=None),
        lambda a, c: c["autoencoder"].update(kind="similarity index"),
        lambda a, c: c["autoencoder"].update(kind=[]),
        lambda a, c: c["autoencoder"].update(content={}),
        lambda a, c: c["params"].update(metric="os:system"),
        lambda a, c: c["params"].update(method=3),
        lambda a, c: c.update(params=None),
    ],
)
def test_forged_files_are_refused(autoencoder, digits, tmp_path, alter):
    index = ist.SimilarityIndex(autoencoder).fit(digits.images[:3], ids=["a", "b", "long"])
    stored = index._to_artifact()
    arrays, content = dict(stored.arrays), copy.deepcopy(stored.manifest)
    alter(arrays, content)
    artifact.write(tmp_path / "i.isthmus", artifact.Artifact(stored.kind, content, arrays))
    with pytest.raises(InvalidArchive, match=r"i\.isthmus"):
        ist.load(tmp_path / "i.isthmus")
