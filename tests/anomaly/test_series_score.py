"""The score of a window and the p-values of a series, against plain loops."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isthmus.anomaly.series_calibration import SeriesCalibration, correlation_time
from isthmus.anomaly.series_score import Level, SeriesScore, window_statistics


def walk(n, seed, sensors=3):
    """Sensors that wander, each faster than the one before."""
    rng = np.random.default_rng(seed)
    rows = np.cumsum(rng.normal(size=(n, sensors)), axis=0) * np.arange(1, sensors + 1) / 9
    return (rows + rng.normal(size=rows.shape)).astype(np.float32)


def windows_of(rows, width):
    return np.stack([rows[first : first + width] for first in range(len(rows) - width + 1)])


def slow_statistics(windows, residuals):
    found = []
    for window, rest in zip(windows.astype(np.float64), residuals.astype(np.float64), strict=True):
        width, sensors = window.shape
        found.append(
            [
                [sum(window[:, s]) / width for s in range(sensors)],
                [sum(rest[:, s]) / width for s in range(sensors)],
                [math.log(sum(x * x for x in rest[:, s]) / width + 1e-4) for s in range(sensors)],
            ]
        )
    return np.array(found)


def slow_levels(statistics, width):
    """The level before each window: an exponentially weighted mean that moves every few windows."""
    step = max(8, width // 4)
    pace = 1 - math.exp(-step / (10 * width))
    level = statistics[: 10 * width].mean(axis=0)
    levels = []
    for k in range(len(statistics)):
        if k and k % step == 0:
            level = level + pace * (statistics[k - step : k].mean(axis=0) - level)
        levels.append(level)
    return np.array(levels)


def slow_change(values, width):
    """Half the mean square by which a statistic changes over eight lags, at least a thousandth."""
    rows = len(values) + width
    longest = max(1, rows // 4)
    shortest = min(width, longest)
    lags = {int(shortest + (longest - shortest) * step / 7) for step in range(8)}
    means = []
    for lag in lags:
        squares = [(values[k + lag] - values[k]) ** 2 for k in range(len(values) - lag)]
        if squares:
            means.append(sum(squares) / len(squares))
    return max(sum(means) / len(means) / 2, 1e-3)


def slow_score(away, change):
    """The root mean square over the sensors of their mean squared distances."""
    statistics, sensors = away.shape
    squares = [
        sum(away[i, s] ** 2 / change[i, s] for i in range(statistics)) / statistics
        for s in range(sensors)
    ]
    return math.sqrt(sum(square**2 for square in squares) / sensors), squares


@pytest.mark.parametrize(("n", "width"), [(90, 6), (140, 10), (30, 5)])
@pytest.mark.parametrize("seed", range(3))
def test_contributions_are_those_of_a_plain_loop(n, width, seed):
    windows = windows_of(walk(n, seed), width)
    residuals = windows - np.float32(0.8) * windows.mean(axis=1, keepdims=True)
    statistics = window_statistics(windows, residuals)
    np.testing.assert_allclose(
        statistics, slow_statistics(windows, residuals), rtol=1e-4, atol=1e-5
    )

    score, parts = SeriesScore.fit(statistics, width)
    away = statistics - slow_levels(statistics, width)
    change = np.array(
        [[slow_change(statistics[:, i, s], width) for s in range(3)] for i in range(3)]
    )
    np.testing.assert_allclose(score.change, change)
    for k in range(len(statistics)):
        total, squares = slow_score(away[k], change)
        assert parts[k].sum() == pytest.approx(total, rel=1e-9)
        shares = np.array(squares) ** 2 / sum(square**2 for square in squares)
        np.testing.assert_allclose(parts[k], total * shares, rtol=1e-9)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_the_level_does_not_depend_on_how_windows_arrive(sizes):
    rng = np.random.default_rng(0)
    score, _ = SeriesScore.fit(rng.normal(size=(200, 3, 2)), 20)
    statistics = rng.normal(size=(sum(sizes), 3, 2))
    statistics[100:400] += 9
    absent = np.zeros((len(statistics), 2), dtype=bool)
    whole = Level(score, 20).contributions(statistics, absent)
    level, cuts = Level(score, 20), np.cumsum([0, *sizes])
    parts = [level.contributions(statistics[a:b], absent[a:b]) for a, b in pairwise(cuts)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-12)


def units_apart(*sizes):
    """Statistics of units, each of which is far from the one before."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 3, 2)) + 20.0 * unit for unit, n in enumerate(sizes)]


