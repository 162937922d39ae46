"""New samples from any autoencoder."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.persistence import artifact


@pytest.fixture(scope="module")
def autoencoder(digits):
    return ist.Autoencoder(6, epochs=10, verbose=0, random_state=0).fit(digits.images)


@pytest.fixture(scope="module")
def fitted(autoencoder, digits):
    return ist.LatentSampler(FrozenEstimator(autoencoder), random_state=0).fit(digits.images)


def test_samples_are_like_the_rows(fitted, autoencoder, digits):
    made = fitted.sample(300, random_state=0)
    assert made.shape == (300, 8, 8)
    np.testing.assert_array_equal(made, fitted.sample(300, random_state=0))
    assert (made != fitted.sample(300, random_state=1)).any()
    assert abs(made.mean(axis=0) - digits.images.mean(axis=0)).max() < 2
    real, codes = autoencoder.transform(digits.images), autoencoder.transform(made)
    np.testing.assert_allclose(codes.mean(axis=0), real.mean(axis=0), atol=0.3 * real.std())


def test_the_density_is_that_of_scikit_learn(fitted, autoencoder, digits):
    codes = autoencoder.transform(digits.images).astype(np.float64)
    mixture = GaussianMixture(len(fitted.weights_))
    mixture.weights_, mixture.means_ = fitted.weights_, fitted.means_
    mixture.precisions_cholesky_ = fitted.precisions_cholesky_
    mixture.covariance_type = "full"
    scores = fitted.score_samples(digits.images)
    np.testing.assert_allclose(scores, mixture.score_samples(codes), rtol=1e-6)
    assert fitted.score(digits.images) == scores.mean()
    noise = np.random.default_rng(0).permuted(digits.images, axis=0)
    assert fitted.score(noise) < fitted.score(digits.images) - 1
    assert len(fitted.weights_) > 1


def test_drawn_codes_have_the_moments_of_their_component(digits):
    model = FrozenEstimator(
        ist.Autoencoder(3, architecture="linear", epochs=5, verbose=0, random_state=0).fit(
            digits.data[:, 18:24]
        )
    )
    sampler = ist.LatentSampler(model, n_components=1, random_state=0).fit(digits.data[:, 18:24])
    codes = model.transform(digits.data[:, 18:24])
    back = model.transform(sampler.sample(20_000, random_state=0))
    np.testing.assert_allclose(np.corrcoef(back.T), np.corrcoef(codes.T), atol=0.2)


def test_frames_come_as_frames():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"size": rng.normal(50, 9, 80), "kind": np.array(["a", "b"])[rng.integers(0, 2, 80)]}
    )
    sampler = ist.LatentSampler(ist.Autoencoder(2, epochs=3, verbose=0), random_state=0).fit(frame)
    made = sampler.sample(7, random_state=0)
    assert list(made.columns) == ["size", "kind"]
    assert set(made["kind"]) <= {"a", "b"}
    assert len(made) == 7


def test_saving_and_pickling_keep_the_bits(fitted, digits, tmp_path):
    fitted.save(tmp_path / "s.isthmus")
    for again in (ist.load(tmp_path / "s.isthmus"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(
            again.sample(5, random_state=0), fitted.sample(5, random_state=0)
        )
        np.testing.assert_array_equal(
            again.score_samples(digits.images[:9]), fitted.score_samples(digits.images[:9])
        )


def test_equal_and_few_rows(autoencoder, digits):
    frozen = FrozenEstimator(autoencoder)
    equal = ist.LatentSampler(frozen, random_state=0).fit(np.repeat(digits.images[:1], 9, axis=0))
    assert np.isfinite(equal.sample(3, random_state=0)).all()
    with pytest.raises(InvalidParameter, match="at least 2 rows"):
        ist.LatentSampler(frozen).fit(digits.images[:1])
    with pytest.raises(InvalidParameter, match="at least 20 rows"):
        ist.LatentSampler(frozen, n_components=20).fit(digits.images[:10])
    with pytest.raises(InvalidParameter, match="n_components"):
        ist.LatentSampler(frozen, n_components=0).fit(digits.images)


@pytest.mark.parametrize(
    "alter",
    [
        lambda a: a.update(weights=a["weights"] * 2),
        lambda a: a.update(weights=-a["weights"]),
        lambda a: a.update(weights=a["weights"][0]),
        lambda a: a.update(means=a["means"][:, :2]),
        lambda a: a.update(precisions_cholesky=0 * a["precisions_cholesky"]),
        lambda a: a.update(precisions_cholesky=np.swapaxes(a["precisions_cholesky"], 1, 2).copy()),
        lambda a: a.pop("means"),
    ],
)
def test_forged_files_are_refused(fitted, tmp_path, alter):
    stored = fitted._to_artifact()
    arrays = dict(stored.arrays)
    alter(arrays)
    artifact.write(tmp_path / "s.isthmus", artifact.Artifact(stored.kind, stored.manifest, arrays))
    with pytest.raises(InvalidArchive, match=r"s\.isthmus"):
        ist.load(tmp_path / "s.isthmus")
