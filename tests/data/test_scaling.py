"""Reversible scaling."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from isthmus.core.errors import InvalidArchive, InvalidData
from isthmus.data import scaling
from isthmus.data.scaling import (
    KNEE,
    Scaling,
    compress_tails,
    expand_tails,
    fit_range,
    fit_robust,
)

COLUMNS = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.floats(-1e9, 1e9, width=32),
)


def name(column):
    return f"'c{column}'"


@given(COLUMNS)
def test_robust_scaling_returns_what_it_was_given(values):
    fitted = fit_robust(values, name)
    scaled = fitted.forward(values.copy())
    assert np.isfinite(scaled).all()
    # A far outlier is stored as a logarithm, which preserves its relative precision.
    spread = np.abs(values - fitted.center)
    np.testing.assert_array_less(
        np.abs(fitted.inverse(scaled) - values), 1e-9 * spread + 1e-9 * np.abs(values) + 1e-300
    )


def test_robust_scaling_is_median_and_quartiles_and_logarithmic_beyond_five():
    column = np.r_[np.random.default_rng(0).normal(10, 2, 9999), 1e6][:, None]
    fitted = fit_robust(column, name)
    assert fitted.center[0] == pytest.approx(np.median(column))
    assert fitted.scale[0] == pytest.approx(2, rel=0.05)
    scaled = fitted.forward(column.copy())
    z = (1e6 - fitted.center[0]) / fitted.scale[0]
    assert scaled[-1, 0] == pytest.approx(5 * (1 + np.log(z / 5)))
    assert scaled[:-1].std() == pytest.approx(1, rel=0.05)


def test_missing_cells_are_ignored_and_kept():
    column = np.array([[1.0], [np.nan], [3.0], [np.nan], [2.0]])
    fitted = fit_robust(column, name)
    assert fitted.center[0] == 2
    assert np.isnan(fitted.forward(column.copy())[[1, 3]]).all()


@pytest.mark.parametrize("absent", [0.0, 0.3])
def test_quartiles_are_those_of_numpy(absent):
    rng = np.random.default_rng(0)
    values = rng.lognormal(size=(101, 40))
    values[rng.random(values.shape) < absent] = np.nan
    quarter, median, three_quarters = np.nanquantile(values, [0.25, 0.5, 0.75], axis=0)
    fitted = fit_robust(values, name)
    np.testing.assert_allclose(fitted.center, median, rtol=1e-13)
    np.testing.assert_allclose(fitted.scale, (three_quarters - quarter) / 1.349, rtol=1e-12)


def test_mostly_constant_columns_use_the_standard_deviation_and_constant_ones_one():
    values = np.zeros((100, 2))
    values[:10, 0] = 3.0
    fitted = fit_robust(values, name)
    assert fitted.scale[0] == pytest.approx(np.sqrt((values[:, 0] ** 2).mean()))
    assert fitted.scale[1] == 1
    assert (fitted.forward(values.copy())[:, 1] == 0).all()


def test_columns_are_fitted_alike_whole_or_in_groups(monkeypatch):
    values = np.random.default_rng(0).lognormal(size=(50, 7))
    whole = fit_robust(values, name)
    monkeypatch.setattr(scaling, "BLOCK", 100)
    parts = fit_robust(values, name)
    np.testing.assert_array_equal(whole.scale, parts.scale)
    np.testing.assert_array_equal(whole.center, parts.center)


def test_tiny_and_huge_numbers_survive():
    values = np.array([[1e-300, 1e300], [2e-300, 3e300], [5e-300, 2e300]])
    fitted = fit_robust(values, name)
    np.testing.assert_allclose(fitted.inverse(fitted.forward(values.copy())), values, rtol=1e-12)


def test_a_spread_beyond_float64_names_the_column():
    with pytest.raises(InvalidData, match=r"column 'c0'.*spread beyond 1e308.*Try: "):
        fit_robust(np.array([[-1e308], [1e308], [1e308], [-1e308]]), name)


def test_the_inverse_of_any_network_output_is_finite():
    fitted = Scaling("robust", np.zeros(1), np.full(1, 1e300))
    assert np.isfinite(fitted.inverse(np.array([[-1e30], [3e38]]))).all()


@given(COLUMNS)
def test_ranges_become_shares_and_come_back(values):
    fitted = fit_range(values.min(axis=0), values.max(axis=0), name)
    scaled = fitted.forward(values.copy())
    assert scaled.min() >= 0
    assert scaled.max() <= 1 + 1e-12
    np.testing.assert_allclose(fitted.inverse(scaled), values, rtol=1e-12, atol=1e-6)


@given(COLUMNS)
def test_a_config_is_exact(values):
    fitted = fit_robust(values, name)
    again = Scaling.from_config(json.loads(json.dumps(fitted.to_config())), values.shape[1])
    np.testing.assert_array_equal(fitted.center, again.center)
    np.testing.assert_array_equal(fitted.scale, again.scale)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "eval"},
        {"method": 3},
        {"scale": [0.0]},
        {"scale": [-1.0]},
        {"scale": [float("nan")]},
        {"center": ["1"]},
        {"center": [True]},
        {"center": 1.0},
        {"center": [10**400]},
        {"center": [0.0] * 4, "scale": [1.0] * 4},
        {"center": [0.0, 1.0]},
    ],
)
def test_a_hostile_config_is_refused(change):
    config = {"method": "robust", "center": [0.0], "scale": [1.0]} | change
    with pytest.raises(InvalidArchive, match="Try: "):
        Scaling.from_config(config, 3)


@pytest.mark.parametrize("config", [None, [], "x", {}, {"method": "robust"}])
def test_a_config_that_is_none_is_refused(config):
    with pytest.raises(InvalidArchive):
        Scaling.from_config(config, 3)


def test_tails_are_compressed_as_in_a_plain_loop():
    values = np.array([[0.0, 4.9, -5.0], [5.1, -60.0, 1e9], [np.nan, -1e300, 7.0]])

    def compressed(x: float) -> float:
        beyond = abs(x) > KNEE
        return math.copysign(KNEE * (1 + math.log(abs(x) / KNEE)), x) if beyond else x

    expected = np.array([[compressed(x) for x in row] for row in values.tolist()])
    found = values.copy()
    compress_tails(found)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    expand_tails(found)
    np.testing.assert_allclose(found, values, rtol=1e-12)

    some = values.copy()
    compress_tails(some, np.array([True, False, True]))
    np.testing.assert_array_equal(some[:, 1], values[:, 1])
    np.testing.assert_allclose(some[:, [0, 2]], expected[:, [0, 2]], rtol=1e-14)
