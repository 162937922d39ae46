import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.training.batches import bucket, in_order, own_rows, shuffled


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


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 4), st.integers(0, 10**6))
def test_each_row_is_trained_by_its_owner(rows, batch_size, processes, seed):
    rng = np.random.default_rng(seed)
    owners = rng.integers(processes, size=rows).astype(np.int32)
    plan = in_order(rng.permutation(rows), batch_size)
    usual = int(rng.integers(1, batch_size + 1))
    trained = [[] for _ in range(len(plan.rows))]
    for process in range(processes):
        own = own_rows(plan, owners, process, (usual, batch_size))
        assert own.steps == plan.steps
        assert own.rows.shape[1] in (usual, batch_size)
        numbers = np.flatnonzero(owners == process)
        for step, (places, weights) in enumerate(zip(own.rows, own.weights, strict=True)):
            trained[step] += [int(numbers[place]) for place in places[weights > 0]]
    expected = [sorted(r[w > 0]) for r, w in zip(plan.rows, plan.weights, strict=True)]
    assert [sorted(step) for step in trained] == expected
