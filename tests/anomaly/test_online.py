"""Scores of a series row by row."""

import numpy as np
import pytest

import isthmus as ist
from isthmus.anomaly.series_score import Level
from isthmus.core.errors import InvalidData
from isthmus.data.windows import windows_of

WINDOW = 20
ROWS = np.random.default_rng(0).standard_normal((300, 3)).cumsum(axis=0) * 0.1


@pytest.fixture(scope="module")
def detector():
    autoencoder = ist.Autoencoder(3, hidden=8, epochs=2, scale="none", verbose=0, random_state=0)
    return ist.AnomalyDetector(autoencoder, window=WINDOW).fit(ROWS)


@pytest.fixture(autouse=True)
def forget(detector):
    detector.reset()


def scored(detector, rows):
    return np.array([detector.score_next(row) for row in rows])


def test_a_row_has_the_score_of_the_window_that_ends_with_it(detector):
    found = scored(detector, ROWS[:100])
    assert np.isnan(found[: WINDOW - 1]).all()
    series = detector._fitted
    scaled = ((ROWS[:100] - series.scaling.centre) / series.scaling.scale).astype(np.float32)
    windows = np.ascontiguousarray(windows_of(scaled, WINDOW))
    level = Level(series.window_score, WINDOW)
    expected = series.contributions(windows, level).sum(axis=1)
    assert found[WINDOW - 1 :] == pytest.approx(expected, rel=1e-3)


def test_what_was_seen_is_forgotten(detector):
    first = scored(detector, ROWS[:50])
    detector.reset()
    assert (scored(detector, ROWS[:50])[WINDOW:] == first[WINDOW:]).all()


def test_a_missing_sensor_keeps_its_value_for_the_longest_gap(detector):
    rows = ROWS[:100].copy()
    rows[50:53, 1] = np.nan
    held = rows.copy()
    held[50:53, 1] = held[49, 1]
    assert detector.longest_gap_ == 3
    found = scored(detector, rows)
    detector.reset()
    assert (found[49:] == scored(detector, held)[49:]).all()


def test_the_other_sensors_are_scored_while_one_is_missing(detector):
    rows = ROWS[:100].copy()
    rows[50:, 1] = np.nan
    found = scored(detector, rows)
    assert np.isfinite(found[WINDOW - 1 :]).all()
    rows[70:90, 0] += 100
    detector.reset()
    assert scored(detector, rows)[85] > 100 * found[85]


def test_a_gap_in_all_sensors_begins_a_new_window(detector):
    rows = ROWS[:100].copy()
    rows[50:53] = np.nan
    found = scored(detector, rows)
    assert np.flatnonzero(np.isnan(found[WINDOW - 1 :])).tolist() == [31, 32, 33]
    detector.reset()
    rows[50:54] = np.nan
    found = scored(detector, rows)
    assert np.flatnonzero(np.isnan(found[WINDOW - 1 :])).tolist() == list(range(31, 54))


def test_a_sensor_that_was_never_heard_is_waited_for(detector):
    assert np.isnan(scored(detector, np.full((3, 3), np.nan))).all()
    assert np.isfinite(scored(detector, ROWS[:WINDOW])[-1])


@pytest.mark.parametrize(
    "row", [np.zeros(2), np.zeros((1, 3)), ["a", 1, 2], None, [np.inf, 0, 0], 3.0]
)
def test_what_is_no_row_is_refused(detector, row):
    with pytest.raises(InvalidData, match="a row: expected 3 finite numbers"):
        detector.score_next(row)
