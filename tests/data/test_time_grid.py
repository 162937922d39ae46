"""Rows of a series on a grid of time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import InvalidArchive, InvalidData
from isthmus.data.sensor_series import as_series
from isthmus.data.time_grid import TimeGrid, usual_step

MINUTE = 60e6
START = np.datetime64("2024-01-01", "us")


def table(minutes, values=None):
    values = np.arange(len(minutes), dtype=float) if values is None else values
    times = START + np.round(np.asarray(minutes) * MINUTE).astype("timedelta64[us]")
    return pd.DataFrame({"a": values}, index=times)


def grid(longest=3, step=MINUTE, sensors=1):
    return TimeGrid(step, longest, np.ones(sensors, dtype=np.int64))


def placed(parts, **settings):
    found = grid(**settings).place([as_series(part) for part in parts])
    chunks = list(found.chunks())
    rows = np.concatenate([chunk.rows for chunk in chunks])
    return found, rows, np.concatenate([chunk.breaks for chunk in chunks])


def slots(minutes, **settings):
    """Return the slot of each row."""
    found, rows, _ = placed([table(minutes)], **settings)
    return found.per_row(np.arange(len(rows), dtype=float)).astype(int).tolist()


def test_rows_without_times_are_evenly_spaced():
    found, rows, breaks = placed([np.arange(6.0)], step=None)
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert not breaks.any()
    assert (found.rows, found.slots) == (6, 6)


def test_empty_slots_are_missing_and_long_gaps_are_breaks():
    found, rows, breaks = placed([table([0, 1, 4, 5, 99, 100])])
    np.testing.assert_array_equal(rows[:, 0], [0, 1, np.nan, np.nan, 2, 3, 4, 5])
    assert np.flatnonzero(breaks).tolist() == found.breaks().tolist() == [6]
    assert found.measured().tolist() == [0, 1, 4, 5, 6, 7]
    assert found.places(10).tolist() == [0, 1, 4, 5, 16, 17]


def test_rows_of_one_slot_are_averaged():
    found, rows, _ = placed([table([0, 1, 1, 1.2, 2], [0, 3, np.nan, 5, 1])])
    assert rows[:, 0].tolist() == [0, 4, 1]
    scores = found.per_row(np.array([10.0, 20.0, 30.0]))
    np.testing.assert_array_equal(scores, [10, 20, np.nan, 20, 30])


def test_a_clock_that_jitters_or_drifts_is_regular():
    random = np.random.default_rng(0)
    jitter = np.arange(500) + random.uniform(-0.24, 0.24, 500)
    drift = np.cumsum(np.full(500, 1.1))
    wander = np.cumsum(random.uniform(0.8, 1.2, 500))
    for minutes in (jitter, drift, wander):
        assert slots(minutes) == list(range(500))


@given(st.lists(st.floats(0.01, 3.9), min_size=1, max_size=60))
def test_slots_follow_time(steps):
    minutes = np.concatenate([[0.0], np.cumsum(steps)])
    found = np.array(slots(minutes))
    assert (np.diff(found) >= 0).all()
    # Each step in time loses at most a quarter of a step, the others half a step in all.
    assert abs(found[-1] - minutes[-1]) <= 0.25 * len(steps) + 1


@given(
    st.lists(
        st.sampled_from([0.0, 0.3, 0.5, 1.0, 1.0, 1.1, 2.0, 3.0, 4.6, 50.0]),
        min_size=1,
        max_size=40,
    ),
    st.data(),
)
def test_parts_change_nothing(steps, data):
    minutes = np.concatenate([[0.0], np.cumsum(steps)])
    values = np.where(np.arange(len(minutes)) % 5 == 3, np.nan, np.arange(len(minutes)))
    whole = table(minutes, values)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=5)))
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    one, other = placed([whole]), placed(parts)
    np.testing.assert_allclose(one[1], other[1])
    np.testing.assert_array_equal(one[2], other[2])
    numbers = np.arange(len(one[1]), dtype=float)
    np.testing.assert_array_equal(one[0].per_row(numbers), other[0].per_row(numbers))
    assert one[0].measured().tolist() == other[0].measured().tolist()


def test_small_chunks_change_nothing(monkeypatch):
    from isthmus.data import time_grid

    minutes = np.cumsum(np.random.default_rng(1).choice([0, 0.4, 1, 2, 9], 300))
    whole = placed([table(minutes)])[1]
    monkeypatch.setattr(time_grid, "_CHUNK_CELLS", 7)
    np.testing.assert_allclose(placed([table(minutes)])[1], whole)


def test_unsorted_rows_keep_their_results():
    minutes = np.array([4, 0, 2, 1, 3])
    found, rows, _ = placed([table(minutes, minutes)])
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert found.per_row(np.arange(5.0)).tolist() == minutes.tolist()
    assert found.in_order().tolist() == [1, 3, 2, 4, 0]
    with pytest.warns(UserWarning, match="row 1 is earlier than row 0"):
        found.warn()


def test_the_step_of_each_series_counts_if_none_was_learned():
    assert slots([0, 10, 20, 40], step=None) == [0, 1, 2, 4]
    assert slots([0, 10, 20, 40]) == [0, 1, 2, 3]  # breaks: the step is a minute


def test_the_usual_step_is_the_median():
    assert usual_step(np.array([0, 10, 20, 20, 20, 90])) == 10
    assert usual_step(np.array([5, 5])) is None
    assert slots([3, 3, 3], step=None) == [0, 1, 2]


def test_gaps_of_years_take_no_memory():
    found, rows, breaks = placed([table([0, 1, 5e8])], step=1e3)
    assert (len(rows), found.slots, int(breaks.sum())) == (3, 3, 2)


def test_infinities_are_named_by_the_users_row():
    with pytest.raises(InvalidData, match="row 3, sensor 0"):
        placed([np.zeros(2), np.array([0, np.inf])])
    with pytest.raises(InvalidData, match="row 1, sensor 0"):
        placed([table([2, 0, 1], [0, np.inf, 0])])


def test_a_memory_map_is_read_in_chunks(tmp_path):
    stored = np.memmap(tmp_path / "rows", np.float32, "w+", shape=(400_000, 3))
    chunks = grid(step=None, sensors=3).place([as_series(stored)]).chunks()
    sizes = [len(chunk.rows) for chunk in chunks]
    assert sum(sizes) == 400_000
    assert len(sizes) > 2


def test_a_grid_is_stored():
    made = TimeGrid(MINUTE, 4, np.array([1, 6]))
    arrays = made.to_arrays()
    again = TimeGrid.from_arrays(arrays, 2)
    assert (again.step, again.longest_gap) == (MINUTE, 4)
    assert again.longest_gaps.tolist() == [4, 24]
    assert TimeGrid.from_arrays(grid(step=None).to_arrays(), 1).step is None
    for name, value in (
        ("step", np.array([-1.0])),
        ("gap", np.array([-1])),
        ("every", np.array([1, 0])),
        ("every", np.array([1, 2**40])),
    ):
        with pytest.raises(InvalidArchive):
            TimeGrid.from_arrays({**arrays, name: value}, 2)
