from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.compression.entropy.integer_networks import TOTAL_BITS, IntegerDense, Odds, power_table
from isthmus.core.errors import InvalidArchive


@given(st.integers(1, 130), st.integers(1, 130), st.integers(0, 16), st.integers(0, 2**32 - 1))
def test_a_layer_computes_what_whole_numbers_say(inputs, units, shift, seed):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (units, inputs), np.int8)
    bias = rng.integers(-(2**22), 2**22, units, np.int32)
    values = rng.integers(0, 256, (inputs, 7))
    exact = (weights.astype(np.int64) @ values + bias[:, None]) >> shift
    assert np.array_equal(IntegerDense(weights, bias, shift)(values.astype(np.float32)), exact)


@pytest.mark.parametrize(
    ("bias", "slack", "shift"),
    [
        (2**24 - 255, 0, 0),
        (-(2**24) + 255, 0, 0),
        (0, 2**24 - 255, 0),
        (-(2**31), 0, 0),
        (0, 0, 17),
        (0, 0, -1),
    ],
)
def test_a_layer_whose_sums_could_be_rounded_is_refused(bias, slack, shift):
    with pytest.raises(InvalidArchive):
        IntegerDense(np.ones((1, 1), np.int8), np.array([bias], np.int32), shift, slack)


def test_the_largest_sums_that_are_exact_are_taken():
    layer = IntegerDense(np.ones((1, 1), np.int8), np.array([2**24 - 256], np.int32), 0)
    assert layer(np.full((1, 1), 255, np.float32)).item() == 2**24 - 1


def test_powers_are_at_most_one_too_small():
    table = power_table()
    for k, power in enumerate(table.astype(int).tolist()):
        # power <= 2**(15 - k / 32) <= power + 1, to the 32nd power
        assert power**32 <= Fraction(2) ** (480 - k) <= (power + 1) ** 32


@settings(deadline=None)
@given(st.integers(1, 64), st.integers(0, 2**32 - 1), st.sampled_from([1, 40, 3000]))
def test_odds_give_every_class_shares_and_find_them_again(classes, seed, spread):
    rng = np.random.default_rng(seed)
    odds = Odds(rng.integers(-spread, spread + 1, (classes, 5)).astype(np.float32))
    starts = np.stack([odds.starts(np.full(5, k)) for k in range(classes + 1)]).astype(np.int64)
    assert (starts[0] == 0).all()
    assert (starts[-1] == 2**TOTAL_BITS - 1).all()
    assert (np.diff(starts, axis=0) >= 1).all()
    share = rng.integers(0, 2**TOTAL_BITS - 1, 5).astype(np.uint32)
    found, first, width = odds.find(share, slice(0, 5))
    assert ((first <= share) & (share < first + width)).all()
    assert np.array_equal(first, odds.starts(found))
    assert not odds.find(np.full(5, 2**16 - 1, np.uint32), slice(0, 5))[2].any()
