from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.networks.inference import Function

MODEL = keras.Sequential(
    [keras.Input((6,)), keras.layers.Dense(7, activation="tanh"), keras.layers.Dense(3)]
)
FUNCTION = Function(MODEL)
SHARES = keras.Sequential(
    [keras.Input((6,)), keras.layers.Dense(7), keras.layers.Dense(3, activation="softmax")]
)
TILED = Function(SHARES).tiled()
ROWS = np.random.default_rng(0).normal(size=(2500, 6)).astype(np.float32)


def test_equals_the_model():
    np.testing.assert_allclose(FUNCTION(ROWS), MODEL(ROWS), rtol=1e-5, atol=1e-6)


def test_no_rows():
    assert FUNCTION(ROWS[:0]).shape == (0, 3)


@given(st.integers(0, 2400), st.integers(2, 100))
@settings(max_examples=30, deadline=None)
def test_slices_equal_the_whole(start, count):
    whole = FUNCTION(ROWS)
    np.testing.assert_array_equal(
        FUNCTION(ROWS[start : start + count]), whole[start : start + count]
    )


@given(st.integers(0, 2400), st.integers(1, 100))
@settings(max_examples=30, deadline=None)
def test_a_tiled_function_gives_each_row_the_same_bits_whatever_comes_with_it(start, count):
    whole = TILED(ROWS)
    part = slice(start, start + count)
    np.testing.assert_array_equal(TILED(ROWS[part]), whole[part])


def test_owns_its_weights():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    function = Function(model)
    before = function(ROWS[:5])
    model.predict(ROWS[:5], verbose=0)
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    np.testing.assert_array_equal(function(ROWS[:5]), before)


def test_wide_rows_do_not_depend_on_their_neighbours():
    model = keras.Sequential(
        [keras.Input((784,)), keras.layers.Dense(300, activation="gelu"), keras.layers.Dense(20)]
    )
    function = Function(model)
    rows = np.random.default_rng(0).normal(size=(1100, 784)).astype(np.float32)
    whole = function(rows)
    for chosen in (slice(0, 2), slice(5, 70), slice(1000, 1100), slice(1, 1099)):
        np.testing.assert_array_equal(function(rows[chosen]), whole[chosen])


def test_a_row_alone_differs_by_rounding_only():
    alone = np.concatenate([FUNCTION(ROWS[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, FUNCTION(ROWS)[:20], rtol=1e-5, atol=1e-6)


def test_one_function_then_another():
    back = keras.Sequential([keras.Input((3,)), keras.layers.Dense(6, activation="gelu")])
    both = FUNCTION.then(Function(back))
    np.testing.assert_allclose(both(ROWS), back(MODEL(ROWS)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sizes", [[2500], [1, 64, 65, 2370], []])
def test_streams_blocks_in_order(sizes):
    cuts = np.cumsum([0, *sizes])
    blocks = [ROWS[start:stop] for start, stop in pairwise(cuts)]
    streamed = list(FUNCTION.stream(iter(blocks)))
    for (rows, outputs), block in zip(streamed, blocks, strict=True):
        np.testing.assert_array_equal(rows, block)
        np.testing.assert_array_equal(outputs, FUNCTION(block))


def test_a_stream_reads_only_a_few_blocks_ahead():
    read = []

    def blocks():
        for start in range(20):
            read.append(start)
            yield ROWS[start : start + 1]

    next(FUNCTION.stream(blocks()))
    assert len(read) < 5


def test_many_rows_equal_one_block_of_them():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    function = Function(model)
    rows = np.random.default_rng(1).normal(size=(function.block_rows + 70, 2)).astype(np.float32)
    np.testing.assert_allclose(function(rows), rows @ model.get_weights()[0], atol=1e-5)
    np.testing.assert_array_equal(function(rows)[-70:], function(rows[-70:]))


def test_threads_share_a_function():
    expected = FUNCTION(ROWS)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: FUNCTION(ROWS), range(12)):
            np.testing.assert_array_equal(found, expected)


def test_missing_cells_count_as_zero():
    rows = ROWS[:5].copy()
    rows[:, 2] = np.nan
    np.testing.assert_array_equal(FUNCTION(rows), FUNCTION(np.nan_to_num(rows)))
