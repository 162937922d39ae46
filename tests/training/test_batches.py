import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isthmus.training.batches import bucket, in_order, shuffled


@given(st.integers(1, 500), st.integers(1, 300), st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_every_row_counts_once(n, batch_size, seed, epoch):
    plan = shuffled(np.arange(n), batch_size, seed=seed, epoch=epoch)
    assert plan.rows.shape == plan.weights.shape == (len(plan.rows), batch_size)
    assert plan.steps == -(-n // batch_size) <= len(plan.rows)
    assert not plan.weights[plan.steps :].any()
    assert sorted(plan.rows[plan.weights == 1]) == list(range(n))
    assert set(plan.rows.ravel()) == set(range(n))
    assert np.isin(plan.weights, (0, 1)).all()


def test_orders_are_keyed():
    a, b, c, d = (
        shuffled(np.arange(100), 10, seed=seed, epoch=epoch).rows
        for seed, epoch in ((1, 1), (1, 1), (1, 2), (2, 1))
    )
    assert (a == b).all()
    assert (a != c).any()
    assert (a != d).any()


def test_in_order():
    np.testing.assert_array_equal(in_order(np.arange(5) + 3, 2).rows, [[3, 4], [5, 6], [7, 3]])


@given(st.integers(1, 10**9))
def test_buckets_are_few_and_fit(size):
    padded = bucket(size)
    assert size <= padded <= size * 9 / 8 + 1
    assert bucket(padded) == padded
    assert bucket(size + 1) >= padded
