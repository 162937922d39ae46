"""Detectors of series, by their public face."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.frozen import FrozenEstimator

import isthmus as ist
from isthmus.anomaly.protocol import StoredDetector
from isthmus.anomaly.series_detector import SeriesDetector
from isthmus.core.errors import InvalidArchive, InvalidData, InvalidParameter, SchemaMismatch
from isthmus.core.randomness import derive_seed

WINDOW = 12
ROWS = 600


def network(**settings):
    return ist.Autoencoder(
        **{"latent_dim": 4, "hidden": 8, "epochs": 15, "scale": "none", "verbose": 0}
        | {"random_state": 0}
        | settings
    )


def series(rows=ROWS, seed=0):
    """Return three sensors: two that swing together, and noise about 50."""
    rng = np.random.default_rng(seed)
    swing = np.sin(np.arange(rows) / 7)
    noise = rng.standard_normal((rows, 3))
    values = np.stack([swing, 3 - 2 * swing, np.full(rows, 50.0)], axis=1) + 0.1 * noise
    index = pd.date_range("2024-01-01", periods=rows, freq="min", name="at")
    return pd.DataFrame(values, columns=["left", "right", "still"], index=index)


@pytest.fixture(scope="module")
def normal():
    return series()


@pytest.fixture(scope="module")
def detector(normal):
    return ist.AnomalyDetector(network(), window=WINDOW, random_state=0).fit(normal)


@pytest.fixture
def faulty():
    """A new series: one sensor sticks in rows 200 to 239, another is off in rows 400 to 429."""
    found = series(seed=1)
    found.iloc[200:240, 1] = found.iloc[200, 1]
    found.iloc[400:430, 2] += 1
    return found


def test_every_timestamp_has_a_score(detector, normal):
    scores = detector.anomaly_score(normal)
    assert scores.shape == (ROWS,)
    assert (scores >= 0).all()
    assert 0.3 < np.median(scores) < 3


def test_faults_are_found_where_they_are(detector, faulty):
    alarms = np.flatnonzero(detector.predict(faulty) == -1)
    assert {*range(210, 230), *range(405, 425)} <= set(alarms)
    near = [*range(200 - WINDOW, 240 + WINDOW), *range(400 - WINDOW, 430 + WINDOW)]
    assert len(set(alarms) - set(near)) < 0.02 * ROWS


def test_alarms_are_merged_into_intervals(detector, faulty):
    stuck, off = detector.intervals(faulty)
    assert "right" in stuck.sensors[:2]
    assert off.sensors == ("still",)
    assert off.start <= faulty.index[405] <= off.peak <= faulty.index[425] <= off.end
    assert off.score == pytest.approx(
        detector.anomaly_score(faulty)[off.rows[0] : off.rows[1]].max()
    )
    assert all(str(part) in str(off) for part in (off.start, off.end, off.peak, *off.sensors))
    assert str(detector.intervals(faulty)).count("\n") == 1


def test_without_alarms_there_are_no_intervals(detector, normal):
    assert str(detector.intervals(normal[:50])) == "no alarms"
    (found,) = detector.intervals(normal.to_numpy()[:100] + np.array([0, 0, 9]))
    assert found.rows == (found.start, found.end) == (0, 99)


def test_p_values_agree_with_the_threshold(detector, faulty):
    p = detector.p_values(faulty)
    scores = detector.anomaly_score(faulty)
    assert ((p > 0) & (p <= 1)).all()
    assert ((p <= detector.false_alarm_rate) == (scores > detector.threshold_)).all()
    order = np.argsort(scores)
    assert (np.diff(p[order]) <= 0).all()


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas, pd.DataFrame.to_numpy])
def test_contributions_have_the_series_shape_and_sum_to_the_score(detector, faulty, convert):
    S = convert(faulty)
    found = detector.explain(S)
    assert type(found) is type(S)
    assert found.shape == S.shape
    values = np.asarray(found)
    assert values.sum(axis=1) == pytest.approx(detector.anomaly_score(S))
    assert (values[405:425].argmax(axis=1) == 2).all()


def test_what_is_expected_comes_in_the_series_units(detector, normal):
    new = normal.copy()
    new.iloc[300:303, 2] = 40
    found = detector.expected(new)
    assert list(found.columns) == list(new.columns)
    assert np.abs(found["still"] - 50).max() < 5
    assert np.corrcoef(found["left"], normal["left"])[0, 1] > 0.9


def test_gaps_and_rows_without_a_value_have_no_score(detector, normal):
    new = normal.copy()
    new.iloc[100, 0] = np.nan  # filled in
    new.iloc[200:230] = np.nan
    new = pd.concat([new[:300], new[300 + 2 * WINDOW : 305 + 2 * WINDOW], new[400:]])
    scores = detector.anomaly_score(new)
    assert set(np.flatnonzero(np.isnan(scores))) == {*range(200, 230), *range(300, 305)}
    assert (detector.predict(new)[np.isnan(scores)] == 1).all()
    assert np.isnan(detector.p_values(new)[np.isnan(scores)]).all()


def test_a_series_shorter_than_a_window_has_no_scores(detector, normal):
    short = normal[: WINDOW - 1]
    assert np.isnan(detector.anomaly_score(short)).all()
    assert np.isnan(detector.explain(short)).all(axis=None)
    assert np.isnan(detector.expected(short)).all(axis=None)
    assert detector.intervals(short) == ()


def test_a_series_may_come_in_parts(detector, normal):
    whole = detector.anomaly_score(normal)
    parts = (normal.to_numpy()[start : start + 77] for start in range(0, ROWS, 77))
    assert detector.anomaly_score(parts) == pytest.approx(whole)


def test_a_memory_map_gives_the_same(detector, normal, tmp_path):
    stored = np.memmap(tmp_path / "rows", np.float64, "w+", shape=normal.shape)
    stored[:] = normal
    assert (detector.anomaly_score(stored) == detector.anomaly_score(normal)).all()


def test_sensors_may_come_in_another_order(detector, normal):
    other = normal[["still", "left", "right"]]
    assert (detector.anomaly_score(other) == detector.anomaly_score(normal)).all()
    explained = detector.explain(other)
    assert list(explained.columns) == list(other.columns)
    assert explained["still"].equals(detector.explain(normal)["still"])


@pytest.mark.parametrize(
    "S", [series().rename(columns={"left": "up"}), series()[["left", "right"]], np.zeros((50, 2))]
)
def test_other_sensors_are_refused(detector, S):
    with pytest.raises(SchemaMismatch, match="the sensors left, right, still"):
        detector.anomaly_score(S)


@pytest.mark.parametrize("architecture", ["dense", "convolutional-1d", "recurrent"])
def test_every_architecture_works(normal, architecture):
    autoencoder = network(architecture=architecture, epochs=2)
    found = ist.AnomalyDetector(autoencoder, window=WINDOW).fit(normal[:200])
    assert np.isfinite(found.anomaly_score(normal[200:260])).all()
    assert np.isfinite([found.update(row).score for row in normal.to_numpy()[:20]][-1])


def test_a_fit_can_be_repeated(normal):
    one, other = (
        ist.AnomalyDetector(window=WINDOW, random_state=3).fit(normal[:60]) for _ in range(2)
    )
    assert (one.anomaly_score(normal) == other.anomaly_score(normal)).all()


def test_stretches_of_a_long_series_are_learned_from(normal, monkeypatch):
    from isthmus.anomaly import series_training

    monkeypatch.setattr(series_training, "_MOST_WINDOWS", 200)
    found = ist.AnomalyDetector(network(epochs=1), window=WINDOW).fit(normal)
    # 589 windows in stretches of 96, of which the first, fourth and seventh are taken.
    assert found.autoencoder_.n_samples_ == 96 + 96 + 13
    assert np.isfinite(found.anomaly_score(normal)).all()


def test_one_sensor_and_a_constant_one(normal):
    constant = normal[["left"]].assign(never=7.0)
    found = ist.AnomalyDetector(network(), window=WINDOW).fit(constant)
    assert np.isfinite(found.anomaly_score(constant)).all()
    changed = constant.copy()
    changed.iloc[300:330, 1] = 8
    assert (found.predict(changed)[305:325] == -1).all()
    alone = ist.AnomalyDetector(network(epochs=1), window=WINDOW).fit(np.arange(99.0))
    assert alone.anomaly_score(np.arange(99.0)).shape == (99,)


def test_a_frozen_autoencoder_is_kept(normal):
    rows = (normal - normal.mean()) / normal.std()
    block = np.lib.stride_tricks.sliding_window_view(rows, WINDOW, axis=0).transpose(0, 2, 1)
    own = network().fit(np.array(block[:300]))
    found = ist.AnomalyDetector(FrozenEstimator(own), window=WINDOW).fit(normal[300:])
    assert found.autoencoder_ is own
    with pytest.raises(InvalidParameter, match=r"one for windows of shape \(20, 3\)"):
        ist.AnomalyDetector(FrozenEstimator(own), window=20).fit(normal)


def test_a_detector_is_saved_and_loaded(detector, faulty, tmp_path):
    detector.save(tmp_path / "series.isthmus")
    loaded = ist.load(tmp_path / "series.isthmus")
    assert loaded.threshold_ == detector.threshold_
    assert (loaded.anomaly_score(faulty) == detector.anomaly_score(faulty)).all()
    assert loaded.intervals(faulty) == detector.intervals(faulty)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", np.zeros(3)),
        ("scores", np.array([2.0, 1.0])),
        ("taus", np.array([np.nan, 1.0])),
        ("sensors", np.frombuffer(b'["a"]', np.uint8)),
        ("sensors", np.frombuffer(b"\xff", np.uint8)),
        ("levels", np.zeros((2, 3))),
        ("levels", np.zeros((0, 3, 3))),
        ("follow", np.array([1.0, 2.5])),
        ("follow", np.array([0.0, 8.0])),
    ],
)
def test_a_strangers_archive_is_checked(detector, name, value):
    arrays = detector._fitted.to_arrays()
    stored = StoredDetector(
        detector.autoencoder_, arrays, schema=None, window=WINDOW, unknown="warn"
    )
    with pytest.raises(InvalidArchive):
        SeriesDetector.from_archive(replace(stored, arrays={**arrays, name: value}))
    with pytest.raises(InvalidArchive, match="windows of 13 rows"):
        SeriesDetector.from_archive(replace(stored, window=WINDOW + 1))


@pytest.mark.parametrize("window", [1, 0, 2.5, "60"])
def test_an_impossible_window_is_refused(normal, window):
    with pytest.raises(InvalidParameter, match="window"):
        ist.AnomalyDetector(window=window).fit(normal)


def test_anomalies_in_the_training_rows_are_left_out(normal, faulty):
    rows = pd.DataFrame(np.concatenate([normal, faulty]), columns=normal.columns)
    found = ist.AnomalyDetector(network(), window=WINDOW, mode="outlier", random_state=0).fit(rows)
    scores = found.anomaly_score(faulty)
    assert scores[205:235].min() > np.median(scores)
    assert scores[405:425].min() > np.quantile(scores, 0.8)


def test_a_fault_in_a_series_that_is_fitted_as_a_whole_raises_an_alarm():
    rng = np.random.default_rng(0)
    rows = np.sin(np.arange(3000)[:, None] / [5, 9, 14]) + 0.1 * rng.standard_normal((3000, 3))
    rows[2000:2060, 1] += 2.5
    found = ist.AnomalyDetector(network(), window=WINDOW, mode="outlier", random_state=0).fit(rows)
    alarms = found.predict(rows) == -1
    assert alarms[2000:2060].mean() > 0.5
    assert np.delete(alarms, np.arange(2000 - WINDOW, 2060 + WINDOW)).mean() < 0.015


def test_a_window_is_chosen(normal, tmp_path):
    found = ist.AnomalyDetector(network(), window="auto", random_state=0).fit(normal)
    assert 4 <= found.window_ <= len(normal) // 4
    found.save(tmp_path / "auto.isthmus")
    loaded = ist.load(tmp_path / "auto.isthmus")
    assert (loaded.window, loaded.window_) == ("auto", found.window_)
    np.testing.assert_array_equal(loaded.anomaly_score(normal), found.anomaly_score(normal))


def test_the_threshold_of_the_first_row_is_that_of_fit(detector, faulty):
    scores = detector.anomaly_score(faulty)
    limits = detector.thresholds_of(scores)
    assert limits[0] == pytest.approx(detector.threshold_)
    np.testing.assert_array_equal(detector.decision_function(faulty), limits - scores)
    np.testing.assert_array_equal(detector.predict(faulty) == -1, scores > limits)


def test_a_short_series_is_refused(normal):
    with pytest.raises(InvalidData, match=r"at least 59 consecutive rows.* a smaller window"):
        ist.AnomalyDetector(window=WINDOW).fit(normal[:58])


def test_another_estimator_is_refused(normal):
    with pytest.raises(InvalidParameter, match="an isthmus estimator or None"):
        ist.AnomalyDetector(np.mean, window=WINDOW).fit(normal)


@pytest.mark.nightly
def test_false_alarms_on_a_stationary_series_stay_below_the_promise():
    shares = []
    for seed in range(10):
        rows = np.random.default_rng(derive_seed(seed, "rows")).standard_normal((4000, 2))
        rows[:, 1] += rows[:, 0]
        found = ist.AnomalyDetector(network(), false_alarm_rate=0.05, window=WINDOW)
        shares.append(np.mean(found.fit(rows[:1000]).predict(rows[1000:]) == -1))
    assert np.mean(shares) <= 0.05
