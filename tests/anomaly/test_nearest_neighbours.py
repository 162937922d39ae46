"""Nearest neighbours, against a plain loop over all pairs."""

import math

import numpy as np
import pytest

from isthmus.anomaly import nearest_neighbours
from isthmus.anomaly.nearest_neighbours import NearestNeighbours, reach_density


def slow_find(points, queries, count, itself=None):
    """Return distances, numbers and each query's own number, (n, count), (n, count) and (n,)."""
    distances, numbers, own = [], [], []
    for q, query in enumerate(queries):
        found = []
        for p, point in enumerate(points):
            pairs = zip(query.tolist(), point.tolist(), strict=True)
            found.append((math.sqrt(sum((a - b) ** 2 for a, b in pairs)), p))
        same = [p for distance, p in found if distance == 0]
        own.append(itself[q] if itself is not None else (same[0] if same else -1))
        nearest = sorted(pair for pair in found if pair[1] != own[-1])[:count]
        distances.append([distance for distance, _ in nearest])
        numbers.append([p for _, p in nearest])
    return np.array(distances), np.array(numbers), np.array(own)


def slow_reach_density(distances, numbers, radius):
    densities = []
    for row, near in zip(distances, numbers, strict=True):
        reach = [max(d, radius[p]) for d, p in zip(row, near, strict=True)]
        densities.append(len(reach) / sum(reach))
    return np.array(densities)


def cloud(n, width, seed):
    return np.random.default_rng(seed).standard_normal((n, width)).astype(np.float32)


@pytest.mark.parametrize("width", [1, 4, 12, 13, 40], ids=lambda w: f"{w} columns")
def test_neighbours_are_those_of_a_plain_loop(width):
    points = cloud(60, width, 0)
    queries = np.concatenate([points[5:15], cloud(20, width, 1), points[7:8] + np.float32(1e4)])
    found = NearestNeighbours(points).find(queries, 6)
    distances, numbers, own = slow_find(points, queries, 6)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    np.testing.assert_array_equal(found.points, numbers)
    np.testing.assert_array_equal(found.itself, own)
    assert own[:10].tolist() == list(range(5, 15))
    assert (own[10:] == -1).all()


def test_of_points_that_are_equally_far_the_first_are_nearest():
    points = np.random.default_rng(0).permutation(40).astype(np.float32)[:, None]
    queries = np.arange(5, 35).astype(np.float32)[:, None] + np.float32(0.5)
    found = NearestNeighbours(points).find(queries, 5)
    np.testing.assert_array_equal(found.points, slow_find(points, queries, 5)[1])


def test_what_each_query_is_may_be_told():
    points = cloud(30, 5, 0)
    moved, itself = points[:8] + np.float32(0.1), np.arange(8)
    itself[3] = -1
    found = NearestNeighbours(points).find(moved, 4, itself)
    distances, numbers, own = slow_find(points, moved, 4, itself)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    np.testing.assert_array_equal(found.points, numbers)
    np.testing.assert_array_equal(found.itself, own)


def test_few_points_have_few_neighbours():
    points = cloud(4, 3, 0)
    found = NearestNeighbours(points).find(cloud(2, 3, 1), 20)
    distances, numbers, _ = slow_find(points, cloud(2, 3, 1), 3)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    np.testing.assert_array_equal(found.points, numbers)


def test_blocks_of_queries_change_no_bit(monkeypatch):
    points, queries = cloud(50, 20, 0), cloud(33, 20, 1)
    whole = NearestNeighbours(points).find(queries, 5)
    monkeypatch.setattr(nearest_neighbours, "_BLOCK_CELLS", 7 * 6 * 20)
    for one, other in zip(NearestNeighbours(points).find(queries, 5), whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_reach_density_is_that_of_a_plain_loop():
    points, queries = cloud(40, 3, 0), cloud(15, 3, 1)
    neighbours = NearestNeighbours(points)
    radius = neighbours.find(points, 5).distances[:, -1]
    found = reach_density(neighbours.find(queries, 5), radius)
    slow_radius = slow_find(points, points, 5)[0][:, -1]
    distances, numbers, _ = slow_find(points, queries, 5)
    np.testing.assert_allclose(found, slow_reach_density(distances, numbers, slow_radius))
