"""The interface of PyOD."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine

import isthmus as ist
from isthmus.core.errors import InvalidParameter

WINE = np.random.default_rng(0).permutation(load_wine().data)  # the file is sorted by class


def adapter(**settings):
    network = ist.Autoencoder(2, hidden=(8,), epochs=2, random_state=0, verbose=0)
    detector = ist.AnomalyDetector(network, false_alarm_rate=0.1, mode="outlier", random_state=0)
    return ist.PyODAdapter(detector, **settings)


def test_names_and_signs():
    model = adapter(contamination=0.1)
    assert model.fit(WINE, np.zeros(178)) is model
    assert model.decision_scores_.shape == model.labels_.shape == (178,)
    assert model.labels_.sum() == 18
    np.testing.assert_array_equal(model.labels_, model.decision_scores_ > model.threshold_)
    np.testing.assert_array_equal(model.decision_function(WINE), model.decision_scores_)
    np.testing.assert_array_equal(model.predict(WINE), model.labels_)
    np.testing.assert_array_equal(clone(model).fit_predict(WINE), model.labels_)
    far = WINE[:2] + 20 * WINE.std(axis=0)
    assert model.predict(far).tolist() == [1, 1]
    shares = model.predict_proba(WINE)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(shares[:, 0], model.detector_.p_values(WINE))


def test_without_contamination_the_detector_decides():
    model = adapter().fit(WINE)
    assert model.threshold_ == model.detector_.threshold_
    np.testing.assert_array_equal(model.labels_ == 1, model.detector_.predict(WINE) == -1)


@pytest.mark.parametrize("contamination", [0, 0.6, "0.1", float("nan")])
def test_contamination_that_is_no_share(contamination):
    with pytest.raises(InvalidParameter, match="contamination"):
        adapter(contamination=contamination).fit(WINE)


def test_another_detector_is_refused():
    with pytest.raises(InvalidParameter, match="AnomalyDetector or None"):
        ist.PyODAdapter(ist.Autoencoder()).fit(WINE)
