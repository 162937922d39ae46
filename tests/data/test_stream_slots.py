"""Slots of a series as its rows arrive, against those of the whole series."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import InvalidArchive
from isthmus.data.sensor_series import as_series
from isthmus.data.stream_slots import StreamRow, StreamSlots
from isthmus.data.time_grid import TimeGrid
from isthmus.data.windows import pieces

START = pd.Timestamp("2026-01-01")
MINUTE = 60e6


@st.composite
def cases(draw, most_rows=40):
    """Return a grid, rows with missing cells, and their times in microseconds or None."""
    n, sensors = draw(st.integers(1, most_rows)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    rows = random.standard_normal((n, sensors))
    for sensor in range(sensors):
        start = 0
        while start < n:  # runs of measured and of missing cells
            start += int(random.integers(0, 6))
            length = int(random.integers(0, draw(st.sampled_from([2, 5, 12]))))
            rows[start : start + length, sensor] = np.nan
            start += length
    every = np.array(draw(st.lists(st.integers(1, 3), min_size=sensors, max_size=sensors)))
    grid = TimeGrid(MINUTE, draw(st.integers(0, 4)), every)
    if draw(st.booleans()):
        return grid, rows, None
    steps = random.choice([0, 0.1, 0.9, 1, 1, 1, 1, 1, 1.1, 1.5, 2, 3, 5, 9], n)
    return grid, rows, np.cumsum(steps * MINUTE).astype(np.int64)


def taken(slots, rows, ticks, start=0):
    found = []
    for number in range(start, len(rows)):
        tick = 0 if ticks is None else int(ticks[number])
        row = StreamRow(number, tick, not np.isnan(rows[number]).all())
        found += slots.take(row, rows[number].copy())
    return found


def whole(grid, rows, ticks):
    """Return the cells of each slot of the whole series, and the slots after a gap."""
    table = pd.DataFrame(rows, columns=[f"s{i}" for i in range(rows.shape[1])])
    if ticks is not None:
        table.index = START + pd.to_timedelta(ticks, "us")
    placed = grid.place([as_series(table)])
    values = np.full((0, rows.shape[1]), np.nan)
    for piece in pieces(placed.chunks(), grid.longest_gaps, partial=True):
        missing = piece.start - len(values)
        values = np.concatenate([values, np.full((missing, rows.shape[1]), np.nan), piece.rows])
    missing = placed.slots - len(values)
    values = np.concatenate([values, np.full((missing, rows.shape[1]), np.nan)])
    return values, placed.breaks(), placed.slot_of_rows()


@given(cases())
def test_slots_are_those_of_the_whole_series(case):
    grid, rows, ticks = case
    found = taken(StreamSlots(grid, timed=ticks is not None), rows, ticks)
    values, breaks, slots = whole(grid, rows, ticks)
    gaps = [number + 1 for number, slot in enumerate(found) if slot.before_gap]
    assert gaps == [number for number in breaks if number <= len(found)]
    for number, slot in enumerate(found):
        np.testing.assert_allclose(slot.values, values[number], rtol=1e-9, atol=1e-12)
        assert [row.number for row in slot.rows] == np.flatnonzero(slots == number).tolist()
        assert slot.measured == any(not np.isnan(rows[row.number]).all() for row in slot.rows)


@given(cases())
def test_only_cells_that_may_be_filled_are_waited_for(case):
    grid, rows, ticks = case
    found = taken(StreamSlots(grid, timed=ticks is not None), rows, ticks)
    _, _, slots = whole(grid, rows, ticks)
    late = slots[-1] + 1 - len(found)
    assert late <= int(grid.longest_gaps.max()) + (ticks is not None)
    if not np.isnan(rows).any() and ticks is None:
        assert late == 0


@given(cases(), st.data())
def test_a_stream_goes_on_from_its_arrays(case, data):
    grid, rows, ticks = case
    cut = data.draw(st.integers(1, len(rows)))
    slots = StreamSlots(grid, timed=ticks is not None)
    expected = taken(slots, rows[:cut], ticks)
    arrays = slots.to_arrays()
    expected += taken(slots, rows, ticks, cut)
    again = StreamSlots(grid, timed=ticks is not None)
    again.restore(arrays)
    for name, array in again.to_arrays().items():
        np.testing.assert_array_equal(array, arrays[name])
    found = taken(again, rows, ticks, cut)
    for slot, other in zip(found, expected[len(expected) - len(found) :], strict=True):
        np.testing.assert_array_equal(slot.values, other.values)
        assert slot[1:] == other[1:]


@pytest.mark.parametrize("timed", [True, False])
def test_arrays_that_no_stream_has_are_refused(timed):
    grid = TimeGrid(MINUTE, 3, np.ones(2, dtype=np.int64))
    rows = np.array([[1, 2], [1, np.nan], [1, np.nan]])
    slots = StreamSlots(grid, timed=timed)
    ticks = np.arange(3) * int(MINUTE) if timed else None
    taken(slots, rows, ticks)
    arrays = slots.to_arrays()
    changes = {
        "clock": [arrays["clock"] + 1, -np.ones(3, dtype=np.int64)],
        "missing": [np.array([0, 3]), np.array([0, -1]), np.array([0.0, 2.0])],
        "waiting_values": [np.full_like(arrays["waiting_values"], np.inf)],
        "waiting_slots": [arrays["waiting_slots"] + 2],
        "waiting_rows": [arrays["waiting_rows"] - 9],
        "last": [np.array([np.inf, 1]), np.array([np.nan, np.nan, 1])],
    }
    if timed:
        changes["open_rows"] = [arrays["open_rows"][:0]]
    for name, wrong in changes.items():
        for array in wrong:
            with pytest.raises(InvalidArchive, match="the archive's stream"):
                StreamSlots(grid, timed=timed).restore({**arrays, name: array})
    for name in arrays:
        with pytest.raises(InvalidArchive, match="the archive's stream"):
            StreamSlots(grid, timed=timed).restore(
                {**arrays, name: np.array(0, arrays[name].dtype)}
            )
        with pytest.raises(InvalidArchive, match="the archive's stream"):
            StreamSlots(grid, timed=timed).restore({n: a for n, a in arrays.items() if n != name})
