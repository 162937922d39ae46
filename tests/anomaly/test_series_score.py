"""The score of a window and the p-values of a series, against plain loops."""

import math

import numpy as np
import pytest
from scipy import stats

from isthmus.anomaly.series_calibration import SeriesCalibration, correlation_time
from isthmus.anomaly.series_score import SeriesScore, window_statistics


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


@pytest.mark.parametrize(("n", "width"), [(90, 6), (40, 10), (12, 5)])
@pytest.mark.parametrize("seed", range(3))
def test_contributions_are_those_of_a_plain_loop(n, width, seed):
    windows = windows_of(walk(n, seed), width)
    residuals = windows - np.float32(0.8) * windows.mean(axis=1, keepdims=True)
    statistics = window_statistics(windows, residuals)
    expected = slow_statistics(windows, residuals)
    np.testing.assert_allclose(statistics, expected, rtol=1e-4, atol=1e-5)

    score = SeriesScore.fit(expected, width)
    new = slow_statistics(*[windows_of(walk(n, seed + 50), width)] * 2)
    found = score.contributions(new)
    for k, s in np.ndindex(found.shape):
        total = 0.0
        for statistic in range(3):
            learned = expected[:, statistic, s]
            away = new[k, statistic, s] - sum(learned) / len(learned)
            total += away**2 / slow_change(learned, width)
        assert found[k, s] == pytest.approx(total / (3 * found.shape[1]), rel=1e-9)


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
    """Count in units of tau; beyond all held-out scores, Student's t from the logarithms."""
    m = max(5.0, len(held_out) / tau)
    score = score / stats.f.ppf(0.9, m, m)
    above = sum(other >= score for other in held_out)
    counted = (tau + above) / (tau + len(held_out))
    if above:
        return counted
    logs = [math.log(other) for other in held_out]
    mean = sum(logs) / len(logs)
    variance = sum((x - mean) ** 2 for x in logs) / len(logs) * m / (m - 1)
    distance = (math.log(score) - mean) / math.sqrt(variance * (1 + 1 / m))
    return min(counted, stats.t.cdf(-distance, m - 1))


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
