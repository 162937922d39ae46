"""The contract of fitted detectors, which those of rows, of a series and of a fleet all keep."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.anomaly.fleet_detector import FleetDetector
from isthmus.anomaly.protocol import FittedDetector, StoredDetector
from isthmus.anomaly.row_detector import RowDetector
from isthmus.anomaly.series_detector import SeriesDetector
from isthmus.core.errors import InvalidArchive
from isthmus.data.array_schema import ArraySchema

WINDOW = 10
RATE = 0.1
ROWS = pd.DataFrame(
    np.random.default_rng(0).standard_normal((240, 3)) @ np.array([[1, 2, 0], [0, 1, 1], [0, 0, 3]])
    + np.array([5.0, -7.0, 0.0]),
    columns=["a", "b", "c"],
    index=pd.Index(np.repeat(["left", "right"], 120), name="unit"),
)
QUICK = {"hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}


def of(**settings):
    return ist.AnomalyDetector(false_alarm_rate=RATE, random_state=0, **settings).fit(ROWS)


MADE = {
    "rows": lambda: of(),
    "rows, own network": lambda: of(autoencoder=ist.Autoencoder(2, **QUICK)),
    "rows, some anomalous": lambda: of(mode="outlier"),
    "series": lambda: of(autoencoder=ist.Autoencoder(3, scale="none", **QUICK), window=WINDOW),
    "fleet": lambda: of(
        autoencoder=ist.Autoencoder(3, scale="none", **QUICK), window=WINDOW, group="unit"
    ),
}


@pytest.fixture(scope="module", params=MADE, ids=list(MADE))
def detector(request):
    return MADE[request.param]()


@pytest.fixture
def fitted(detector):
    return detector._fitted


@pytest.fixture
def prepared(detector, fitted):
    return fitted.prepare(ROWS, detector)


@pytest.fixture
def stored(detector, fitted):
    return StoredDetector(
        detector.autoencoder_,
        fitted.to_arrays(),
        fitted.own_schema(),
        detector.window,
        "warn",
        detector.group,
    )


def test_all_kinds_satisfy_the_protocol(detector, fitted):
    assert isinstance(fitted, FittedDetector)
    series = FleetDetector if detector.group else SeriesDetector
    assert type(fitted) is (series if detector.window else RowDetector)
    assert fitted.is_series == detector.is_series == (detector.window is not None)
    assert fitted.autoencoder is detector.autoencoder_


def test_there_is_a_score_for_each_row(fitted, prepared):
    scores = fitted.score(prepared)
    assert scores.shape == (len(ROWS),)
    assert scores.dtype == np.float64
    assert (scores >= 0).all()


def test_p_values_fall_as_scores_rise(fitted, prepared):
    scores = np.sort(np.append(fitted.score(prepared), [0.0, 1e9]))
    p_values = fitted.p_values(scores)
    assert ((p_values > 0) & (p_values <= 1)).all()
    assert (np.diff(p_values) <= 0).all()


def test_the_threshold_is_where_p_values_reach_the_rate(fitted, prepared):
    scores = fitted.score(prepared)
    for rate in (0.3, RATE, 0.05):
        np.testing.assert_array_equal(
            scores > fitted.threshold(rate), fitted.p_values(scores) <= rate
        )
    assert fitted.threshold(0.05) >= fitted.threshold(0.3)


def test_there_is_a_threshold_for_each_row(fitted, prepared):
    limits = fitted.thresholds(fitted.score(prepared), RATE, prepared)
    assert limits.shape == (len(ROWS),)
    assert limits[0] == pytest.approx(fitted.threshold(RATE))


def test_explanations_sum_to_the_score(fitted, prepared):
    parts = fitted.explain(prepared, like=ROWS)
    assert list(parts.columns) == list(ROWS.columns)
    np.testing.assert_allclose(parts.sum(axis=1), fitted.score(prepared))


def test_expected_values_are_in_the_users_units(fitted, prepared):
    expected = fitted.expected(prepared, like=ROWS)
    assert list(expected.columns) == list(ROWS.columns)
    np.testing.assert_allclose(expected.mean(), ROWS.mean(), atol=1.5)


def test_documented_attributes_are_set(fitted):
    estimator = SimpleNamespace()
    fitted.set_attributes(estimator)
    assert estimator.n_features_in_ == 3
    assert hasattr(estimator, "sensors_") == fitted.is_series
    assert hasattr(estimator, "schema_") != fitted.is_series


def test_an_archive_restores_every_bit(detector, fitted, prepared, stored):
    stored = replace(stored, schema=json.loads(json.dumps(stored.schema)))
    again = type(fitted).from_archive(stored)
    rows = again.prepare(ROWS, detector)
    np.testing.assert_array_equal(again.score(rows), fitted.score(prepared))
    np.testing.assert_array_equal(again.explain(rows, ROWS), fitted.explain(prepared, ROWS))
    assert again.threshold(RATE) == fitted.threshold(RATE)
    for name, array in again.to_arrays().items():
        np.testing.assert_array_equal(array, stored.arrays[name])


def test_every_array_of_an_archive_is_checked(fitted, stored):
    for name, array in stored.arrays.items():
        others = {n: a for n, a in stored.arrays.items() if n != name}
        wrong = [others, {**others, name: array[None]}, {**others, name: array.astype(np.int8)}]
        if array.dtype.kind == "f" and array.size:
            wrong.append({**others, name: np.full_like(array, np.nan)})
        for arrays in wrong:
            with pytest.raises(InvalidArchive):
                type(fitted).from_archive(replace(stored, arrays=arrays))
    with pytest.raises(InvalidArchive):
        type(fitted).from_archive(replace(stored, arrays={**stored.arrays, "unknown": np.zeros(1)}))


def test_methods_of_the_other_kind_are_absent(detector, fitted):
    of_rows, of_series = {"repair", "blind_spots", "drift"}, {"intervals", "update", "reset"}
    there = of_series if fitted.is_series else of_rows
    there = {"intervals"} if detector.group else there
    for name in of_rows | of_series:
        assert hasattr(detector, name) == (name in there)


def test_a_new_window_counts_from_the_next_fit():
    detector = of()
    scores = detector.anomaly_score(ROWS)
    detector.set_params(window=WINDOW)
    assert not detector.is_series
    np.testing.assert_array_equal(detector.anomaly_score(ROWS), scores)
    unfitted = ist.AnomalyDetector(window=WINDOW)
    assert unfitted.is_series
    assert hasattr(unfitted, "intervals")


def test_rows_are_converted_once_per_call(monkeypatch):
    calls = []
    to_matrix = ArraySchema.to_matrix
    monkeypatch.setattr(
        ArraySchema, "to_matrix", lambda self, X: calls.append(len(X)) or to_matrix(self, X)
    )
    rows = ROWS.to_numpy()
    # `fit` converts them again after training, so that memory is free while the network needs it.
    detector = ist.AnomalyDetector(false_alarm_rate=RATE, random_state=0).fit(rows)
    for call in (
        lambda: detector.predict(rows, fdr=0.1),
        lambda: detector.explain(rows),
        lambda: detector.expected(rows),
        lambda: detector.repair(rows),
        lambda: detector.drift(rows),
    ):
        calls.clear()
        call()
        assert calls.count(len(rows)) == 1
