"""How a series is placed in time, and which gaps are filled."""

import numpy as np
import pandas as pd
import pytest

from isthmus.anomaly.series_gaps import default_gap, fitted_series, too_short
from isthmus.core.errors import DataWarning, InvalidData, InvalidParameter
from isthmus.data.sensor_series import as_series

WINDOW = 20


def table(minutes, sensors=2):
    index = pd.Timestamp("2024-01-01") + pd.to_timedelta(minutes, "min")
    return pd.DataFrame(np.zeros((len(index), sensors)), columns=list("abc")[:sensors], index=index)


def chosen(S, gap=None):
    return fitted_series(as_series(S), WINDOW, gap).series.grid


@pytest.mark.parametrize(("window", "gap"), [(2, 2), (30, 3), (31, 3), (40, 4), (1000, 100)])
def test_a_tenth_of_a_window_is_filled(window, gap):
    assert default_gap(window) == gap


def test_a_regular_series_keeps_the_default():
    grid = chosen(table(np.arange(100)))
    assert (grid.step, grid.longest_gap, grid.every.tolist()) == (60e6, 3, [1, 1])
    assert chosen(np.zeros((100, 2))).step is None


def test_few_gaps_are_not_filled():
    minutes = np.arange(500.0)
    minutes[250:] += 6
    assert chosen(table(minutes)).longest_gap == 3


@pytest.mark.parametrize(("missing", "gap"), [(3, 3), (5, 6), (8, 10), (10, 10)])
def test_frequent_gaps_are_filled(missing, gap):
    minutes = np.arange(500.0) + missing * (np.arange(500) // 9)
    assert chosen(table(minutes)).longest_gap == gap


def test_gaps_of_more_than_half_a_window_are_the_users_decision():
    minutes = np.arange(500.0)
    minutes[300:] += 15 * (np.arange(200) // 9)
    assert chosen(table(minutes)).longest_gap == 3  # more would not help
    series = fitted_series(as_series(table(minutes)), WINDOW, 15).series
    assert series.grid.longest_gap == 15
    assert not len(series.breaks())
    with pytest.raises(InvalidParameter, match="longest_gap: expected at most the window, 20 rows"):
        chosen(table(minutes), 21)


def test_what_the_user_sets_is_kept():
    assert chosen(table(np.arange(100)), 0).longest_gap == 0


def test_sensors_may_be_measured_at_different_rates():
    S = table(np.arange(300), 3)
    S.loc[S.index[np.arange(300) % 6 != 0], "b"] = np.nan
    S.loc[S.index[np.random.default_rng(0).random(300) < 0.3], "c"] = np.nan
    grid = chosen(S)
    assert grid.every.tolist() == [1, 6, 1]
    assert grid.longest_gaps.tolist() == [3, 18, 3]


def test_a_sensor_without_values_is_left_out_with_a_warning():
    S = table(np.arange(100), 3).assign(b=np.nan)
    with pytest.warns(DataWarning, match="Without any value: 'b'"):
        found = fitted_series(as_series(S), WINDOW, None)
    assert found.learned.tolist() == [0, 2]
    assert next(found.series.chunks()).rows.shape[1] == 2
    with pytest.raises(InvalidData, match="a sensor with values"):
        chosen(S[["b"]])


def test_rows_of_the_same_time_are_mentioned_if_there_are_many():
    with pytest.warns(DataWarning, match="50.0 % of the rows have the same time"):
        chosen(table(np.repeat(np.arange(100), 2)))
    chosen(table([*range(100), 99]))


def test_a_sensor_that_hides_most_rows_is_named():
    S = table(np.arange(300))
    S.iloc[100:, 1] = np.nan
    with pytest.warns(DataWarning, match=r"Only 3\d.* Sensor 'b' is missing in 6\d.*leave it out"):
        chosen(S)


def test_gaps_that_hide_most_rows_are_named():
    minutes = np.arange(300.0) + 50 * (np.arange(300) // 9)
    minutes[200:] = minutes[200] + np.arange(100)
    with pytest.warns(DataWarning, match=r"usual time step is 1 min, and there are 22 longer"):
        placed = fitted_series(as_series(table(minutes)), WINDOW, None).series
    error = too_short(placed, ("a", "b"), 5, 99)
    assert "300 rows, which contain 5 windows without a gap of more than 3 rows" in str(error)
    assert "longest_gap" in error.remedy
    assert "without their times" in error.remedy


def test_long_gaps_are_filled_where_there_is_too_little_else():
    minutes = np.arange(120.0) + 15 * (np.arange(120) // 9)
    series = as_series(table(minutes))
    with pytest.warns(DataWarning, match=r"Gaps of up to 20 rows are filled, .* 6\d.* are filled"):
        found = fitted_series(series, WINDOW, None, 80).series
    assert found.grid.longest_gap == 20
    assert (
        fitted_series(as_series(table(np.arange(50))), WINDOW, None, 80).series.grid.longest_gap
        == 3
    )
