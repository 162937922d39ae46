"""What is learned from the units of a fleet, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator

import isthmus as ist
from isthmus.core.errors import DataWarning, InvalidData, InvalidParameter

WINDOW = 10


def network():
    return ist.Autoencoder(2, hidden=4, epochs=1, scale="none", verbose=0, random_state=0)


def rows(*counts):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.standard_normal(sum(counts))})
    return frame.assign(unit=np.repeat(np.arange(len(counts)), counts))


def fit(frame, **settings):
    settings = {"window": WINDOW, "group": "unit", "random_state": 0} | settings
    return ist.AnomalyDetector(network(), **settings).fit(frame)


def test_all_windows_within_units_are_learned_from():
    # Units of 40 rows and more are cut into halves, which share no window.
    with pytest.warns(DataWarning, match="fewer rows than 4 windows, 40: 2 of 4, '2', '3'"):
        found = fit(rows(60, 45, 25, 10))
    assert found.autoencoder_.n_samples_ == 2 * 21 + (13 + 14) + 16 + 1


def test_short_units_are_named_and_left_out():
    with pytest.warns(DataWarning, match=r"not learned from: 2 of 4, '1', '3'"):
        found = fit(rows(60, 9, 60, 1))
    assert found.units_ == (0, 2)
    assert found.unit_levels_.shape == (2,)


def test_many_short_units_are_enough():
    with pytest.warns(DataWarning, match=r"60 of 60.* the false-alarm rate is not guaranteed"):
        found = fit(rows(*[WINDOW] * 60))
    assert found.autoencoder_.n_samples_ == 60
    assert np.isfinite(found.threshold_)


def test_one_unit_is_a_fleet_too():
    found = fit(rows(100))
    assert found.units_ == (0,)
    assert found.unit_levels_ == pytest.approx(1)


def test_units_that_are_all_too_short_are_refused():
    with pytest.raises(InvalidData, match=r"units with at least 10 rows.*3 units, the longest"):
        fit(rows(9, 4, 9))


def test_a_fleet_with_too_few_windows_is_refused():
    with (
        pytest.warns(DataWarning, match="2 of 2"),
        pytest.raises(InvalidData, match="smaller window"),
    ):
        fit(rows(12, 12))


def test_rows_without_a_window_have_no_group():
    with pytest.raises(InvalidParameter, match="group: expected None without a window"):
        fit(rows(60), window=None)


@pytest.mark.parametrize("group", ["", 3, ["unit"]])
def test_a_group_is_the_name_of_a_column(group):
    with pytest.raises(InvalidParameter, match="group: expected the name of a column"):
        fit(rows(60), group=group)


def test_a_frozen_autoencoder_is_kept():
    own = fit(rows(100)).autoencoder_
    found = ist.AnomalyDetector(FrozenEstimator(own), window=WINDOW, group="unit")
    assert found.fit(rows(100)).autoencoder_ is own
