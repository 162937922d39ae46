"""The parts of a series detector: calibration, score, intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import lfilter

from isthmus.anomaly.intervals import merged_alarms, responsible_sensors
from isthmus.anomaly.series_calibration import SeriesCalibration, correlation_time


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_the_correlation_time_is_that_of_theory(memory):
    noise = np.random.default_rng(0).standard_normal(50_000)
    found = correlation_time(lfilter([1], [1, -memory], noise))
    assert found == pytest.approx((1 + memory) / (1 - memory), rel=0.15)


def test_values_of_different_sequences_are_not_compared():
    noise = np.random.default_rng(0).standard_normal((30, 200))
    begins = np.arange(200, noise.size, 200)
    assert correlation_time(noise.ravel(), begins) == pytest.approx(1, abs=0.2)
    assert correlation_time(noise.ravel(), np.arange(1, noise.size)) == 1
    later = noise + np.repeat([-1, 1], 15)[:, None]
    assert correlation_time(later.ravel(), begins) < 200
    assert correlation_time(later.ravel()) > 1_000


def test_the_correlation_time_of_few_values():
    assert correlation_time(np.array([3.0])) == 1
    assert correlation_time(np.full(9, 3.0)) == 1


@given(
    scores=arrays(float, st.integers(1, 60), elements=st.floats(0, 1e6)),
    new=arrays(float, 20, elements=st.floats(0, 1e9)),
    rate=st.floats(1e-6, 0.999),
    shortest=st.integers(1, 20),
)
def test_a_score_above_the_threshold_has_a_p_value_below_the_rate(scores, new, rate, shortest):
    found = SeriesCalibration.fit(scores, shortest)
    p = found.p_values(new)
    assert ((p > 0) & (p <= 1)).all()
    assert (np.diff(p[np.argsort(new)]) <= 1e-12).all()
    limit = found.threshold(rate)
    sure = np.abs(new - limit) > 1e-6 * (limit + 1)
    assert ((p <= rate) == (new > limit))[sure].all()


def test_the_margin_falls_with_the_number_of_observations():
    rng = np.random.default_rng(0)
    margins = [SeriesCalibration.fit(rng.random(n), 10).margin for n in (40, 100, 1000, 100_000)]
    assert margins == sorted(margins, reverse=True)
    assert margins[-1] < 1.05


def test_counting_gives_a_share_of_the_promise():
    rng = np.random.default_rng(0)
    found = SeriesCalibration.fit(rng.exponential(size=20_000), 1)
    new = rng.exponential(size=200_000)
    for rate in (0.1, 0.01, 0.001):
        assert (new > found.threshold(rate)).mean() == pytest.approx(rate, rel=0.35)


def test_alarms_with_little_calm_between_them_are_one():
    scores = np.array([0, 5, 9, 0, 0, 6, 0, 0, 0, 7, np.nan])
    assert merged_alarms(scores, 4, calm=2) == [(1, 5, 2), (9, 9, 9)]
    assert merged_alarms(scores, 4, calm=1) == [(1, 2, 2), (5, 5, 5), (9, 9, 9)]
    assert merged_alarms(scores, 9, calm=1) == []


def test_the_sensors_that_make_most_of_the_score_are_responsible_sensors():
    names = ["a", "b", "c", "d", "e"]
    assert responsible_sensors(np.array([1, 9, 0, 0, 0]), names) == ("b",)
    assert responsible_sensors(np.array([4, 3, 2, 1, 0]), names) == ("a", "b", "c")
    assert responsible_sensors(np.ones(5), names) == ("a", "b", "c")
