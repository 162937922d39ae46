"""The threshold of a series' alarms as rows arrive."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.anomaly.alarm_threshold import AlarmThreshold, thresholds


def scores(rows, seed=0, tau=20):
    """Scores that stay high or low for a while."""
    noise = np.random.default_rng(seed).standard_normal(rows + tau)
    return np.exp(0.5 * np.convolve(noise, np.ones(tau) / np.sqrt(tau), "valid")[:rows])


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.6])
@pytest.mark.parametrize("rate", [0.1, 0.05])
def test_the_rate_is_kept_from_both_sides_wherever_the_threshold_starts(factor, rate):
    found = scores(60_000)
    start = factor * float(np.quantile(found, 1 - rate))
    share = np.mean(found > thresholds(found, start, rate, tau=20, spread=0.5))
    assert rate / 1.5 < share < 1.5 * rate


def test_a_clear_fault_does_not_move_the_threshold():
    found = np.ones(300)
    found[100:140] = 50
    limits = thresholds(found, 2.0, 0.01, tau=20, spread=0.5)
    assert limits[140:].max() < 2
    assert (found > limits)[100:140].all()


def test_a_long_alarm_does_not_move_the_threshold():
    found = np.ones(300)
    found[100:200] = 2.5
    assert thresholds(found, 2.0, 0.01, tau=20, spread=0.5)[200:].max() < 2


def test_an_alarm_like_a_false_one_raises_the_threshold():
    found = np.ones(300)
    found[100:120] = 2.5
    limits = thresholds(found, 2.0, 0.01, tau=20, spread=0.5)
    assert limits[121] > 1.4 * limits[120]


def test_a_long_calm_lowers_the_threshold_no_farther_than_its_bound():
    limits = thresholds(np.full(100_000, 1e-6), 2.0, 0.1, tau=20, spread=0.5)
    assert limits[-1] == pytest.approx(2 * np.exp(-1.5))


def test_rows_without_a_score_change_nothing():
    found = scores(200)
    gap = np.concatenate([found[:100], np.full(30, np.nan), found[100:]])
    limits = thresholds(gap, 2.0, 0.1, tau=20, spread=0.5)
    np.testing.assert_array_equal(
        np.delete(limits, np.s_[100:130]), thresholds(found, 2.0, 0.1, 20, 0.5)
    )


@given(counts=st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_units_have_the_thresholds_that_each_has_alone(counts):
    found = scores(sum(counts))
    begins = np.cumsum(counts)[:-1]
    expected = [thresholds(part, 1.5, 0.1, 20, 0.5) for part in np.split(found, begins)]
    np.testing.assert_array_equal(
        thresholds(found, 1.5, 0.1, 20, 0.5, begins), np.concatenate(expected)
    )


def test_row_by_row_is_the_same():
    found = scores(500)
    threshold = AlarmThreshold(2.0, 0.1, 20, 0.5)
    one_by_one = [threshold.at_next(score) for score in found.tolist()]
    np.testing.assert_array_equal(one_by_one, thresholds(found, 2.0, 0.1, 20, 0.5))