@given(st.permutations(range(4)), st.lists(st.integers(1, 90), min_size=4, max_size=4))
def test_units_are_learned_from_in_any_order(order, sizes):
    units, found = units_apart(*sizes), {}
    for places in (range(4), order):
        begins = np.cumsum([len(units[place]) for place in places])[:-1]
        _, parts = SeriesScore.fit(
            np.concatenate([units[place] for place in places]), 20, begins.tolist()
        )
        split = dict(zip(places, np.split(parts, begins), strict=True))
        for unit, own in split.items():
            np.testing.assert_allclose(found.setdefault(unit, own), own, rtol=1e-9)


def test_levels_do_not_run_across_units():
    units = units_apart(300, 300, 300)
    again = [unit + 0.1 for unit in units]
    score, parts = SeriesScore.fit(np.concatenate(units + again), 20, [*range(300, 1800, 300)])
    totals = parts.sum(axis=1).reshape(6, 300)
    assert totals[:, :20].mean(axis=1).max() < 2 * np.median(totals)
    assert score.change.max() < 3
    level = Level(score, 20)
    absent = np.zeros((900, 2), dtype=bool)
    scores = level.of_units(np.concatenate(units), absent, [300, 600]).sum(axis=1)
    assert scores.reshape(3, 300)[:, :20].mean(axis=1).max() < 2 * np.median(totals)


def test_units_of_one_window_are_compared_with_each_other():
    score, parts = SeriesScore.fit(np.concatenate(units_apart(*[1] * 9)), 20, [*range(1, 9)])
    assert np.isfinite(parts).all()
    assert score.change.min() > 1


@pytest.mark.parametrize("cut", [50, 250, 340, 410, 700])
def test_a_level_goes_on_from_its_arrays(cut):
    rng = np.random.default_rng(0)
    score, _ = SeriesScore.fit(rng.normal(size=(200, 3, 2)), 20)
    statistics, absent = rng.normal(size=(800, 3, 2)), np.zeros((800, 2), dtype=bool)
    statistics[100:400] += 9
    level, again = Level(score, 20), Level(score, 20)
    level.contributions(statistics[:cut], absent[:cut])
    again.restore(level.to_arrays())
    one, other = (each.contributions(statistics[cut:], absent[cut:]) for each in (level, again))
    np.testing.assert_array_equal(one, other)


def learned_level(width=20):
    rng = np.random.default_rng(0)
    score, _ = SeriesScore.fit(rng.normal(size=(4000, 3, 2)), width)
    return Level(score, width), rng


def scores_of(level, statistics):
    absent = np.zeros((len(statistics), 2), dtype=bool)
    return level.contributions(statistics, absent).sum(axis=1)


def test_slow_drift_is_followed():
    level, rng = learned_level()
    drift = np.linspace(0, 20, 20_000)[:, None, None]
    scores = scores_of(level, rng.normal(size=(20_000, 3, 2)) + drift)
    assert scores[-2000:].mean() < 1.2 * scores[:500].mean()


def test_a_fault_is_not_learned_until_it_has_lasted_for_ten_windows():
    level, rng = learned_level()
    fault = scores_of(level, rng.normal(size=(1000, 3, 2)) + 9)
    usual = scores_of(learned_level()[0], rng.normal(size=(1000, 3, 2)))
    assert fault[180:200].min() > 10 * np.median(usual)
    assert np.median(fault[-100:]) < 3 * np.median(usual)


