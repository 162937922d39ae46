"""Pixels that are never there, as outside a field of view, and pixels missing at times."""

import numpy as np
import pytest

import isthmus as ist
from isthmus.evaluation.referee import referee

QUICK = {"epochs": 2, "hidden": (8,), "random_state": 0, "verbose": 0}
OUTSIDE = np.zeros((8, 8), bool)
OUTSIDE[:4, :4] = True


@pytest.fixture(scope="module")
def pictures(digits):
    X = (digits.images[:300] / 16).astype(np.float32)
    X[:, OUTSIDE] = np.nan
    return X


@pytest.fixture(scope="module", params=["dense", "convolutional"])
def model(request, pictures):
    return ist.Autoencoder(4, architecture=request.param, **QUICK).fit(pictures)


def test_they_stay_missing_and_count_nowhere(model, pictures, tmp_path):
    rebuilt = model.reconstruct(pictures)
    np.testing.assert_array_equal(np.isnan(rebuilt), np.isnan(pictures))
    errors = np.nanmean(np.square(rebuilt - pictures), axis=(1, 2))
    np.testing.assert_allclose(model.reconstruction_error(pictures), errors, rtol=1e-4)
    filled = np.nan_to_num(pictures, nan=0.7)
    np.testing.assert_array_equal(model.transform(filled), model.transform(pictures))
    np.testing.assert_array_equal(model.reconstruct(filled), rebuilt)
    assert np.isnan(model.inverse_transform(model.transform(pictures)[:2])[:, OUTSIDE]).all()
    model.save(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(ist.load(tmp_path / "m.isthmus").reconstruct(pictures), rebuilt)


def test_the_referee_leaves_them_out(model, pictures):
    judgement = referee(model, pictures[200:], X_train=pictures[:200])
    own = judgement.contestants[0]
    assert own.error == pytest.approx(model.reconstruction_error(pictures[200:]).mean(), rel=1e-5)
    assert all(np.isfinite([c.error, c.cross_entropy]).all() for c in judgement.contestants)


def test_pixels_missing_at_times_are_filled(model, pictures, digits):
    holes = pictures.copy()
    holes[::3, 6:, 5:] = np.nan
    fitted = ist.Autoencoder(4, **QUICK | {"epochs": 10}).fit(holes)
    rebuilt = fitted.reconstruct(holes)
    np.testing.assert_array_equal(np.isnan(rebuilt), np.broadcast_to(OUTSIDE, rebuilt.shape))
    assert np.isfinite(fitted.history_["loss"]).all()


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("given", [None, ist.Autoencoder(4, **QUICK)])
def test_a_detector_leaves_them_out(pictures, flat, given, tmp_path):
    X = pictures.reshape(300, -1) if flat else pictures
    detector = ist.AnomalyDetector(given, false_alarm_rate=0.05, random_state=0).fit(X[:250])
    scores = detector.anomaly_score(X[250:])
    assert np.isfinite(scores).all()
    shares = detector.explain(X[250:]).reshape(50, 8, 8)
    assert (shares[:, OUTSIDE] == 0).all()
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), scores, rtol=1e-3)
    seen = detector.anomaly_score(np.nan_to_num(X[250:], nan=0.5))
    np.testing.assert_allclose(seen, scores, rtol=1e-5)
    detector.save(tmp_path / "d.isthmus")
    again = ist.load(tmp_path / "d.isthmus")
    np.testing.assert_allclose(again.anomaly_score(X[250:]), scores, rtol=1e-6)
