"""Standardised rows, against a plain loop over the cells."""

import math

import numpy as np
import pandas as pd
import pytest

from isthmus.anomaly import standardization
from isthmus.anomaly.standardization import (
    StandardizedSpace,
    center_and_scale,
    padded_symlog,
    padded_width,
    standardised,
    symexp,
    symlog,
    training_input,
)
from isthmus.data.schema import infer_schema


class Constant:
    """Stands for an autoencoder that reconstructs everything as one number."""

    def __init__(self, value, size):
        self.value, self.size = value, size

    def reconstruct_matrix(self, matrix):
        return np.full((len(matrix), self.size), self.value, dtype=np.float32)

    def encode_matrix(self, matrix):
        return matrix[:, :2]


def numbers():
    """Return rows with far outliers, a constant column and missing cells."""
    rows = np.random.default_rng(0).standard_normal((80, 4)) * [1, 100, 1e-3, 0] + [0, 5, -2, 7]
    rows[3, 0], rows[4, 1], rows[5, 2] = 1e5, -3e4, 40.0
    rows[::11, 1] = np.nan
    return rows


def slow_standardised(rows, fitted_on, floor=None):
    """Subtract each column's mean, and divide by its deviation, of the cells that are there."""
    found = np.empty(rows.shape)
    for j in range(rows.shape[1]):
        there = [x for x in fitted_on[:, j] if not math.isnan(x)]
        mean = sum(there) / len(there)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in there) / len(there))
        if floor is not None:
            deviation = max(deviation, floor)
        for i in range(rows.shape[0]):
            found[i, j] = (rows[i, j] - mean) / (deviation or 1.0)
    return found


def space_of(X, *, compressed=True, fitted_on=slice(None), value=0.5):
    schema = infer_schema(X, scale="robust")
    center, scale = center_and_scale(schema.to_matrix(X)[fitted_on], schema)
    network = Constant(value, padded_width(len(center)) if compressed else len(center))
    return StandardizedSpace(schema, center, scale, network, compressed)


def test_numbers_are_standardised_as_in_a_plain_loop():
    """The schema's robust scaling, and its compression of outliers, leave no trace."""
    X = numbers()
    space = space_of(X, fitted_on=slice(0, 50))
    scaled = space.schema.to_matrix(X)
    found = standardised(scaled, space.schema, space.center, space.scale)
    np.testing.assert_allclose(found, slow_standardised(X, X[:50]), rtol=2e-4, atol=2e-5)


def test_categories_are_standardised_with_a_floor():
    colours = np.array(["red"] * 60 + ["blue"] * 19 + ["green"])
    frame = pd.DataFrame({"colour": colours, "size": np.arange(80.0)})
    space = space_of(frame)
    one_hot = space.schema.to_matrix(frame)
    (cells,) = (s for s in space.schema.segments if s.name == "colour")
    own = one_hot[:, cells.start : cells.stop].astype(np.float64)
    np.testing.assert_allclose(
        space.matrix(space.schema.to_matrix(frame))[:, cells.start : cells.stop],
        slow_standardised(own, own, floor=0.25),
        rtol=1e-5,
        atol=1e-6,
    )


def test_blocks_of_rows_change_no_bit(monkeypatch):
    X = numbers()
    space = space_of(X)
    whole = space.matrix(space.schema.to_matrix(X))
    monkeypatch.setattr(standardization, "_BLOCK_CELLS", 4 * 7)
    np.testing.assert_array_equal(space.matrix(space.schema.to_matrix(X)), whole)


@pytest.mark.parametrize("compressed", [True, False], ids=["default network", "own network"])
def test_missing_cells_take_the_reconstruction(compressed):
    X = numbers()
    space = space_of(X, compressed=compressed)
    matrix = space.matrix(space.schema.to_matrix(X))
    there = ~np.isnan(X)
    np.testing.assert_allclose(matrix[there], slow_standardised(X, X)[there], rtol=2e-4, atol=2e-5)
    filled = space.reconstruct(matrix)
    np.testing.assert_array_equal(matrix[~there], filled[~there])
    if compressed:
        np.testing.assert_allclose(filled, math.expm1(0.5), rtol=1e-6)


def test_restored_rows_are_the_users():
    X = numbers()
    space = space_of(X)
    there = ~np.isnan(X)
    np.testing.assert_allclose(
        space.restore(space.matrix(space.schema.to_matrix(X)))[there],
        X[there],
        rtol=1e-3,
        atol=1e-4,
    )


def test_encoding_and_reconstructing_at_once_is_the_same():
    X = numbers()
    space = space_of(X)
    matrix = space.matrix(space.schema.to_matrix(X))
    for rows in (matrix, matrix[:1]):
        codes, rebuilt = space.encode_and_reconstruct(rows)
        assert len(codes) == len(rebuilt) == len(rows)
        np.testing.assert_array_equal(codes, space.encode(rows))
        np.testing.assert_array_equal(rebuilt, space.reconstruct(rows))


def test_symlog_is_that_of_a_plain_loop():
    matrix = np.array([[0.0, -0.0, 1e-6, -1], [1, 30, -1e4, 1e9]], dtype=np.float32)
    expected = [[math.copysign(math.log1p(abs(x)), x) for x in row] for row in matrix.tolist()]
    np.testing.assert_allclose(symlog(matrix), expected, rtol=1e-6)
    np.testing.assert_allclose(symexp(symlog(matrix)), matrix, rtol=1e-5)
    assert symlog(matrix).dtype == symexp(matrix).dtype == np.float32
    assert np.isfinite(symexp(np.full((1, 1), 1e9, dtype=np.float32))).all()


@pytest.mark.parametrize(("width", "padded"), [(1, 128), (128, 128), (129, 256)])
def test_the_default_network_sees_zeros_behind_the_columns(width, padded):
    matrix = np.random.default_rng(0).standard_normal((3, width)).astype(np.float32)
    found = padded_symlog(matrix)
    assert found.shape == (3, padded) == (3, padded_width(width))
    np.testing.assert_array_equal(found[:, :width], symlog(matrix))
    assert (found[:, width:] == 0).all()


@pytest.mark.parametrize("columns", [1, 2, 3, 25])
def test_sums_do_not_depend_on_blocks(columns, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, columns)) * 10.0 ** rng.integers(-3, 4, size=(1000, columns))
    X[rng.random(X.shape) < 0.1] = np.nan
    schema = infer_schema(X, scale="robust", unknown="warn")
    scaled, chosen = schema.to_matrix(X), np.arange(3, 900)
    whole = center_and_scale(scaled[chosen], schema)
    monkeypatch.setattr(standardization, "_BLOCK_CELLS", 7 * columns)
    for one, other in zip(whole, center_and_scale(scaled, schema, chosen), strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_input_is_the_compressed_rows():
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    chosen = np.array([1, 5, 5, 19])
    given = training_input(X, chosen)
    np.testing.assert_array_equal(given, padded_symlog(X)[chosen])
    schema = infer_schema(given, scale="none", unknown="warn")
    assert np.shares_memory(schema.to_matrix(given), given)  # nobody can write to it
    assert not np.shares_memory(schema.to_matrix(given.copy()), given)
