"""Fractions of a score, and repairs."""

import numpy as np
import pytest
from mahalanobis import Mahalanobis, correlated, with_faults

from isthmus.anomaly.cell_density import CellModel
from isthmus.anomaly.contributions import contributions
from isthmus.anomaly.repair import repair_rows


@pytest.fixture(scope="module")
def fitted():
    return Mahalanobis(correlated(1_500))


@pytest.fixture(scope="module")
def cells():
    return CellModel.fit(correlated(1_500), seed=0)


@pytest.fixture(scope="module")
def threshold(fitted):
    return float(np.quantile(fitted.score(correlated(500, seed=5)), 0.99))


def test_contributions_sum_to_the_score(fitted, cells):
    rows, wrong = with_faults(correlated(100, seed=1), 1)
    shares = contributions(fitted, cells, rows)
    np.testing.assert_allclose(shares.sum(axis=1), fitted.score(rows), rtol=1e-9)
    assert (shares >= 0).all()
    assert wrong[np.arange(100), shares.argmax(axis=1)].mean() > 0.9


def test_a_repair_makes_the_row_normal_and_leaves_the_rest(fitted, cells, threshold):
    clean = correlated(200, seed=1)
    rows, wrong = with_faults(clean, 2)
    result = repair_rows(fitted, cells, rows, 2, threshold=threshold)
    assert (result.before > threshold).mean() > 0.95
    assert (result.after <= threshold).mean() > 0.9
    np.testing.assert_allclose(result.after, fitted.score(result.matrix))
    np.testing.assert_array_equal(result.matrix[~result.changed], rows[~result.changed])
    assert wrong[result.changed].mean() > 0.9
    assert result.changed.sum(axis=1).max() <= 2


def test_normal_rows_are_left_alone(fitted, cells, threshold):
    rows = correlated(50, seed=1)
    rows = rows[fitted.score(rows) <= threshold]
    result = repair_rows(fitted, cells, rows, 3, threshold=threshold)
    assert not result.changed.any()
    assert (result.order == -1).all()
    np.testing.assert_array_equal(result.matrix, rows)


def test_more_cells_than_columns_may_be_asked_for(fitted, cells):
    rows, _ = with_faults(correlated(5, seed=1), 3)
    result = repair_rows(fitted, cells, rows, 99)
    assert result.order.shape == (5, 6)
    assert (result.after <= result.before).all()
    for order, changed in zip(result.order, result.changed, strict=True):
        assert sorted(order[order >= 0]) == np.flatnonzero(changed).tolist()
