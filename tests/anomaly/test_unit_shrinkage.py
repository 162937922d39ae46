"""How far the figures of units are trusted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.anomaly.unit_shrinkage import UnitShrinkage


def means(units, rows, between, seed=0):
    """Return true means, units' means, and those of their halves, for noise of variance 1."""
    random = np.random.default_rng(seed)
    true = between * random.standard_normal((units, 1))
    noise = random.standard_normal((units, 2, 1)) * np.sqrt(2 / rows)
    halves = true[:, None] + noise
    return true, halves.mean(axis=1), halves, np.full(units, rows)


def test_units_that_are_alike_share_a_figure():
    _, values, halves, counts = means(500, 20, between=0.0)
    found = UnitShrinkage.fit(values, halves, counts).estimates(values, counts)
    assert found.std() < 0.4 * values.std()


def test_units_that_differ_have_their_own():
    _, values, halves, counts = means(500, 20, between=3.0)
    found = UnitShrinkage.fit(values, halves, counts).estimates(values, counts)
    np.testing.assert_allclose(found, values, atol=0.1)


@pytest.mark.parametrize("between", [0.2, 0.3, 1.0])
def test_estimates_are_nearer_to_the_truth_than_either(between):
    true, values, halves, counts = means(2000, 10, between)
    shrinkage = UnitShrinkage.fit(values, halves, counts)
    error = np.square(shrinkage.estimates(values, counts) - true).mean()
    assert error < np.square(values - true).mean()
    assert error < np.square(values.mean() - true).mean()
    assert shrinkage.between == pytest.approx(between**2, abs=0.02)
    assert shrinkage.within == pytest.approx(1, rel=0.15)


def test_few_rows_are_trusted_less():
    _, values, halves, counts = means(500, 20, between=0.3)
    shrinkage = UnitShrinkage.fit(values, halves, counts)
    same = np.ones((3, 1)) + shrinkage.centre
    found = shrinkage.estimates(same, np.array([1, 20, 10_000]))[:, 0] - shrinkage.centre
    assert 0 < found[0] < found[1] < found[2] < 1
    assert found[2] > 0.99


@given(units=st.integers(1, 6), missing=st.integers(0, 6), seed=st.integers(0, 99))
def test_estimates_lie_between_the_unit_and_the_fleet(units, missing, seed):
    _, values, halves, counts = means(units, 5, between=0.5, seed=seed)
    values[:missing] = halves[:missing] = np.nan
    shrinkage = UnitShrinkage.fit(values, halves, counts)
    found = shrinkage.estimates(values, counts)
    assert np.isfinite(found).all()
    assert (found[:missing] == shrinkage.centre).all()
    ends = np.stack([values[missing:], np.full_like(values[missing:], shrinkage.centre[0])])
    inside = found[missing:]
    assert ((inside >= ends.min(axis=0) - 1e-9) & (inside <= ends.max(axis=0) + 1e-9)).all()


def test_figures_without_variation():
    values, halves = np.full((4, 1), 7.0), np.full((4, 2, 1), 7.0)
    counts = np.full(4, 9)
    found = UnitShrinkage.fit(values, halves, counts)
    assert (found.estimates(values, counts) == 7).all()
    assert found.estimates(values + 1, counts) == pytest.approx(7)
