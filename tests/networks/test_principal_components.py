"""Principal components of pictures, and whether mirror images are added."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from isthmus.networks.principal_components import choose, of_rows


def cells(rows):
    return rows.reshape(len(rows), -1)


def unchanged(rows):
    return rows


def blobs(n, seed, *, one_sided):
    """Spots of light at random places, on the left half only if `one_sided`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:10, :10]
    tops, lefts = rng.uniform(0, 9, (n, 1, 1)), rng.uniform(0, 4 if one_sided else 9, (n, 1, 1))
    return np.exp(-((y - tops) ** 2 + (x - lefts) ** 2) / 8).astype(np.float32)


def test_components_are_those_of_pca():
    rows = blobs(200, 0, one_sided=False)
    found = choose(rows, None, unchanged, components=4, seed=0)
    pca = PCA(4, svd_solver="full").fit(cells(rows))
    np.testing.assert_allclose(np.abs(found.directions @ pca.components_.T), np.eye(4), atol=1e-3)
    np.testing.assert_allclose(found.deviations**2, pca.explained_variance_, rtol=0.02)
    assert found.mirrored == ()


@pytest.mark.parametrize("held_out", [20, 150], ids=["cross-validated", "held out"])
def test_mirror_images_are_added_where_they_help(held_out):
    free, bound = (
        choose(
            blobs(60, 0, one_sided=one_sided),
            blobs(held_out, 1, one_sided=one_sided),
            unchanged,
            components=20,
            seed=0,
        )
        for one_sided in (False, True)
    )
    assert free.mirrored == (1, 2)
    assert 2 not in bound.mirrored


@pytest.mark.parametrize("axes", [(), (2,), (1, 2)])
@pytest.mark.parametrize(
    "shape", [(30, 9, 8), (30, 5, 7, 3), (300, 6, 6), (30, 1, 5)], ids=lambda shape: str(shape)
)
def test_components_are_those_of_pca_of_all_mirror_images(shape, axes):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=shape).cumsum(1).cumsum(2).astype(np.float32)
    found = of_rows(rows, unchanged, axes, components=4, seed=0)
    views = [rows]
    for axis in axes:
        views += [np.flip(view, axis) for view in views]
    pictures = cells(np.concatenate(views)).astype(float)
    pca = PCA(4, svd_solver="full").fit(pictures)
    left = np.square(pca.inverse_transform(pca.transform(pictures)) - pictures).mean()
    assert found.mirrored == axes
    assert found.error(cells(rows)) == pytest.approx(left, rel=1e-3)
    np.testing.assert_allclose(found.mean, pca.mean_, atol=1e-4)
    kept = pca.singular_values_ / np.sqrt(len(pictures))
    np.testing.assert_allclose(found.deviations, kept, rtol=1e-3)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(4), atol=1e-5)


def test_small_deviations_are_not_lost_in_rounding():
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 1e-2, 1e-3, 3e-4])
    turned = np.linalg.qr(rng.normal(size=(64, 4)))[0]
    rows = (rng.normal(size=(100, 4)) * scale) @ turned.T
    found = of_rows(rows.astype(np.float32), unchanged, components=4, seed=0)
    exact = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:4] / np.sqrt(len(rows))
    np.testing.assert_allclose(found.deviations, exact, rtol=0.05)


def test_the_same_bits_twice():
    rows = blobs(300, 0, one_sided=False)
    first, second = (choose(rows, rows, unchanged, components=9, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.directions, second.directions)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(n):
    rows = blobs(n, 0, one_sided=False)
    found = choose(rows, rows[:1], unchanged, components=5, seed=0)
    assert len(found.directions) == len(found.deviations) <= 5
    assert np.isfinite(found.directions).all()
    assert (found.deviations > 0).all()


def test_constant_pictures_have_no_components():
    rows = np.full((9, 4, 4), 0.5, np.float32)
    found = choose(rows, rows[:2], unchanged, components=3, seed=0)
    assert len(found.deviations) == 0
    np.testing.assert_allclose(found.mean, 0.5)
