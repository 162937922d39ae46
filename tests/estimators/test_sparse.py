"""Sparse matrices of SciPy give the bits that the dense array gives."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import get_tags

import isthmus as ist
from isthmus.core.errors import InvalidData, SchemaMismatch

QUICK = {"hidden": (8,), "epochs": 2, "random_state": 0, "verbose": 0}
RANDOM = np.random.default_rng(0)
X = np.where(RANDOM.random((120, 6)) < 0.3, RANDOM.normal(size=(120, 6)), 0.0)
Y = (X[:, 0] > 0).astype(int)
FORMATS = [
    *(sparse.csr_array, sparse.csc_array, sparse.coo_array, sparse.dok_array, sparse.lil_array),
    sparse.bsr_array,
    *(sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.lil_matrix),
]
KINDS = [
    ist.Autoencoder,
    ist.DenoisingAutoencoder,
    ist.VariationalAutoencoder,
    ist.SupervisedAutoencoder,
]


def same(first, second):
    assert first.dtype == second.dtype
    np.testing.assert_array_equal(first, second)


@pytest.fixture(scope="module")
def dense():
    return ist.Autoencoder(2, **QUICK).fit(X)


@pytest.mark.parametrize("of", FORMATS)
def test_every_format_gives_the_bits_of_the_dense_array(of, dense):
    model = ist.Autoencoder(2, **QUICK).fit(of(X))
    same(model.transform(of(X)), dense.transform(X))
    same(model.reconstruct(of(X)), dense.reconstruct(X))
    same(model.reconstruction_error(of(X)), dense.reconstruction_error(X))
    assert model.score(of(X)) == dense.score(X)
    assert model.n_features_in_ == 6


@pytest.mark.parametrize(
    ("kind", "scale"),
    [*((kind, "auto") for kind in KINDS), (KINDS[0], "range"), (KINDS[0], "none")],
)
def test_every_estimator(kind, scale):
    dense, model = (kind(2, scale=scale, **QUICK).fit(rows, Y) for rows in (X, sparse.csr_array(X)))
    new = sparse.coo_array(X[:50])
    same(model.transform(new), dense.transform(X[:50]))
    same(model.reconstruct(new), dense.reconstruct(X[:50]))
    assert model.score(new, Y[:50]) == dense.score(X[:50], Y[:50])
    assert get_tags(model).input_tags.sparse


def test_methods_of_one_estimator():
    variational = ist.VariationalAutoencoder(2, **QUICK).fit(sparse.csr_array(X))
    likelihoods = [
        variational.log_likelihood(rows, 5, random_state=0) for rows in (X, sparse.csc_array(X))
    ]
    same(*likelihoods)
    ends = [variational.interpolate(of(X[:1]), of(X[1:2])) for of in (np.asarray, sparse.csr_array)]
    same(*ends)
    denoising = ist.DenoisingAutoencoder(2, **QUICK).fit(X)
    same(denoising.denoise(sparse.csr_array(X)), denoising.denoise(X))
    supervised = ist.SupervisedAutoencoder(2, **QUICK).fit(X, Y)
    same(supervised.predict(sparse.csr_array(X)), supervised.predict(X))
    same(supervised.predict_proba(sparse.csr_array(X)), supervised.predict_proba(X))


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, np.int8, bool])
def test_every_type(dtype):
    values = (np.abs(X) * 3).astype(dtype)
    dense, model = (ist.Autoencoder(2, **QUICK).fit(x) for x in (values, sparse.csr_array(values)))
    same(model.reconstruct(sparse.csc_array(values)), dense.reconstruct(values))
    assert model.schema_.to_config() == dense.schema_.to_config()


def test_one_hot_categories_and_a_single_row():
    columns = RANDOM.integers(0, 5, size=(100, 3))
    encoded = OneHotEncoder().fit_transform(columns)
    assert sparse.issparse(encoded)
    dense, model = (ist.Autoencoder(2, **QUICK).fit(x) for x in (encoded.toarray(), encoded))
    assert model.loss_ == dense.loss_ == "bce"
    same(model.transform(encoded[:1]), dense.transform(encoded[:1].toarray()))


def test_stored_missing_cells_stay_missing():
    values = X.copy()
    values[3, 2] = np.nan
    dense, model = (ist.Autoencoder(2, **QUICK).fit(x) for x in (values, sparse.csr_array(values)))
    same(model.reconstruct(sparse.csr_array(values)), dense.reconstruct(values))


def test_pipelines_and_cross_validation():
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), ist.Autoencoder(2, **QUICK))
    assert pipeline.fit_transform(np.rint(X)).shape == (120, 2)
    scores = [
        cross_val_score(ist.Autoencoder(2, **QUICK), rows, cv=2)
        for rows in (X, sparse.csr_array(X))
    ]
    same(*scores)


def test_a_table_that_became_a_sparse_matrix():
    frame = pd.DataFrame(X)
    model = ist.Autoencoder(2, **QUICK).fit(frame)
    same(model.transform(sparse.csr_array(X)), model.transform(frame))


@pytest.mark.parametrize(
    "autoencoder", [None, ist.Autoencoder(2, **QUICK)], ids=["default", "given"]
)
@pytest.mark.parametrize("mode", ["novelty", "outlier"])
def test_the_detector(autoencoder, mode):
    dense, detector = (
        ist.AnomalyDetector(autoencoder, mode=mode, false_alarm_rate=0.1, random_state=0).fit(rows)
        for rows in (X, sparse.csc_array(X))
    )
    new = sparse.csr_array(X)
    for method in ("predict", "score_samples", "p_values", "explain", "expected"):
        same(getattr(detector, method)(new), getattr(dense, method)(X))
    repaired, expected = detector.repair(new), dense.repair(X)
    same(repaired.X, expected.X)
    same(repaired.changed, expected.changed)
    assert detector.drift(new).p_value == dense.drift(X).p_value


def test_the_detector_for_a_series():
    series = np.where(RANDOM.random((300, 2)) < 0.5, RANDOM.normal(size=(300, 2)), 0.0)
    network = ist.Autoencoder(2, **QUICK)
    dense, detector = (
        ist.AnomalyDetector(network, window=4, random_state=0).fit(rows)
        for rows in (series, sparse.csr_array(series))
    )
    same(detector.anomaly_score(sparse.coo_array(series)), dense.anomaly_score(series))
    same(detector.explain(sparse.csr_array(series)), dense.explain(series))


def test_tasks():
    rows = sparse.csr_array(X)
    frozen = FrozenEstimator(ist.Autoencoder(2, **QUICK).fit(X))
    for task in (ist.SimilarityIndex, ist.LatentMap, ist.LatentSampler):
        for given in (frozen, ist.Autoencoder(2, **QUICK)):
            dense, fitted = (task(given, random_state=0).fit(x) for x in (X, rows))
            method = {
                ist.SimilarityIndex: "kneighbors",
                ist.LatentMap: "transform",
                ist.LatentSampler: "score_samples",
            }[task]
            np.testing.assert_array_equal(getattr(fitted, method)(rows), getattr(dense, method)(X))
    index = ist.SimilarityIndex(frozen).fit(rows).add(rows)
    assert len(index.ids_) == 240


def test_the_referee_and_the_report(tmp_path):
    model = ist.Autoencoder(2, **QUICK).fit(sparse.csr_array(X))
    judgements = [ist.referee(model, of(X), X_train=of(X)) for of in (np.asarray, sparse.csr_array)]
    assert [c.error for c in judgements[0].contestants] == [
        c.error for c in judgements[1].contestants
    ]
    path = ist.write_report(model, sparse.csr_array(X), tmp_path / "r.html", X_train=X)
    assert path.stat().st_size > 1000


def test_an_archive_does_not_know_the_difference(tmp_path):
    for name, rows in (("dense", X), ("sparse", sparse.csr_array(X))):
        ist.Autoencoder(2, **QUICK).fit(rows).save(tmp_path / name)
    model = ist.load(tmp_path / "sparse")
    same(model.transform(sparse.csr_array(X)), ist.load(tmp_path / "dense").transform(X))


def test_results_take_no_dense_copy_of_all_rows():
    wide = sparse.random_array((60_000, 400), density=0.01, format="csr", rng=0)
    model = ist.Autoencoder(2, architecture="linear", epochs=1, random_state=0, verbose=0)
    model.fit(wide[:500])
    model.transform(wide[:20_000])
    dense = 8 * wide.shape[0] * wide.shape[1]
    tracemalloc.start()
    for method in (model.transform, model.reconstruction_error, model.score):
        tracemalloc.reset_peak()
        method(wide)
        assert tracemalloc.get_traced_memory()[1] < dense / 2
    tracemalloc.stop()


def test_what_is_no_matrix_of_numbers_is_refused():
    model = ist.Autoencoder(2, **QUICK).fit(X)
    for rows in (sparse.coo_array(np.ones((3, 2, 6))), sparse.coo_array(np.ones(6))):
        with pytest.raises(InvalidData, match=r"sparse matrix of numbers.*Try: make each"):
            model.transform(rows)
    with pytest.raises(InvalidData, match="complex128"):
        model.transform(sparse.csr_array(X * 1j))
    with pytest.raises(InvalidData, match=r"Found array with 0 sample|non-empty"):
        model.transform(sparse.csr_array((0, 6)))
    with pytest.raises(SchemaMismatch, match=r"5 features.*expecting 6"):
        model.transform(sparse.csr_array(X[:, :5]))
    with pytest.raises(InvalidData, match="Sparse data"):
        model.inverse_transform(sparse.csr_array(np.ones((3, 2))))


@pytest.mark.parametrize("row", [3, 90])
def test_an_infinity_is_named(row):
    values = X.copy()
    values[row, 1] = np.inf
    for rows in (values, sparse.csr_array(values)):
        with pytest.raises(InvalidData, match=rf"column 'x1', row {row}: "):
            ist.Autoencoder(2, **QUICK).fit(rows)
    with pytest.raises(InvalidData, match=rf"column 'x1', row {row}: "):
        ist.Autoencoder(2, **QUICK).fit(X).transform(sparse.csr_array(values))


@pytest.mark.parametrize("of", [sparse.csr_array, sparse.coo_matrix])
def test_the_codec_refuses_them_by_name(of):
    for call in (ist.Codec().fit, ist.Codec().fit(X).compress):
        with pytest.raises(InvalidData, match=rf"{of.__name__}.*Try: .*toarray\(\)"):
            call(of(X))
