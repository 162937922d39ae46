"""Tables with several units: from the user's order to units in order of time, and back."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import DataWarning, InvalidData, SchemaMismatch
from isthmus.data.fleet import as_fleet, unit_column, without_units
from isthmus.data.time_grid import TimeGrid, usual_step
from isthmus.data.windows import pieces, windows


def placed(fleet):
    """Return the units of a fleet on a grid that fills gaps of one row."""
    series = fleet.whole(fleet.values)
    grid = TimeGrid(usual_step(series.ticks(), series.starts), 1, np.ones(1, dtype=np.int64))
    return grid.place([series])


MINUTE = np.timedelta64(60, "s")


def table(counts=(4, 3), seed=None):
    """Return units a, b, ... with a row each minute, whose sensor counts the rows."""
    parts = [
        pd.DataFrame(
            {
                "unit": chr(97 + unit),
                "at": np.datetime64("2026-01-01", "us") + np.arange(count) * MINUTE,
                "x": 100.0 * unit + np.arange(count),
            }
        )
        for unit, count in enumerate(counts)
    ]
    whole = pd.concat(parts, ignore_index=True)
    return whole if seed is None else whole.sample(frac=1, random_state=seed)


CONTAINERS = {
    "pandas": lambda frame: frame,
    "categories": lambda frame: frame.astype({"unit": "category"}),
    "polars": pl.from_pandas,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "chunks": lambda frame: pa.concat_tables(
        pa.Table.from_pandas(part, preserve_index=False) for part in (frame[:3], frame[3:])
    ),
    "index": lambda frame: frame.set_index(["unit", "at"]),
}


@pytest.mark.parametrize("convert", CONTAINERS.values(), ids=list(CONTAINERS))
def test_rows_are_put_in_order_of_units_and_times(convert):
    given_rows = table(seed=3)
    fleet = as_fleet(convert(given_rows), "unit")
    assert fleet.names == ("a", "b")
    assert fleet.sensors == ("x",)
    assert fleet.bounds.tolist() == [0, 4, 7]
    assert fleet.values[:, 0].tolist() == [0, 1, 2, 3, 100, 101, 102]
    assert fleet.in_user_order(fleet.values)[:, 0].tolist() == given_rows["x"].tolist()
    assert str(fleet.time(6)) == "2026-01-01 00:02:00"


def test_without_times_rows_keep_their_order():
    fleet = as_fleet(table()[["x", "unit"]].iloc[[4, 2, 5, 0]], "unit")
    assert fleet.values[:, 0].tolist() == [2, 0, 100, 101]
    assert [fleet.time(row) for row in range(4)] == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("units", "names"),
    [([10, 9, 10], (9, 10)), ([2.0, 1.0, 2.0], (1, 2)), (["007", "7", "x"], ("007", "7", "x"))],
)
def test_units_are_text_or_integers(units, names):
    assert as_fleet(pd.DataFrame({"unit": units, "x": [1.0, 2.0, 3.0]}), "unit").names == names


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    width=st.integers(2, 5),
    timed=st.booleans(),
    seed=st.integers(0, 9),
)
def test_no_window_contains_rows_of_two_units(counts, width, timed, seed):
    frame = table(counts, seed)
    fleet = as_fleet(frame if timed else frame.drop(columns="at"), "unit")
    found = [
        rows[:, 0]
        for _, block in windows(pieces(placed(fleet).chunks(), 1), width)
        for rows in block
    ]
    assert all(len(set(rows // 100)) == 1 for rows in found)
    assert len(found) == sum(max(0, count - width + 1) for count in counts)


def test_gaps_in_time_are_those_within_units():
    frame = table((6, 6)).drop(index=[3, 4])
    frame.loc[frame["unit"] == "b", "at"] += np.timedelta64(900, "D")
    fleet = as_fleet(frame.drop(index=1), "unit")
    series = placed(fleet)
    breaks = np.concatenate([each.breaks for each in series.chunks()])
    assert np.flatnonzero(breaks).tolist() == [3, 4]  # the gap of one row is filled
    assert series.begins().tolist() == [0, 4]
    frame = table((6, 6))
    frame.loc[3:5, "at"] += np.timedelta64(1, "h")
    fleet = as_fleet(frame, "unit")
    breaks = np.concatenate([each.breaks for each in placed(fleet).chunks()])
    assert np.flatnonzero(breaks).tolist() == [3, 6]


def in_local_time(frame, hours_before):
    """Return the table with local times of which an hour repeats after some hours."""
    start = pd.Timestamp("2025-10-26 01:00", tz="UTC") - pd.Timedelta(hours=hours_before)
    aware = start + (frame["at"] - frame["at"].min())
    return frame.assign(at=aware.dt.tz_convert("Europe/Paris").dt.tz_localize(None))


def test_an_hour_that_repeats_in_local_time_is_in_order():
    frame = table((300, 200, 90))
    with pytest.warns(DataWarning, match=r"go back by an hour.*: 2 of 3, 'a', 'b'"):
        fleet = as_fleet(in_local_time(frame, hours_before=2), "unit")
    assert (fleet.values[:, 0] == frame["x"]).all()
    series = placed(fleet)
    assert sum(int(each.breaks.sum()) for each in series.chunks()) == 2  # between the units
    assert series.slots == len(frame)
    assert str(fleet.time(120)) == "2025-10-26 02:00:00"  # for the second time


def test_each_unit_has_its_own_clock():
    # The hour that is missing in b must not be taken for that which a has repeated.
    frame = in_local_time(table((300, 100)), hours_before=2)
    late = frame.index[frame["unit"] == "b"][50:]
    frame.loc[late, "at"] += pd.Timedelta(hours=1)
    with pytest.warns(DataWarning, match="1 of 2, 'a'"):
        series = placed(as_fleet(frame, "unit"))
    breaks = np.concatenate([each.breaks for each in series.chunks()])
    assert np.flatnonzero(breaks).tolist() == [300, 350]


@pytest.mark.parametrize("step", [1, 30, 60])
def test_units_from_the_latest_row_to_the_earliest_are_sorted(step):
    frame = table((6, 5))
    frame["at"] = frame["at"].min() + step * (frame["at"] - frame["at"].min())
    fleet = as_fleet(frame[::-1], "unit")
    assert fleet.values[:, 0].tolist() == frame["x"].tolist()


def test_units_are_selected():
    fleet = as_fleet(table((2, 3, 4)), "unit").select(np.array([0, 2]))
    assert fleet.names == ("a", "c")
    assert fleet.counts.tolist() == [2, 4]
    assert fleet.values[:, 0].tolist() == [0, 1, 200, 201, 202, 203]
    assert fleet.half_of_rows.tolist() == [0, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (np.zeros((9, 2)), InvalidData, "a table with the column 'unit'"),
        (table().drop(columns="unit"), SchemaMismatch, "received 'at', 'x'"),
        (table().replace({"unit": {"b": None}}), InvalidData, "3 missing, the first in row 4"),
        (table().assign(unit=0.5), InvalidData, "text or integers"),
        (table().assign(unit=pd.Timestamp(0)), InvalidData, "text or integers"),
        (table().replace({"x": {101.0: np.inf}}), InvalidData, "row 5, sensor 'x' of unit 'b'"),
        (table().assign(at=pd.NaT), InvalidData, "missing"),
        (table()[["unit"]], InvalidData, "one sensor"),
    ],
)
def test_other_tables_are_refused(rows, error, message):
    with pytest.raises(error, match=message):
        as_fleet(rows, "unit")


@pytest.mark.parametrize("convert", CONTAINERS.values(), ids=list(CONTAINERS))
def test_the_column_of_units_is_told_from_the_others(convert):
    rows = convert(table())
    assert unit_column(rows, "unit").to_pylist() == [*"aaaabbb"]
    left = without_units(rows, "unit")
    assert "unit" not in getattr(left, "column_names", left.columns)
