"""Rows that judge are never rows that train."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cli.row_split import MAX_HELD_OUT, split_rows
from isthmus.core.errors import InvalidData
from isthmus.data.reading import Dataset


@given(rows=st.integers(2, 500), seed=st.integers(0, 2**32 - 1))
def test_a_tenth_is_held_out_and_no_row_is_lost(rows: int, seed: int) -> None:
    labels = np.arange(rows)
    parts = split_rows(Dataset("x", np.arange(rows)[:, None], labels), test=None, seed=seed)
    assert len(parts.held_out) == max(1, rows // 10)
    assert sorted([*parts.train[:, 0], *parts.held_out[:, 0]]) == list(range(rows))
    assert (parts.held_out_labels == parts.held_out[:, 0]).all()


def test_at_most_ten_thousand_rows_are_held_out() -> None:
    parts = split_rows(Dataset("x", np.zeros((200_000, 1), np.uint8)), test=None, seed=0)
    assert len(parts.held_out) == MAX_HELD_OUT


def test_the_seed_chooses_the_rows() -> None:
    table = Dataset("x", pa.table({"a": range(100)}))
    first, again, other = (split_rows(table, test=None, seed=seed).held_out for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_the_files_own_test_rows_come_before_chance_and_a_test_file_before_both() -> None:
    own = Dataset("x", np.zeros((5, 1)), None, np.ones((2, 1)))
    assert split_rows(own, test=None, seed=0).held_out is own.X_test
    other = Dataset("y", np.full((3, 1), 2.0))
    assert split_rows(own, test=other, seed=0).held_out is other.X
    assert split_rows(own, test=other, seed=0).train is own.X


def test_one_row_cannot_be_parted() -> None:
    with pytest.raises(InvalidData, match="at least 2 rows"):
        split_rows(Dataset("x", np.zeros((1, 3))), test=None, seed=0)


def test_a_category_that_only_one_row_has_is_trained_on() -> None:
    rare = pa.table({"city": ["Oslo"] * 99 + ["Narvik"], "id": [f"n{i}" for i in range(100)]})
    for seed in range(30):
        parts = split_rows(Dataset("x", rare), test=None, seed=seed)
        assert "Narvik" in parts.train["city"].to_pylist()
        assert len(parts.train) + len(parts.held_out) == 100
        assert len(parts.held_out) >= 9


def test_a_category_of_a_dictionary_column_is_trained_on_too() -> None:
    rare = pa.table({"city": pa.array(["Oslo"] * 99 + ["Narvik"]).dictionary_encode()})
    for seed in range(30):
        parts = split_rows(Dataset("x", rare), test=None, seed=seed)
        assert "Narvik" in parts.train["city"].to_pylist()


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_the_only_value_of_a_column_is_trained_on(nothing: float | None) -> None:
    cells = [1.0, *[nothing] * 49]
    table = pa.table({"a": pa.array(cells, pa.float64()), "b": range(50)})
    array = np.column_stack([np.array(cells, dtype=float), np.arange(50)])
    for seed in range(30):
        parts = split_rows(Dataset("x", table), test=None, seed=seed)
        assert 1.0 in parts.train["a"].to_pylist()
        parts = split_rows(Dataset("x", array), test=None, seed=seed)
        assert 1.0 in parts.train[:, 0]
        assert len(parts.train) + len(parts.held_out) == 50
