"""The whitened distance of patches."""

import numpy as np
import pytest

from isthmus.anomaly.patch_whitening import CODE, PatchWhitening


@pytest.mark.parametrize("cells", [5, 48, 90])
def test_the_distance_is_mahalanobis(cells):
    rng = np.random.default_rng(0)
    patches = (rng.normal(size=(4000, cells)) @ rng.normal(size=(cells, cells))).astype("f4")
    whitening = PatchWhitening.fit(patches)
    center = patches.mean(axis=0)
    covariance = np.cov((patches - center).T, bias=True)
    covariance += 0.01 * np.trace(covariance) / cells * np.eye(cells)
    away = patches[:20] - center
    exact = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
    found = np.exp(2 * whitening.log_distance(*whitening.project(patches[:20])))
    # beyond the kept axes, all directions share one variance
    np.testing.assert_allclose(found, exact, rtol=1e-3 if cells <= 64 else 0.5)


def test_codes_are_short():
    patches = np.random.default_rng(0).normal(size=(500, 48)).astype("f4")
    whitening = PatchWhitening.fit(patches)
    assert whitening.code(whitening.project(patches)[0]).shape == (500, CODE)


def test_constant_patches():
    whitening = PatchWhitening.fit(np.ones((50, 12), dtype="f4"))
    assert np.isfinite(whitening.log_distance(*whitening.project(np.ones((3, 12), "f4")))).all()


def test_arrays_restore_it():
    patches = np.random.default_rng(0).normal(size=(200, 30)).astype("f4")
    whitening = PatchWhitening.fit(patches)
    again = PatchWhitening.from_arrays(whitening.to_arrays(), 30)
    np.testing.assert_array_equal(again.axes, whitening.axes)
