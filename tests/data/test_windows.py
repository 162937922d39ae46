"""Windows of a series, and scores per row."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import InvalidData
from isthmus.data.sensor_series import as_series
from isthmus.data.time_grid import SeriesChunk, TimeGrid
from isthmus.data.windows import per_timestamp, pieces, windows, windows_of

MINUTES = pd.date_range("2024-01-01", periods=8, freq="min")
TABLE = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8)}, index=MINUTES)


def read(S, longest=0):
    series = as_series(S)
    return TimeGrid(None, longest, np.ones(series.width, dtype=np.int64)).place([series]).chunks()


def starts(S, width, longest=0):
    found = windows(pieces(read(S, longest), longest), width)
    return [start + i for start, values in found for i in range(len(values))]


def chunks(rows, sizes, breaks=()):
    at, flags = 0, np.isin(np.arange(len(rows)), breaks)
    for size in sizes:
        if at < len(rows):
            yield SeriesChunk(rows[at : at + size], flags[at : at + size])
        at += size


@pytest.mark.parametrize("gap", [pd.Timedelta("2min"), pd.Timedelta("3D")])
def test_no_window_crosses_a_gap_in_time(gap):
    index = MINUTES[:4].append(MINUTES[4:] + gap)
    assert starts(TABLE.set_index(index), 3) == [0, 1, 4, 5]
    assert starts(TABLE.set_index(index), 3, 2) == (
        [*range(8)] if gap < pd.Timedelta("1h") else [0, 1, 4, 5]
    )


def test_jitter_is_no_gap():
    index = MINUTES + pd.to_timedelta([0, 9, -5, 12, 10, -9, 10, 0], unit="s")
    assert starts(TABLE.set_index(index), 3) == list(range(6))


def test_short_silence_is_filled_and_long_silence_splits():
    rows = np.arange(20.0).reshape(10, 2) ** 2
    rows[3:5, 0] = np.nan
    rows[6:9, 1] = np.nan
    filled, *more = pieces(read(rows, 2), 2)
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
    width, partial = data.draw(st.integers(1, 4)), data.draw(st.booleans())
    longest = np.array([data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))])
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))

    def found(sizes):
        return {
            start + i: values
            for start, block in windows(
                pieces(chunks(rows, sizes, list(breaks)), longest, partial=partial), width
            )
            for i, values in enumerate(block.tolist())
        }

    one, other = found(sizes), found([n])
    assert list(one) == list(other)
    for start, values in one.items():
        np.testing.assert_array_equal(values, other[start])
        assert np.isfinite(values).any(axis=1).all()
        assert partial or np.isfinite(values).all()


def test_a_filled_row_stays_filled_when_the_chunk_before_it_is_dropped():
    nan = np.nan
    rows = np.array([(0, nan), (nan, 0), (nan, nan), (0, nan), (nan, 0)])
    for sizes in ([5], [1] * 5):
        found = list(pieces(chunks(rows, sizes, []), 2))
        assert np.concatenate([piece.rows for piece in found]).tolist() == [[0, 0]] * 3
        assert found[0].start == 1
        assert all(piece.continues for piece in found[1:])


def test_sensors_have_gaps_of_their_own():
    rows = np.zeros((9, 2))
    rows[1:3, 0] = rows[1:3, 1] = np.nan
    (first, second) = pieces(chunks(rows, [9]), np.array([2, 1]))
    assert (first.start, len(first.rows), second.start) == (0, 1, 3)
    (whole,) = pieces(chunks(rows, [9]), np.array([2, 1]), partial=True)
    assert np.isnan(whole.rows).sum(axis=0).tolist() == [0, 2]
    assert whole.measured.tolist() == [True, False, False, *[True] * 6]


def test_a_partial_row_still_has_a_value():
    rows = np.zeros((9, 2))
    rows[3:6] = np.nan
    assert [piece.start for piece in pieces(chunks(rows, [9]), 1, partial=True)] == [0, 6]


def test_windows_with_hardly_a_measured_row_are_left_out():
    rows = np.zeros((60, 1))
    rows[1:59] = np.nan
    assert starts(rows, 20, 60) == []
    assert starts(rows, 10, 60) == [0, 50]


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


def test_chunks_of_other_columns_are_refused():
    found = [SeriesChunk(np.zeros((2, width)), np.zeros(2, dtype=bool)) for width in (2, 3)]
    with pytest.raises(InvalidData, match="2 sensors, as in the chunk before"):
        list(pieces(found, 1))
