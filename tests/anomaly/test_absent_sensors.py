"""Windows in which sensors are missing."""

import numpy as np
import pytest

import isthmus as ist
from isthmus.anomaly.absent_sensors import absent_in, completed, warn_of_absent
from isthmus.core.errors import DataWarning

WIDTH = 10


def windows(count=400, seed=0):
    """Return windows of three sensors, of which the second follows the first."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 6, (count, 1)) + np.arange(WIDTH) / 3
    block = np.stack([np.sin(phase), 2 * np.sin(phase), np.cos(phase)], axis=2)
    return (block + 0.05 * rng.standard_normal(block.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def autoencoder():
    model = ist.Autoencoder(4, hidden=(), epochs=60, scale="none", verbose=0, random_state=0)
    return model.fit(windows())


def test_complete_windows_stay(autoencoder):
    block = windows(5, 1)
    assert completed(autoencoder, block) is block


def test_missing_cells_are_reconstructed_from_the_others(autoencoder):
    block = windows(50, 1)
    holes = block.copy()
    holes[::2, :, 1] = np.nan
    found = completed(autoencoder, holes)
    assert np.isnan(holes[0, :, 1]).all()  # the given block is unchanged
    assert (found[1::2] == block[1::2]).all()
    error = np.square(found[::2, :, 1] - block[::2, :, 1]).mean()
    assert error < 0.3 * np.square(block[::2, :, 1]).mean()


def test_a_missing_cell_is_that_of_its_window_and_sensor():
    block = windows(50, 1)
    block[3, 2:4, 0] = np.nan
    assert np.argwhere(absent_in(block)).tolist() == [[3, 0]]


def test_missing_sensors_are_named():
    with pytest.warns(DataWarning, match=r"longest_gap=3\): 'b'"):
        warn_of_absent(np.array([False, True]), ("a", "b"), 3)
    warn_of_absent(np.array([False, False]), ("a", "b"), 3)
