"""Columns of very small or very large numbers: results are finite, or an error names the cell."""

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.core.errors import InvalidData
from isthmus.data.schema import infer_schema

ROWS = np.random.default_rng(0).normal(size=(50, 3))


def scaled_by(factor, dtype=np.float64):
    return (ROWS * [factor, 1.0, 1.0]).astype(dtype)


def with_a_one(X):
    changed = X.copy()
    changed[2, 0] = 1.0
    return changed


@pytest.mark.parametrize("factor", [1e-323, 1e-310, 1e-300, 1e-200, 1e-30])
@pytest.mark.parametrize("scale", ["auto", "robust"])
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame])
def test_a_tiny_column_that_contains_a_one_later_is_finite(factor, scale, container):
    X = scaled_by(factor)
    schema = infer_schema(container(X), scale=scale)
    assert np.isfinite(schema.to_matrix(container(X))).all()
    matrix = schema.to_matrix(container(with_a_one(X)))
    assert np.isfinite(matrix).all()
    assert matrix[2, 0] == matrix[:, 0].max() > 5
    assert np.isfinite(np.asarray(schema.from_matrix(matrix))).all()


@pytest.mark.parametrize("factor", [1e-310, 1e-300, 1e-100])
def test_a_fraction_of_a_tiny_range_that_is_beyond_float32_names_the_cell(factor):
    X = scaled_by(factor)
    schema = infer_schema(X, scale="range")
    with pytest.raises(InvalidData, match=r"column 'x0', row 2: .*received 1, .*Try: check"):
        schema.to_matrix(with_a_one(X))
    with pytest.raises(InvalidData, match=r"column '0', row 2: .*Try: "):
        infer_schema(pd.DataFrame(X), scale="range").to_matrix(pd.DataFrame(with_a_one(X)))


@pytest.mark.parametrize("scale", ["auto", "range", "robust"])
@pytest.mark.parametrize("factor", [1e300, 1e307])
def test_huge_columns_are_finite(factor, scale):
    X = scaled_by(factor)
    matrix = infer_schema(X, scale=scale).to_matrix(X)
    assert np.isfinite(matrix).all()
    assert matrix.std(axis=0).min() > 0.1


def test_an_infinity_in_a_tiny_column_is_refused():
    X = scaled_by(1e-310)
    schema = infer_schema(X)
    for bad in (np.inf, -np.inf):
        with pytest.raises(InvalidData, match=r"column 'x0', row 2: .*infinity"):
            schema.to_matrix(with_a_one(X) * np.where(with_a_one(X) == 1, bad, 1))


def test_missing_cells_of_a_tiny_column_stay_missing():
    X = scaled_by(1e-310)
    X[4, 0] = np.nan
    matrix = infer_schema(X).to_matrix(with_a_one(X))
    np.testing.assert_array_equal(np.isnan(matrix), np.isnan(X))


def test_a_column_that_is_constant_up_to_a_subnormal_number():
    X = ROWS.copy()
    X[:, 0] = np.where(np.arange(50) == 7, 1e-310, 0.0)
    matrix = infer_schema(X).to_matrix(with_a_one(X))
    assert np.isfinite(matrix).all()


def test_subnormal_numbers_of_float32():
    X = scaled_by(1e-42, np.float32)
    assert (X[:, 0] != 0).any()
    matrix = infer_schema(X).to_matrix(with_a_one(X))
    assert np.isfinite(matrix).all()
    assert matrix[:2, 0].std() > 0


def test_every_magnitude_in_one_column():
    column = np.concatenate([10.0 ** np.arange(-320, 39, 7), -(10.0 ** np.arange(-320, 39, 7))])
    X = np.stack([column, np.arange(len(column))], axis=1)
    matrix = infer_schema(X).to_matrix(X)
    assert np.isfinite(matrix).all()
    assert (np.diff(matrix[np.argsort(column), 0]) >= 0).all()


@pytest.mark.parametrize(
    "kind", [ist.Autoencoder, ist.DenoisingAutoencoder, ist.VariationalAutoencoder]
)
def test_a_network_gives_finite_results_for_it(kind):
    X = scaled_by(1e-310)
    model = kind(2, hidden=(8,), epochs=1, verbose=0, random_state=0).fit(X)
    later = with_a_one(X)
    for result in (model.transform, model.reconstruct, model.reconstruction_error):
        assert np.isfinite(result(later)).all()


def test_a_detector_finds_it():
    X = scaled_by(1e-310)
    detector = ist.AnomalyDetector(false_alarm_rate=0.1, random_state=0).fit(X)
    scores = detector.anomaly_score(with_a_one(X))
    assert np.isfinite(scores).all()
    assert scores.argmax() == 2
