import keras
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.networks.inference import Function

MODEL = keras.Sequential(
    [keras.Input((6,)), keras.layers.Dense(7, activation="tanh"), keras.layers.Dense(3)]
)
FUNCTION = Function(MODEL)
ROWS = np.random.default_rng(0).normal(size=(2500, 6)).astype(np.float32)


def test_equals_the_model():
    np.testing.assert_allclose(FUNCTION(ROWS), MODEL(ROWS), rtol=1e-5, atol=1e-6)


def test_no_rows():
    assert FUNCTION(ROWS[:0]).shape == (0, 3)


@given(st.integers(0, 2400), st.integers(1, 100))
@settings(max_examples=30, deadline=None)
def test_slices_equal_the_whole(start, count):
    whole = FUNCTION(ROWS)
    np.testing.assert_array_equal(
        FUNCTION(ROWS[start : start + count]), whole[start : start + count]
    )


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
    for chosen in (slice(0, 1), slice(5, 70), slice(1000, 1100), slice(1, 1099)):
        np.testing.assert_array_equal(function(rows[chosen]), whole[chosen])
