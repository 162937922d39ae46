"""Errors per column and per row."""

import numpy as np
import pytest

from isthmus.core.types import Segment
from isthmus.data.reconstruction_error import cell_errors, row_errors

SEGMENTS = (
    Segment("age", "numeric", 0, 1),
    Segment("kind", "categorical", 1, 4),
    Segment("paid", "binary", 4, 5),
)
TARGET = np.array([[1.0, 0, 1, 0, 1], [np.nan, 1, 0, 0, 0], [2.0, *[np.nan] * 3, 1]], np.float32)
GUESS = np.array([[0.5, 0, 0, 1, 0.5], [9.0, 0.5, 0.5, 0, 0], [2.0, 1, 0, 0, 0]], np.float32)


def test_each_column_counts_once_and_missing_ones_are_nan():
    errors = cell_errors(TARGET, GUESS, SEGMENTS)
    np.testing.assert_allclose(
        errors, [[0.25, 1.0, 0.25], [np.nan, 0.25, 0.0], [0.0, np.nan, 1.0]], equal_nan=True
    )


def test_rows_average_their_observed_columns():
    np.testing.assert_allclose(row_errors(TARGET, GUESS, SEGMENTS), [0.5, 0.125, 0.5])


@pytest.mark.parametrize("segments", [(), SEGMENTS])
def test_a_row_without_cells_has_error_zero(segments):
    nothing = np.full((1, 5), np.nan, np.float32)
    assert row_errors(nothing, np.ones((1, 5)), segments).tolist() == [0.0]


def test_a_prediction_that_is_not_a_number_is_not_hidden():
    assert np.isnan(row_errors(np.zeros((1, 2)), np.array([[np.nan, 0.0]]))[0])


def test_images_are_flattened():
    target = np.zeros((2, 3, 4))
    guess = np.ones((2, 3, 4)) * [[[1.0]], [[2.0]]]
    assert cell_errors(target, guess).shape == (2, 12)
    np.testing.assert_array_equal(row_errors(target, guess), [1.0, 4.0])


def test_the_inputs_are_left_alone_and_rows_do_not_depend_on_each_other():
    rng = np.random.default_rng(0)
    target, guess = rng.normal(size=(2, 5000, 300))
    before = target.copy()
    together = row_errors(target, guess)
    np.testing.assert_array_equal(target, before)
    np.testing.assert_array_equal(
        together[1234:1236], row_errors(target[1234:1236], guess[1234:1236])
    )
