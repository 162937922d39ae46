"""Detectors of the series of several units, by their public face."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus as ist
from isthmus.anomaly.fleet_detector import FleetDetector
from isthmus.anomaly.protocol import StoredDetector
from isthmus.core.errors import (
    DataWarning,
    InvalidArchive,
    InvalidData,
    InvalidParameter,
    SchemaMismatch,
)

WINDOW = 12
UNITS = 8
ROWS = 200
SENSORS = ["left", "right", "still"]


def network(**given_settings):
    return ist.Autoencoder(
        **{"latent_dim": 4, "hidden": 8, "epochs": 15, "scale": "none", "verbose": 0}
        | {"random_state": 0}
        | given_settings
    )


def fleet(rows=ROWS, units=UNITS, seed=0):
    """Return units with offsets and gains of their own, one after the other."""
    random, own = np.random.default_rng(seed), np.random.default_rng(42)
    swing = np.sin(np.arange(rows) / 7 + random.uniform(0, 6, (units, 1)))
    values = np.stack([swing, 3 - 2 * swing, 0 * swing], axis=2)
    values += 0.1 * random.standard_normal(values.shape)
    values = values * np.exp(own.standard_normal((units, 1, 3)))
    values += 20 * own.standard_normal((units, 1, 3))
    times = pd.date_range("2026-01-01", periods=rows, freq="min")
    frame = pd.DataFrame(values.reshape(-1, 3), columns=SENSORS)
    frame["at"] = np.tile(times, units)
    return frame.assign(unit=np.repeat([f"u{unit}" for unit in range(units)], rows))


def fitted(frame, **given_settings):
    detector = ist.AnomalyDetector(
        network(), window=WINDOW, group="unit", random_state=0, **given_settings
    )
    return detector.fit(frame)


@pytest.fixture(scope="module")
def normal():
    return fleet()


@pytest.fixture(scope="module")
def detector(normal):
    return fitted(normal)


@pytest.fixture
def faulty():
    """New rows: a sensor of u3 sticks in its rows 80 to 119, and one of u6 is off."""
    found = fleet(seed=1)
    stuck, off = 3 * ROWS + 80, 6 * ROWS + 50
    found.iloc[stuck : stuck + 40, 1] = found.iloc[stuck, 1]
    spread = found[found["unit"] == "u6"]["still"].std()
    found.iloc[off : off + 30, 2] += 8 * spread
    return found


def test_rows_of_any_order_have_the_same_scores(detector, faulty):
    scores = pd.Series(detector.anomaly_score(faulty), faulty.index)
    assert np.isfinite(scores).all()
    assert 0.3 < scores.median() < 3
    for other in (faulty.sample(frac=1, random_state=0), faulty.sort_values("at")):
        found = pd.Series(detector.anomaly_score(other), other.index)
        np.testing.assert_allclose(found.sort_index(), scores, rtol=1e-4)


def test_a_fit_does_not_depend_on_the_order_of_rows(normal, detector):
    other = fitted(normal.sample(frac=1, random_state=0))
    assert other.units_ == detector.units_ == tuple(f"u{unit}" for unit in range(UNITS))
    assert other.threshold_ == detector.threshold_


def test_a_unit_is_scored_by_its_own_rows_alone(detector, faulty):
    scores = detector.anomaly_score(faulty)
    for unit in ("u0", "u3"):
        own = faulty["unit"] == unit
        np.testing.assert_allclose(
            detector.anomaly_score(faulty[own]), scores[own.to_numpy()], rtol=1e-4
        )


def test_units_that_differ_are_all_normal(detector):
    alarms = (detector.predict(fleet(seed=2)) == -1).reshape(UNITS, ROWS)
    assert alarms.mean() < 0.05
    assert alarms.mean(axis=1).max() < 0.2


def test_alarms_say_their_unit(detector, faulty):
    found = detector.intervals(faulty)
    stuck, off = (
        next(one for one in found if one.unit == unit and one.score > 5) for unit in ("u3", "u6")
    )
    assert "right" in stuck.sensors[:2]
    assert off.sensors[0] == "still"
    assert str(off).startswith("u6: 2026-01-01 00:")
    assert off.score == pytest.approx(
        detector.anomaly_score(faulty)[off.rows[0] : off.rows[1] + 1].max(), rel=1e-4
    )
    assert pd.Timestamp(off.start) == faulty["at"][off.rows[0]]
    assert [one.unit for one in found] == sorted(one.unit for one in found)


def test_rows_of_an_interval_are_the_users(detector, faulty):
    mixed = faulty.sample(frac=1, random_state=1).reset_index(drop=True)
    above = detector.decision_function(mixed) < 0
    found = detector.intervals(mixed)
    assert {one.unit for one in found} == set(mixed["unit"][above])
    for one in found:
        first, last = mixed.iloc[one.rows[0]], mixed.iloc[one.rows[1]]
        assert first["unit"] == last["unit"] == one.unit
        assert (first["at"], last["at"]) == (one.start, one.end)
        assert above[list(one.rows)].all()


def test_alarms_do_not_reach_the_next_unit(detector, normal):
    new = fleet(seed=1)
    new.loc[4 * ROWS - 30 : 4 * ROWS + 30, "still"] += 500
    found = [one for one in detector.intervals(new) if one.score > 100]
    assert [one.unit for one in found] == ["u3", "u4"]
    assert found[0].rows[1] == 4 * ROWS - 1
    assert found[1].rows[0] == 4 * ROWS


CONTAINERS = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "index": lambda frame: frame.set_index(["unit", "at"]),
}


@pytest.mark.parametrize("convert", CONTAINERS.values(), ids=list(CONTAINERS))
def test_results_come_in_the_users_container_and_order(detector, faulty, convert):
    mixed = faulty.sample(frac=1, random_state=1)
    rows = convert(mixed)
    scores = detector.anomaly_score(rows)
    parts, filled = detector.explain(rows), detector.expected(rows)
    for made in (parts, filled):
        assert type(made) is type(rows)
        if isinstance(made, pd.DataFrame):
            assert made.index.equals(rows.index)
        elif "unit" in mixed:
            assert list(
                made["unit"].to_pylist() if isinstance(made, pa.Table) else made["unit"]
            ) == list(mixed["unit"])
    cells = np.stack([np.asarray(parts[name]) for name in SENSORS], axis=1)
    np.testing.assert_allclose(cells.sum(axis=1), scores, rtol=1e-4)
    calm = ~mixed["unit"].isin(["u3", "u6"]).to_numpy()
    for name in SENSORS[:2]:
        error = (np.asarray(filled[name]) - mixed[name])[calm]
        assert error.std() < 0.3 * mixed.groupby("unit")[name].std().mean()


def test_p_values_agree_with_the_threshold(detector, faulty):
    p, scores = detector.p_values(faulty), detector.anomaly_score(faulty)
    assert ((p <= detector.false_alarm_rate) == (scores > detector.threshold_)).all()


def test_each_unit_has_its_own_threshold_which_begins_at_that_of_the_fleet(detector, faulty):
    mixed = faulty.sample(frac=1, random_state=1)
    scores = detector.anomaly_score(mixed)
    limits = detector.thresholds_of(scores, mixed)
    np.testing.assert_array_equal(detector.decision_function(mixed), limits - scores)
    np.testing.assert_array_equal(detector.predict(mixed) == -1, scores > limits)
    in_order = pd.Series(limits, mixed.index).sort_index().to_numpy().reshape(UNITS, ROWS)
    np.testing.assert_allclose(in_order[:, 0], detector.threshold_)
    for unit in range(UNITS):
        alone = faulty[unit * ROWS : (unit + 1) * ROWS]
        expected = detector.thresholds_of(detector.anomaly_score(alone), alone)
        np.testing.assert_allclose(in_order[unit], expected, rtol=1e-4)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_threshold_of_a_unit_follows_its_scores(detector, factor):
    rows = fleet(rows=6_000, units=2)
    rate, random = 0.1, np.random.default_rng(0)
    noise = random.standard_normal((2, 6_000 + WINDOW))
    smooth = np.array([np.convolve(each, np.ones(WINDOW), "valid")[:6_000] for each in noise])
    scores = np.exp(0.5 * smooth / np.sqrt(WINDOW))
    scores *= factor * detector._fitted.threshold(rate) / np.quantile(scores, 1 - rate)
    detector.set_params(false_alarm_rate=rate)
    try:
        limits = detector.thresholds_of(scores.ravel(), rows).reshape(scores.shape)
    finally:
        detector.set_params(false_alarm_rate=0.01)
    share = (scores > limits).mean(axis=1)
    assert (rate / 1.5 < share).all()
    assert (share < 1.5 * rate).all()


def test_thresholds_need_the_rows_of_the_scores(detector, normal):
    scores = detector.anomaly_score(normal)
    with pytest.raises(InvalidData, match="a table with the column 'unit'"):
        detector.thresholds_of(scores)
    with pytest.raises(InvalidData, match=r"shape \(200,\), received shape \(1600,\)"):
        detector.thresholds_of(scores, normal[:ROWS])


def test_new_units_are_named_and_scored(detector, faulty):
    new = faulty.replace({"unit": {f"u{unit}": f"new{unit}" for unit in range(2, UNITS)}})
    with pytest.warns(DataWarning, match=r"6 of 8, 'new2', 'new3', .* and 1 more") as caught:
        scores = detector.anomaly_score(new)
    assert len(caught) == 1
    assert np.isfinite(scores).all()
    alarms = (scores > detector.threshold_).reshape(UNITS, ROWS)
    assert alarms[6, 55:75].all()
    assert alarms[[0, 1, 2, 4, 5, 7]].mean() < 0.05


def test_units_shorter_than_a_window_have_no_scores(detector, normal):
    short = pd.concat([normal[: ROWS + 5], normal[2 * ROWS : 2 * ROWS + 3]])
    with pytest.warns(DataWarning, match="have no scores: 2 of 3") as caught:
        scores = detector.anomaly_score(short)
    assert len(caught) == 1
    assert np.flatnonzero(np.isnan(scores)).tolist() == list(range(ROWS, ROWS + 8))
    with pytest.warns(DataWarning):
        assert (detector.predict(short)[ROWS:] == 1).all()


def test_levels_make_the_scores_of_a_noisy_unit_comparable(normal):
    random = np.random.default_rng(5)
    noisy = {}
    for seed in (0, 1):
        frame = fleet(seed=seed)
        own = frame["unit"] == "u2"
        spread = frame[own][SENSORS].std().to_numpy()
        frame.loc[own, SENSORS] += 1.5 * spread * random.standard_normal((ROWS, 3))
        noisy[seed] = frame
    found = fitted(noisy[0])
    assert found.unit_levels_.argmax() == 2
    assert found.unit_levels_[2] > 1.5
    alarms = (found.predict(noisy[1]) == -1).reshape(UNITS, ROWS).mean(axis=1)
    assert alarms[2] < 0.1


def test_a_unit_is_found_by_its_name_as_text(normal):
    numbered = normal.assign(unit=normal["unit"].str[1:].astype(int))
    found = fitted(numbered)
    assert found.units_ == tuple(range(UNITS))
    text = normal.assign(unit=normal["unit"].str[1:])
    assert (found.anomaly_score(text) == found.anomaly_score(numbered)).all()
    assert found.intervals(numbered.assign(still=lambda rows: rows["still"] + 99))[0].unit == 0


def test_sensors_may_come_in_another_order(detector, normal):
    other = normal[["unit", "still", "at", "left", "right"]]
    assert (detector.anomaly_score(other) == detector.anomaly_score(normal)).all()
    assert list(detector.explain(other).columns) == list(other.columns)


def test_a_detector_is_saved_and_loaded(detector, faulty, tmp_path):
    detector.save(tmp_path / "fleet.isthmus")
    loaded = ist.load(tmp_path / "fleet.isthmus")
    assert loaded.group == "unit"
    assert loaded.units_ == detector.units_
    assert loaded.threshold_ == detector.threshold_
    assert (loaded.anomaly_score(faulty) == detector.anomaly_score(faulty)).all()
    assert loaded.intervals(faulty) == detector.intervals(faulty)
    loaded.set_params(group="machine")
    with pytest.raises(InvalidParameter, match="group"):
        loaded.save(tmp_path / "other.isthmus")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("levels", np.zeros(UNITS)),
        ("floor", -np.ones(3)),
        ("unit_scales", np.full((UNITS, 3), 1e4)),
        ("fleet_centres", -np.ones((3, 3))),
        ("units", np.frombuffer(b'["unit", "a"]', np.uint8)),
        ("units", np.frombuffer(b'["machine", 1, 2, 3, 4, 5, 6, 7, 8]', np.uint8)),
        ("units", np.frombuffer(b'["unit", 1, "1", 3, 4, 5, 6, 7, 8]', np.uint8)),
        ("units", np.frombuffer(b'["unit", 1.5, 2, 3, 4, 5, 6, 7, 8]', np.uint8)),
        ("units", np.frombuffer(b"\xff", np.uint8)),
        ("series/scale", np.zeros(3)),
    ],
)
def test_a_strangers_archive_is_checked(detector, name, value):
    arrays = detector._fitted.to_arrays()
    stored = StoredDetector(detector.autoencoder_, arrays, None, WINDOW, "warn", "unit")
    assert name in arrays
    with pytest.raises(InvalidArchive):
        FleetDetector.from_archive(replace(stored, arrays={**arrays, name: value}))


def test_other_rows_are_refused(detector, normal):
    with pytest.raises(SchemaMismatch, match="the column 'unit'"):
        detector.anomaly_score(normal.drop(columns="unit"))
    with pytest.raises(SchemaMismatch, match="the sensors left, right, still"):
        detector.anomaly_score(normal.drop(columns="left"))
    with pytest.raises(InvalidData, match="a table with the column 'unit'"):
        detector.anomaly_score(np.zeros((50, 3)))


@settings(max_examples=10, deadline=None)
@given(counts=st.lists(st.integers(1, 3 * WINDOW), min_size=1, max_size=5))
def test_any_lengths_of_units_are_scored(detector, normal, counts):
    parts = [normal[unit * ROWS :][:count] for unit, count in enumerate(counts)]
    with pytest.warns(DataWarning) if min(counts) < WINDOW else nullcontext():
        scores = detector.anomaly_score(pd.concat(parts))
    expected = np.concatenate([np.full(count, count >= WINDOW) for count in counts])
    assert (np.isfinite(scores) == expected).all()
