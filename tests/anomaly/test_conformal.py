"""p-values, thresholds and discoveries, by simulation and by their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.anomaly import conformal

SCORES = st.lists(st.floats(0, 100), min_size=1, max_size=60)
RATES = st.floats(0.01, 0.5)


@given(SCORES, SCORES)
def test_p_values_count_the_rows_that_score_as_high(new, held_out):
    calibration = np.sort(held_out)
    values = conformal.p_values(np.array(new), calibration)
    for score, value in zip(new, values, strict=True):
        assert value == pytest.approx((1 + sum(h >= score for h in held_out)) / (1 + len(held_out)))


@given(SCORES, SCORES, RATES)
def test_the_threshold_agrees_with_the_p_values(new, held_out, rate):
    calibration = np.sort(held_out)
    level = conformal.threshold(calibration, rate)
    if conformal.is_enough(len(calibration), rate):
        alarms = np.array(new) > level
        small = conformal.p_values(np.array(new), calibration) <= rate + 1e-9
        np.testing.assert_array_equal(alarms, small)
    else:
        assert level > calibration[-1]


@given(SCORES, RATES)
def test_discoveries_are_those_of_benjamini_and_hochberg(values, rate):
    values = np.array(values) / 100
    found = conformal.discoveries(values, rate)
    most = max(
        (i for i in range(1, len(values) + 1) if np.sort(values)[i - 1] <= rate * i / len(values)),
        default=0,
    )
    assert found.sum() >= most
    assert found.sum() == (values <= np.sort(values)[most - 1]).sum() * (most > 0)


@given(st.integers(2, 10**6), st.floats(0.001, 0.5))
def test_the_rows_held_out_leave_as_many_to_learn_from(n, rate):
    size = conformal.calibration_size(n, rate)
    assert 1 <= size <= max(1, n // 2)


@pytest.mark.parametrize("rate", [0.1, 0.05, 0.01])
def test_the_rate_is_met_exactly_where_rows_are_enough(rate):
    size = conformal.calibration_size(3000, rate)
    assert rate * (size + 1) == pytest.approx(round(rate * (size + 1)))
    rng = np.random.default_rng(0)
    rounds = [
        (rng.random(400) > conformal.threshold(np.sort(rng.random(size)), rate)).mean()
        for _ in range(400)
    ]
    assert np.mean(rounds) == pytest.approx(rate, abs=4 * np.std(rounds) / 20)


def test_the_false_discovery_rate_holds_though_p_values_share_held_out_rows():
    rng, shares = np.random.default_rng(0), []
    for _ in range(400):
        calibration = np.sort(rng.normal(size=999))
        rows = np.concatenate([rng.normal(size=180), rng.normal(4, 1, size=20)])
        found = conformal.discoveries(conformal.p_values(rows, calibration), 0.1)
        shares.append(found[:180].sum() / max(1, found.sum()))
    assert np.mean(shares) < 0.1 + 3 * np.std(shares) / 20


def test_which_scores_are_far_out():
    scores = np.concatenate([np.linspace(0, 1, 99), [50.0]])
    assert np.flatnonzero(conformal.far_out(scores)).tolist() == [99]
