import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isthmus.training.batches import in_order, shuffled


@given(st.integers(1, 500), st.integers(1, 300), st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_every_row_counts_once(n, batch_size, seed, epoch):
    plan = shuffled(np.arange(n), batch_size, seed=seed, epoch=epoch)
    assert len(plan.rows) == len(plan.weights) == plan.steps * plan.batch_size
    assert sorted(plan.rows[plan.weights == 1]) == list(range(n))
    assert set(plan.rows) == set(range(n))
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
    np.testing.assert_array_equal(in_order(np.arange(5) + 3, 2).rows, [3, 4, 5, 6, 7, 3])
