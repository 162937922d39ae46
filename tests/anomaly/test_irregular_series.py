"""Detectors of series whose times, columns or cells are not as a clock would give them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

import isthmus as ist
from isthmus.anomaly.protocol import StoredDetector
from isthmus.anomaly.series_detector import SeriesDetector
from isthmus.core.errors import DataWarning, InvalidArchive, InvalidData, InvalidParameter

WINDOW = 16
START = pd.Timestamp("2026-01-01")


def network():
    return ist.Autoencoder(4, hidden=8, epochs=8, scale="none", verbose=0, random_state=0)


def fitted(S, **settings):
    return ist.AnomalyDetector(network(), window=WINDOW, random_state=0, **settings).fit(S)


def table(minutes, seed=0):
    """Return three sensors at these times: two that follow a rhythm, and noise about 50."""
    rng, minutes = np.random.default_rng(seed), np.asarray(minutes, dtype=float)
    swing = np.sin(minutes / 35)
    values = np.stack([swing, 3 - 2 * swing, np.full(len(minutes), 50.0)], axis=1)
    values += 0.1 * rng.standard_normal(values.shape)
    return pd.DataFrame(values, columns=list("abc"), index=START + pd.to_timedelta(minutes, "min"))


def traffic(rows=700, seed=0):
    """Return times like those of traffic sensors: steps of 5 minutes to hours."""
    steps = np.random.default_rng(seed).choice(
        [1, 2, 3, 4, 6, 12, 40], rows, p=[0.6, 0.2, 0.08, 0.05, 0.04, 0.02, 0.01]
    )
    return 5.0 * np.cumsum(steps)


REGULAR = table(np.arange(500) * 5)


@pytest.fixture(scope="module")
def regular():
    return fitted(REGULAR)


@pytest.fixture(scope="module")
def irregular():
    return fitted(table(traffic()))


def test_an_irregular_series_is_scored_row_by_row(irregular):
    new = table(traffic(400, 1), 1)
    new.iloc[200:230, 2] += 1
    scores = irregular.anomaly_score(new)
    assert scores.shape == (400,)
    assert np.isnan(scores).mean() < 0.2
    alarms = scores > irregular.threshold_
    assert alarms[205:225].mean() > 0.5
    assert alarms[:150].mean() < 0.05
    assert irregular.longest_gap_ >= 3


def test_only_measured_rows_are_counted_in_calibration(irregular):
    minutes = traffic()
    assert len(irregular._fitted.calibration.scores) <= len(minutes)


def test_the_step_of_fit_counts(regular, tmp_path):
    slow = REGULAR[::3]  # every quarter of an hour
    scores = regular.anomaly_score(slow)
    assert np.isfinite(scores).all()
    assert np.median(scores) < 3 * np.median(regular.anomaly_score(REGULAR))
    regular.save(tmp_path / "series.isthmus")
    loaded = ist.load(tmp_path / "series.isthmus")
    assert loaded.longest_gap_ == regular.longest_gap_
    assert (loaded.anomaly_score(slow) == scores).all()


def test_an_evenly_spaced_series_is_stored_as_before():
    def stored(S, **settings):
        return {name for name in fitted(S, **settings)._fitted.to_arrays() if "/" in name}

    names = {"grid/step", "grid/gap", "grid/every"}
    assert not stored(REGULAR.to_numpy())
    assert stored(REGULAR) == stored(REGULAR.to_numpy(), longest_gap=5) == names


def test_every_array_of_an_archive_is_checked(regular):
    fitted_ = regular._fitted
    arrays = fitted_.to_arrays()
    stored = StoredDetector(regular.autoencoder_, arrays, None, WINDOW, "warn")
    assert SeriesDetector.from_archive(stored).grid.step == 300e6
    for name, array in arrays.items():
        wrong = [{n: a for n, a in arrays.items() if n != name}, {**arrays, name: array[None]}]
        for each in wrong:
            with pytest.raises(InvalidArchive):
                SeriesDetector.from_archive(replace(stored, arrays=each))


def test_a_jittered_clock_changes_nothing(regular):
    jitter = np.random.default_rng(0).uniform(-1, 1, 500)
    new = REGULAR.set_axis(REGULAR.index + pd.to_timedelta(jitter, "min"))
    assert (regular.anomaly_score(new) == regular.anomaly_score(REGULAR)).all()


def test_rows_may_be_unsorted(regular):
    order = np.random.default_rng(0).permutation(500)
    with pytest.warns(DataWarning, match="sorted for the analysis; results are in your order") as w:
        scores = regular.anomaly_score(REGULAR.iloc[order])
    assert len(w) == 1
    np.testing.assert_array_equal(scores, regular.anomaly_score(REGULAR)[order])
    faulty = REGULAR.copy()
    faulty.iloc[200:240, 2] += 2
    (whole,) = regular.intervals(faulty)
    with pytest.warns(DataWarning, match="sorted") as w:
        (found,) = regular.intervals(faulty.iloc[order])
    assert len(w) == 1
    assert (found.start, found.end, found.sensors) == (whole.start, whole.end, whole.sensors)
    assert [order[row] for row in found.rows] == list(whole.rows)
    scores = regular.anomaly_score(faulty)
    limits = regular.thresholds_of(scores[order], faulty.iloc[order])
    np.testing.assert_array_equal(limits, regular.thresholds_of(scores)[order])
    with pytest.warns(DataWarning, match="sorted"):
        predicted = regular.predict(faulty.iloc[order])
    np.testing.assert_array_equal(predicted, regular.predict(faulty)[order])
    with pytest.raises(InvalidData, match="one for each row"):
        regular.thresholds_of(scores[:9], faulty.iloc[order])
    with pytest.warns(DataWarning, match="sorted"):
        explained = regular.explain(faulty.iloc[order])
    pd.testing.assert_frame_equal(explained, regular.explain(faulty).iloc[order])


def test_fit_sorts_with_one_warning(regular):
    with pytest.warns(DataWarning, match="sorted") as w:
        other = fitted(REGULAR.sample(frac=1, random_state=0))
    assert len(w) == 1
    assert other.threshold_ == pytest.approx(regular.threshold_)


def test_rows_of_the_same_time_share_a_score(regular):
    new = REGULAR.iloc[np.sort(np.r_[0:500, 100:110])]
    scores = regular.anomaly_score(new)
    assert scores.shape == (510,)
    assert (scores[100:120:2] == scores[101:120:2]).all()
    assert np.delete(scores, np.s_[101:120:2]) == pytest.approx(regular.anomaly_score(REGULAR))


def test_daylight_saving_changes_nothing(regular):
    start = pd.Timestamp("2025-10-25 12:00", tz="UTC")
    aware = REGULAR.set_axis(start + pd.to_timedelta(np.arange(500) * 5, "min"))
    aware = aware.tz_convert("Europe/Paris")
    whole = regular.anomaly_score(REGULAR)
    assert (regular.anomaly_score(aware) == whole).all()
    with pytest.warns(DataWarning, match="back by an hour in row 156"):
        assert (regular.anomaly_score(aware.tz_localize(None)) == whole).all()


@pytest.mark.parametrize("times", ["regular", "traffic"])
def test_parts_give_the_same_scores(regular, times):
    new = REGULAR if times == "regular" else table(traffic(400, 2), 2)
    whole = regular.anomaly_score(new)
    parts = (new[start : start + 37] for start in range(0, len(new), 37))
    np.testing.assert_allclose(regular.anomaly_score(parts), whole, rtol=1e-4)


def test_parts_in_another_order_are_refused(regular):
    with pytest.raises(InvalidData, match="in order of time"):
        regular.anomaly_score(iter([REGULAR[200:], REGULAR[:200]]))


def test_a_sensor_that_dies_leaves_the_others(regular):
    dead = REGULAR.copy()
    dead.iloc[250:, 1] = np.nan
    dead.iloc[400:430, 2] += 3
    with pytest.warns(DataWarning, match="'b'.*those of the other sensors") as w:
        scores = regular.anomaly_score(dead)
    assert len(w) == 1
    assert np.isfinite(scores).all()
    alarms = scores > regular.threshold_
    assert alarms[405:425].all()
    assert alarms[:390].mean() < 0.05
    with pytest.warns(DataWarning):
        parts = regular.explain(dead)
    assert (parts["b"][300:] == 0).all()
    assert parts.sum(axis=1).to_numpy() == pytest.approx(scores)
    with pytest.warns(DataWarning):
        made = regular.expected(dead)["b"]
    assert np.isfinite(made).all()


def test_bursts_of_missing_cells_leave_scores(regular):
    rng, new = np.random.default_rng(3), REGULAR.copy()
    for row, sensor in zip(rng.integers(0, 480, 12), rng.integers(0, 3, 12), strict=True):
        new.iloc[row : row + 8, sensor] = np.nan
    with pytest.warns(DataWarning, match="Missing in more consecutive rows"):
        scores = regular.anomaly_score(new)
    assert np.isfinite(scores[new.notna().sum(axis=1) > 1]).all()
    assert (scores > regular.threshold_).mean() < 0.05


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas, pd.DataFrame.to_numpy])
def test_a_sensor_without_values_is_passed_by(convert):
    S = convert(REGULAR.assign(none=np.nan)[["a", "none", "b", "c"]])
    with pytest.warns(DataWarning, match=r"Without any value: '(none|x1)'"):
        found = fitted(S)
    assert len(found.sensors_) == 3
    assert found.n_features_in_ == 4
    scores = found.anomaly_score(S)
    assert np.isfinite(scores).all()
    parts = found.explain(S)
    assert type(parts) is type(S)
    assert np.asarray(parts).sum(axis=1) == pytest.approx(scores)
    assert np.asarray(found.expected(S)).shape == (500, 4)
    assert np.isnan(found.update(np.asarray(S)[0]).score)


def test_a_status_is_carried_past(tmp_path):
    S = REGULAR.assign(state=np.where(np.arange(500) % 9, "run", "idle"), on=True)
    S = S.reset_index(names="at").astype({"at": str})
    with pytest.warns(DataWarning, match="'state'") as w:
        found = fitted(S)
    assert len(w) == 1
    assert found.sensors_ == ("a", "b", "c", "on")
    found.save(tmp_path / "status.isthmus")
    loaded = ist.load(tmp_path / "status.isthmus")
    for new in (S, S.assign(state=None), S.drop(columns="state")):
        assert (loaded.anomaly_score(new) == found.anomaly_score(S)).all()
    assert (found.expected(S)[["at", "state"]] == S[["at", "state"]]).all(axis=None)
    assert (found.explain(S)["state"] == 0).all()


def test_a_slow_sensor_is_interpolated():
    S = REGULAR.copy()
    S.iloc[np.arange(500) % 6 != 0, 1] = np.nan
    found = fitted(S)
    scores = found.anomaly_score(S)
    assert np.isfinite(scores).all()
    settled = [row for values in S.to_numpy() for row in found.update(values).settled]
    np.testing.assert_allclose([r.score for r in settled], scores[: len(settled)], rtol=1e-4)


def test_long_gaps_are_filled_on_request():
    minutes = 5.0 * (np.arange(500) + 12 * (np.arange(500) // 25))
    S = table(minutes)
    assert np.isfinite(fitted(S, longest_gap=12).anomaly_score(S)).all()
    none = fitted(S, longest_gap=0)
    assert none.longest_gap_ == 0
    holes = S.drop(S.index[10])
    assert np.isnan(none.anomaly_score(holes)).sum() == 24


def test_an_impossible_gap_is_refused():
    for gap, message in ((-1, "from 0"), (WINDOW + 1, "at most the window"), ("1h", "an integer")):
        with pytest.raises(InvalidParameter, match=f"longest_gap: .*{message}"):
            fitted(REGULAR, longest_gap=gap)
    with pytest.raises(InvalidParameter, match="longest_gap: expected None without a window"):
        ist.AnomalyDetector(longest_gap=3).fit(REGULAR)


def test_a_setting_that_contradicts_the_fit_is_not_saved(regular, tmp_path):
    other = fitted(REGULAR, longest_gap=2).set_params(longest_gap=5)
    with pytest.raises(InvalidParameter, match="longest_gap"):
        other.save(tmp_path / "series.isthmus")


def test_a_series_that_is_too_gappy_says_what_to_do():
    with pytest.raises(InvalidData, match=r"0 windows .* 1 s, and there are 99 longer gaps"):
        fitted(table(np.repeat(np.arange(100) * 60.0, 4) + np.tile(np.arange(4) / 60, 100)))


def test_too_few_times_are_counted():
    with (
        pytest.warns(DataWarning, match="the same time"),
        pytest.raises(InvalidData, match="the 400 rows have 2 times"),
    ):
        fitted(table(np.repeat([0, 5], 200)))


def test_a_report_of_unsorted_rows_can_be_written(regular, tmp_path):
    faulty = REGULAR.copy()
    faulty.iloc[200:240, 2] += 2
    with pytest.warns(DataWarning, match="sorted"):
        ist.write_report(regular, faulty.sample(frac=1, random_state=0), tmp_path / "page.html")
    assert "scores-along-time" in (tmp_path / "page.html").read_text()
