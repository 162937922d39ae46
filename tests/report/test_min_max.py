"""Buckets keep the lowest and the highest value, and share no rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from isthmus.report.min_max import as_float32, bucket_starts, lowest_and_highest

series = arrays.arrays(np.float64, st.integers(1, 300), elements=st.floats(width=64))


@given(series, st.integers(1, 50), st.data())
def test_no_extreme_is_lost(values, size, data):
    n = len(values)
    cuts = data.draw(st.lists(st.integers(0, n - 1), max_size=5))
    starts = bucket_starts(n, size, cuts)
    low, high = lowest_and_highest(values, starts)
    kept = as_float32(values)
    assert len(starts) == len(low) == len(high)
    for start, stop, least, most in zip(starts, [*starts[1:], n], low, high, strict=True):
        there = kept[start:stop][~np.isnan(kept[start:stop])]
        if len(there):
            assert (least, most) == (there.min(), there.max())
        else:
            assert np.isnan([least, most]).all()


@given(st.integers(1, 1000), st.integers(1, 100), st.data())
def test_buckets_are_consecutive_and_no_larger_than_asked(n, size, data):
    cuts = data.draw(st.lists(st.integers(0, n - 1), max_size=5))
    starts = bucket_starts(n, size, cuts)
    assert starts[0] == 0
    lengths = np.diff([*starts, n])
    assert lengths.min() >= 1
    assert lengths.max() <= size
    assert set(cuts) <= set(starts.tolist())
    assert len(starts) <= -(-n // size) + len(set(cuts))


def test_values_beyond_float32_and_infinite_ones():
    largest = np.finfo(np.float32).max
    np.testing.assert_array_equal(
        as_float32([1e300, -1e300, np.inf, -np.inf, np.nan, 0.1]),
        np.array([largest, -largest, np.nan, np.nan, np.nan, 0.1], dtype=np.float32),
    )


@pytest.mark.parametrize("n", [1, 7])
def test_one_row_each(n):
    np.testing.assert_array_equal(bucket_starts(n, 1), np.arange(n))
