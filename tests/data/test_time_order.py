"""The order of rows in time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import InvalidData
from isthmus.data.time_order import TimeOrder

MINUTE = 60_000_000
STEP = 5 * MINUTE


def in_berlin(start, days, step="5min"):
    """Return local times, which go back and jump when daylight saving ends and begins."""
    utc = pd.date_range(start, periods=days * pd.Timedelta("1D") // pd.Timedelta(step), freq=step)
    local = utc.tz_localize("UTC").tz_convert("Europe/Berlin").tz_localize(None)
    return local.to_numpy().astype("M8[us]").astype(np.int64)


def test_rows_in_order_stay():
    order = TimeOrder(STEP)
    ticks, rows = order.sort(np.arange(9) * STEP)
    assert rows is None
    assert (ticks == np.arange(9) * STEP).all()
    assert not order.notes


@given(st.permutations(range(12)))
def test_rows_are_sorted(places):
    given_ticks = np.array(places) * STEP // 3
    order = TimeOrder(STEP)
    ticks, rows = order.sort(given_ticks)
    if places == sorted(places):
        assert rows is None
    else:
        assert (given_ticks[rows] == ticks).all()
        assert "results are in your order" in order.notes["unsorted"]
    assert (np.diff(ticks) >= 0).all()


@pytest.mark.parametrize("parts", [1, 7])
def test_an_hour_that_repeats_is_in_order(parts):
    ticks = in_berlin("2025-10-20", 10)
    assert (np.diff(ticks) < 0).sum() == 1
    order, found = TimeOrder(STEP), []
    for part in np.array_split(ticks, parts):
        sorted_ticks, rows = order.sort(part)
        assert rows is None
        found.append(sorted_ticks)
    assert (np.diff(np.concatenate(found)) == STEP).all()
    assert list(order.notes) == ["back"]
    assert f"in row {np.diff(ticks).argmin() + 1}" in order.notes["back"]


def test_the_hour_is_given_back_in_spring():
    ticks, rows = TimeOrder(STEP).sort(in_berlin("2025-10-20", 200))
    assert rows is None
    assert (np.diff(ticks) == STEP).all()


def test_a_row_that_comes_an_hour_late_is_sorted():
    places = [*range(5), *range(6, 17), 5, *range(17, 30)]
    ticks, rows = TimeOrder(STEP).sort(np.array(places) * STEP)
    assert ticks.tolist() == (np.arange(30) * STEP).tolist()
    assert rows is not None


@pytest.mark.parametrize("step", [5, 30, 60])
def test_rows_from_the_latest_to_the_earliest_are_sorted(step):
    given_ticks = np.arange(30)[::-1] * step * MINUTE
    ticks, rows = TimeOrder(step * MINUTE).sort(given_ticks)
    assert rows.tolist() == [*range(29, -1, -1)]
    assert (np.diff(ticks) == step * MINUTE).all()


def test_parts_must_be_in_order():
    order = TimeOrder(STEP)
    order.sort(np.arange(100) * STEP)
    with pytest.raises(InvalidData, match="pass the parts in order of time"):
        order.sort(np.arange(50) * STEP)


def test_without_a_step_rows_are_sorted():
    ticks, rows = TimeOrder(None).sort(np.array([3, 1]))
    assert (ticks.tolist(), rows.tolist()) == ([1, 3], [1, 0])
