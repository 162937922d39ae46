"""What a cell is expected to be, and how surprising it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mahalanobis import correlated, with_faults

from isthmus.anomaly.cell_density import CellModel
from isthmus.core.errors import InvalidArchive, InvalidParameter


@pytest.fixture(scope="module")
def cells():
    return CellModel.fit(correlated(1_500), seed=0)


def test_expects_what_the_other_cells_suggest(cells):
    clean = correlated(200, seed=1)
    rows, wrong = with_faults(clean, 1)
    error = np.square(cells.expected(rows) - clean)[wrong].mean()
    assert error < 0.15 * np.square(clean).mean()


@pytest.mark.parametrize("faults", [1, 2])
def test_faulty_cells_are_the_most_surprising(cells, faults):
    rows, wrong = with_faults(correlated(300, seed=1), faults)
    order = np.argsort(-cells.surprise(rows), axis=1)[:, :faults]
    assert np.take_along_axis(wrong, order, axis=1).all(axis=1).mean() > 0.85


def test_cells_that_are_ignored_say_nothing_of_the_others(cells):
    rows, wrong = with_faults(correlated(50, seed=1), 1)
    changed = np.where(wrong, rows + 5, rows).astype(np.float32)
    expected = [cells.expected(each, wrong)[~wrong] for each in (rows, changed)]
    np.testing.assert_allclose(*expected, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=6, max_size=6),
    st.integers(0, 5),
)
def test_is_finite_and_positive_for_any_row(values, column):
    model = CellModel.fit(correlated(50), seed=0)
    row = np.asarray([values], dtype=np.float32)
    assert (model.surprise(row) > 0).all()
    assert np.isfinite(model.surprise(row)).all()
    assert (np.abs(model.expected(row)) <= np.abs(model.rows).max(axis=0) * 1.001).all()


def test_a_larger_fault_is_more_surprising(cells):
    rows = np.zeros((4, 6), dtype=np.float32)
    rows[:, 2] = [0, 3, 10, 1000]
    assert (np.diff(cells.surprise(rows)[:, 2]) > 0).all()


def test_columns_that_never_vary():
    reference = correlated(300)
    reference[:, 1] = 0
    model = CellModel.fit(reference, seed=0)
    rows = correlated(20, seed=1)
    rows[:, 1] = 0
    assert (model.surprise(rows)[:, 1] < 0.5).all()
    rows[:, 1] = 3
    assert (model.surprise(rows).argmax(axis=1) == 1).mean() > 0.9


def test_the_cells_of_a_category_are_one_column():
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=800)
    number = (kind - 1) * 1.2 + 0.2 * rng.normal(size=800)
    matrix = np.column_stack([np.eye(3)[kind], number]).astype(np.float32)
    model = CellModel.fit(matrix[:700], groups=[[0, 1, 2], [3]], seed=0)
    rows = matrix[700:].copy()
    assert model.surprise(rows).shape == (100, 2)
    assert (model.expected(rows)[:, :3].argmax(axis=1) == kind[700:]).mean() > 0.95
    normal = model.surprise(rows)[:, 0]
    rows[:, :3] = np.roll(rows[:, :3], 1, axis=1)
    assert np.median(model.surprise(rows)[:, 0]) > 3 * np.median(normal)


def test_groups_must_hold_each_column_once():
    with pytest.raises(InvalidParameter, match="each of the 6 matrix columns"):
        CellModel.fit(correlated(20), groups=[[0, 1], [1, 2], [3, 4, 5]])


def test_what_is_kept_is_bounded_and_repeatable():
    wide = np.random.default_rng(0).normal(size=(3_000, 1_000)).astype(np.float32)
    model = CellModel.fit(wide, seed=3)
    assert model.rows.size <= 1_000_000
    np.testing.assert_array_equal(model.rows, CellModel.fit(wide, seed=3).rows)


def test_comes_back_from_its_arrays(cells):
    again = CellModel.from_arrays(cells.to_arrays(), width=6)
    rows = correlated(10, seed=2)
    np.testing.assert_array_equal(again.surprise(rows), cells.surprise(rows))


@pytest.mark.parametrize(
    "damage",
    [
        {"rows": np.zeros((3, 5), np.float32)},
        {"rows": np.full((3, 6), np.nan, np.float32)},
        {"column_of": np.asarray([0, 1, 2, 3, 4, 9], np.int32)},
        {"column_of": np.asarray([-1, 0, 1, 2, 3, 4], np.int32)},
        {"more": np.zeros(1, np.float32)},
    ],
)
def test_damaged_arrays_are_refused(cells, damage):
    with pytest.raises(InvalidArchive):
        CellModel.from_arrays({**cells.to_arrays(), **damage}, width=6)