def test_the_return_from_a_learned_fault_is_normal_at_once():
    level, rng = learned_level()
    usual = np.median(scores_of(level, rng.normal(size=(1000, 3, 2))))
    fault = scores_of(level, rng.normal(size=(1000, 3, 2)) + 9)
    assert np.median(fault[-100:]) < 3 * usual
    assert np.median(scores_of(level, rng.normal(size=(300, 3, 2)))) < 2 * usual


def test_a_new_fault_after_the_return_is_found():
    level, rng = learned_level()
    for shift in (9, 0, 9):
        scores = scores_of(level, rng.normal(size=(1000, 3, 2)) + shift)
    usual = np.median(scores_of(learned_level()[0], rng.normal(size=(1000, 3, 2))))
    assert scores[:200].min() > 5 * usual


def test_a_series_begins_at_the_nearest_level_of_training():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 3, 2)) + np.linspace(0, 30, 4000)[:, None, None]
    score, _ = SeriesScore.fit(rows, 20)
    for near in (rows[:50], rows[-50:]):
        assert scores_of(Level(score, 20), near).mean() < 3


def test_a_missing_sensor_contributes_nothing_and_is_not_learned():
    level, rng = learned_level()
    statistics = rng.normal(size=(2000, 3, 2))
    absent = np.zeros((2000, 2), dtype=bool)
    absent[:1000, 1] = True
    wrong = statistics.copy()
    wrong[:1000, :, 1] = 1e6
    parts = level.contributions(wrong, absent)
    assert (parts[:1000, 1] == 0).all()
    assert parts[:1000].sum(axis=1).mean() == pytest.approx(1, abs=0.3)
    assert parts[1000:].sum(axis=1).mean() < 2


def test_a_constant_statistic_does_not_divide_by_nothing():
    windows = np.zeros((50, 10, 2), dtype=np.float32)
    _, parts = SeriesScore.fit(window_statistics(windows, windows), 10)
    assert (parts == 0).all()


def slow_correlation_time(values):
    """1 + 2 times the sum of autocorrelations, up to the first below a twentieth."""
    centred = [v - sum(values) / len(values) for v in values]
    whole = sum(c * c for c in centred)
    total = 1.0
    for lag in range(1, len(values)):
        correlation = sum(centred[k] * centred[k + lag] for k in range(len(values) - lag)) / whole
        if correlation < 0.05:
            break
        total += 2 * correlation
    return max(1.0, total)


@pytest.mark.parametrize("seed", range(4))
def test_the_correlation_time_is_that_of_a_plain_loop(seed):
    for values in walk(80, seed).T.astype(np.float64):
        assert correlation_time(values) == pytest.approx(slow_correlation_time(values), rel=1e-9)


def slow_p_value(score, held_out, tau):
    """Count; where few are above, Student's t from the logarithms, but no less than counted."""
    m = max(3.0, len(held_out) / tau)
    score = score / stats.f.ppf(0.75, m, m)
    counted = sum(other >= score for other in held_out) / len(held_out)
    if counted >= 1.5 / m:
        return counted
    logs = [math.log(other) for other in held_out]
    mean = sum(logs) / len(logs)
    variance = sum((x - mean) ** 2 for x in logs) / len(logs) * m / (m - 1)
    distance = (math.log(score) - mean) / math.sqrt(variance * (1 + 1 / m))
    return max(counted, min(1.5 / m, stats.t.cdf(-distance, m - 1)))


@pytest.mark.parametrize("shortest", [1, 7, 40])
@pytest.mark.parametrize("seed", range(3))
def test_p_values_are_those_of_a_plain_loop(shortest, seed):
    rng = np.random.default_rng(seed)
    held_out = np.exp(walk(60, seed)[:, 0].astype(np.float64) / 4)
    tau = max(shortest, slow_correlation_time(np.log(held_out)))
    new = np.concatenate([held_out[:10], np.exp(rng.normal(size=20)), [20.0, 50.0]])
    found = SeriesCalibration.fit(held_out, shortest).p_values(new)
    expected = [slow_p_value(score, held_out.tolist(), tau) for score in new.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-7)
