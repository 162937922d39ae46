"""Principal components of pictures, and whether mirror images are added."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from isthmus.networks.principal_components import choose, of_rows


def cells(rows):
    return rows.reshape(len(rows), -1)


def blobs(n, seed, *, one_sided):
    """Spots of light at random places, on the left half only if `one_sided`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:10, :10]
    tops, lefts = rng.uniform(0, 9, (n, 1, 1)), rng.uniform(0, 4 if one_sided else 9, (n, 1, 1))
    return np.exp(-((y - tops) ** 2 + (x - lefts) ** 2) / 8).astype(np.float32)


def test_components_are_those_of_pca():
    rows = blobs(200, 0, one_sided=False)
    found = choose(rows, None, cells, components=4, seed=0)
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
            cells,
            components=20,
            seed=0,
        )
        for one_sided in (False, True)
    )
    assert free.mirrored == (1, 2)
    assert 2 not in bound.mirrored


def test_components_of_all_rows_with_known_mirror_images():
    rows = blobs(60, 0, one_sided=True)
    found = of_rows(rows, cells, (2,), components=4, seed=0)
    both = np.concatenate([rows, rows[:, :, ::-1]])
    expected = of_rows(both, cells, components=4, seed=0)
    assert found.mirrored == (2,)
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-6)
    assert found.error(cells(rows)) == pytest.approx(expected.error(cells(rows)), rel=1e-3)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(n):
    rows = blobs(n, 0, one_sided=False)
    found = choose(rows, rows[:1], cells, components=5, seed=0)
    assert len(found.directions) == len(found.deviations) <= 5
    assert np.isfinite(found.directions).all()
    assert (found.deviations > 0).all()


def test_constant_pictures_have_no_components():
    rows = np.full((9, 4, 4), 0.5, np.float32)
    found = choose(rows, rows[:2], cells, components=3, seed=0)
    assert len(found.deviations) == 0
    np.testing.assert_allclose(found.mean, 0.5)
