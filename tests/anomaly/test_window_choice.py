"""The window that is chosen where the user gives none."""

import numpy as np
import pytest
from scipy.signal import lfilter

from isthmus.anomaly.window_choice import chosen_window, period
from isthmus.data.sensor_series import as_series


def noise(rows, sensors=2, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, sensors))


@pytest.mark.parametrize(
    ("rows", "window"), [(40, 5), (400, 50), (1000, 62), (4000, 250), (100_000, 250), (8, 4)]
)
def test_a_series_without_a_period(rows, window):
    assert chosen_window(as_series(noise(rows))) == window


@pytest.mark.parametrize("length", [7, 24, 50, 144])
def test_a_multiple_of_the_period(length):
    wave = np.sin(2 * np.pi * np.arange(4000) / length)[:, None]
    rows = wave + 0.3 * noise(4000)
    found = period(rows, 500)
    assert found == pytest.approx(length, abs=1)
    assert chosen_window(as_series(rows)) % found == 0


def test_missing_cells_and_constant_sensors():
    rows = np.sin(2 * np.pi * np.arange(2000) / 40)[:, None] + 0.1 * noise(2000)
    rows[::7] = np.nan
    rows[:, 1] = 3.0
    assert period(rows, 100) == 40
    assert period(np.full((50, 1), 2.0), 10) is None
    assert period(np.full((50, 1), np.nan), 10) is None


def test_noise_with_a_memory_has_no_period():
    rows = lfilter([1], [1, -0.97], noise(2000, seed=1), axis=0) + noise(2000, seed=2)
    assert period(rows, 250) is None
