"""The memory of normal patches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isthmus.anomaly.patch_memory import coreset, mean_of_nearest, nearest_distance, same_within


@given(count=st.integers(1, 30), seed=st.integers(0, 99))
def test_a_coreset_covers_the_points(count, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(60, 3)).astype("f4")
    kept = coreset(points, count, rng)
    assert len(np.unique(kept, axis=0)) == count
    farthest = nearest_distance(kept, points).max()
    gaps = [nearest_distance(np.delete(kept, i, 0), kept[i : i + 1])[0] for i in range(count)
            if count > 1]  # fmt: skip
    # each was the farthest when it was added, so no two of them are closer than the last gap
    assert not gaps or farthest <= min(gaps) + 1e-3


def test_few_points_are_all_kept():
    points = np.eye(3, dtype="f4")
    assert coreset(points, 5, np.random.default_rng(0)) is points


def test_distances_and_means_of_the_nearest():
    rng = np.random.default_rng(0)
    memory, points = rng.normal(size=(50, 4)).astype("f4"), rng.normal(size=(20, 4)).astype("f4")
    values = rng.normal(size=(50, 2)).astype("f4")
    exact = np.linalg.norm(points[:, None] - memory, axis=2)
    np.testing.assert_allclose(nearest_distance(memory, points), exact.min(axis=1), rtol=1e-6)
    order = np.argsort(exact, axis=1)[:, :5]
    found = mean_of_nearest(memory, values, points, 5)
    np.testing.assert_allclose(found, values[order].mean(axis=1), atol=1e-5)


def test_patches_that_are_as_near_count_too():
    memory = np.array([[1, 0]] * 4 + [[0, 1]], "f4")
    values = np.arange(5, dtype="f4")[:, None]
    point = np.array([[1, 0.1]], "f4")
    np.testing.assert_allclose(mean_of_nearest(memory, values, point, 2), [[1.5]])


def test_a_patch_of_the_memory_is_not_infinitely_near():
    memory = np.random.default_rng(0).normal(size=(5, 3)).astype("f4")
    np.testing.assert_allclose(nearest_distance(memory, memory), same_within(memory))
