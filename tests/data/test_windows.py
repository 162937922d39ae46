"""Windows of a series, and scores per row."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import InvalidData
from isthmus.data.sensor_series import SeriesChunk, as_series, in_container_of
from isthmus.data.windows import per_timestamp, pieces, windows, windows_of

MINUTES = pd.date_range("2024-01-01", periods=8, freq="min")
TABLE = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8)}, index=MINUTES)


def starts(S, width, longest=0):
    found = windows(pieces(as_series(S).chunks(), longest), width)
    return [start + i for start, values in found for i in range(len(values))]


def chunks(rows, sizes, breaks=()):
    at, flags = 0, np.isin(np.arange(len(rows)), breaks)
    for size in sizes:
        if at < len(rows):
            yield SeriesChunk(rows[at : at + size], flags[at : at + size])
        at += size


@pytest.mark.parametrize(
    "S",
    [
        TABLE,
        TABLE.tz_localize("Europe/Paris"),
        TABLE.reset_index(names="at"),
        pl.from_pandas(TABLE.reset_index(names="at")),
        pa.table({"b": range(8), "at": MINUTES, "a": pa.array(np.arange(8.0))}),
    ],
)
def test_a_series_is_read_from_any_table(S):
    series = as_series(S)
    assert sorted(series.sensors) == ["a", "b"]
    assert series.values.shape == (8, 2)
    assert np.diff(series.times).astype("timedelta64[s]").astype(int).tolist() == [60] * 7
    assert series.time(1).minute == 1


def test_arrays_have_no_times():
    series = as_series(np.arange(4))
    assert series.values.shape == (4, 1)
    assert series.times is None
    assert series.time(2) == 2
    assert as_series(TABLE.reset_index(drop=True)).times is None


@pytest.mark.parametrize("gap", [pd.Timedelta("5min"), pd.Timedelta("3D")])
def test_no_window_crosses_a_gap_in_time(gap):
    index = MINUTES[:4].append(MINUTES[4:] + gap)
    assert starts(TABLE.set_index(index), 3) == [0, 1, 4, 5]


def test_irregular_steps_are_no_gaps():
    index = MINUTES + pd.to_timedelta([0, 20, 0, 110, 100, 130, 130, 120], unit="s")
    assert starts(TABLE.set_index(index), 3) == list(range(6))


def test_short_silence_is_filled_and_long_silence_splits():
    rows = np.arange(20.0).reshape(10, 2) ** 2
    rows[3:5, 0] = np.nan
    rows[6:9, 1] = np.nan
    filled, *more = pieces(as_series(rows).chunks(), 2)
    assert filled.rows[2:5, 0].tolist() == pytest.approx([16, 44, 72])
    assert [(p.start, len(p.rows), p.continues) for p in (filled, *more)] == [
        (0, 6, False),
        (9, 1, False),
    ]


def test_nothing_is_filled_before_the_first_or_after_the_last_value_or_over_a_gap():
    rows = np.array([[np.nan], [1.0], [2.0], [np.nan], [4.0], [np.nan]])
    found = list(pieces([SeriesChunk(rows, np.arange(6) == 4)], 3))
    assert [(piece.start, len(piece.rows)) for piece in found] == [(1, 2), (4, 1)]


@given(data=st.data())
def test_chunks_change_nothing(data):
    n = data.draw(st.integers(1, 30))
    cells = st.one_of(st.just(np.nan), st.floats(-9, 9))
    rows = np.array(data.draw(st.lists(st.tuples(cells, cells), min_size=n, max_size=n)))
    breaks = data.draw(st.sets(st.integers(0, n - 1)))
    longest, width = data.draw(st.integers(0, 3)), data.draw(st.integers(1, 4))
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))

    def found(sizes):
        return {
            start + i: values
            for start, block in windows(pieces(chunks(rows, sizes, list(breaks)), longest), width)
            for i, values in enumerate(block.tolist())
        }

    assert found(sizes) == found([n])
    assert all(np.isfinite(values).all() for values in found(sizes).values())


def test_a_filled_row_stays_filled_when_the_chunk_before_it_is_dropped():
    nan = np.nan
    rows = np.array([(0, nan), (nan, 0), (nan, nan), (0, nan), (nan, 0)])
    for sizes in ([5], [1] * 5):
        found = list(pieces(chunks(rows, sizes, []), 2))
        assert np.concatenate([piece.rows for piece in found]).tolist() == [[0, 0]] * 3
        assert found[0].start == 1
        assert all(piece.continues for piece in found[1:])


def test_windows_are_views():
    rows = np.arange(12.0).reshape(6, 2)
    found = windows_of(rows, 3)
    assert np.shares_memory(found, rows)
    assert found.shape == (4, 3, 2)
    assert (found[1] == rows[1:4]).all()


def test_a_row_has_the_mean_of_the_windows_that_cover_it():
    scores = np.array([1.0, 3.0, np.nan, np.nan, np.nan, 5.0, np.nan])
    assert per_timestamp(scores, 2) == pytest.approx([1, 2, 3, np.nan, np.nan, 5, 5], nan_ok=True)
    both = per_timestamp(np.stack([scores, 2 * scores], axis=1), 2)
    assert both[:, 1] == pytest.approx(2 * both[:, 0], nan_ok=True)


@pytest.mark.parametrize(
    "S", [TABLE, TABLE.reset_index(names="at"), TABLE.set_axis([0, 1], axis=1)]
)
@pytest.mark.parametrize("container", ["pandas", "polars", "arrow"])
def test_numbers_come_back_in_the_same_kind_of_table(S, container):
    if container != "pandas":
        S = S.rename(columns=str).reset_index(drop=True)
        S = pl.from_pandas(S) if container == "polars" else pa.Table.from_pandas(S)
    series = as_series(S)
    found = in_container_of(series.values + 0.5, series, S)
    assert type(found) is type(S)
    assert (as_series(found).values == series.values + 0.5).all()
    if container == "pandas":
        assert list(found.columns) == list(S.columns)
        assert found.index.equals(S.index)
        assert S.iloc[1, -1] == 1  # the user's array is unchanged


@pytest.mark.parametrize(
    ("S", "message"),
    [
        ("text", "expected a DataFrame"),
        (np.zeros((2, 2, 2)), r"shape \(timestamps, sensors\)"),
        (np.array([["a", "b"]]), "array of numbers"),
        (TABLE.assign(word="x"), "column 'word' of a series"),
        (TABLE.assign(at=MINUTES), "one index or column of times"),
        (TABLE[::-1], "sort the rows by time"),
        (TABLE.set_index(MINUTES[:7].append(pd.DatetimeIndex([pd.NaT]))), "none in row 7"),
        (TABLE.reset_index(names="at")[["at"]], "at least one row and one sensor"),
    ],
)
def test_what_is_no_series_is_refused(S, message):
    with pytest.raises(InvalidData, match=message):
        as_series(S)


def test_infinities_are_named():
    rows = np.zeros((5, 2))
    rows[3, 1] = np.inf
    with pytest.raises(InvalidData, match="row 3, sensor 1"):
        list(pieces(chunks(rows, [2, 3]), 1))


def test_chunks_of_other_columns_are_refused():
    found = [SeriesChunk(np.zeros((2, width)), np.zeros(2, dtype=bool)) for width in (2, 3)]
    with pytest.raises(InvalidData, match="2 sensors, as in the chunk before"):
        list(pieces(found, 1))
