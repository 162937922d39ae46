"""Series from the user's data, and results in the same container."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from isthmus.core.errors import DataWarning, InvalidData
from isthmus.data.sensor_series import as_series, in_container_of

MINUTES = pd.date_range("2024-01-01", periods=8, freq="min")
TABLE = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8)}, index=MINUTES)
DATED = TABLE.reset_index(names="at")


@pytest.mark.parametrize(
    "S",
    [
        TABLE,
        TABLE.tz_localize("Europe/Paris"),
        TABLE.set_index(MINUTES.astype(str)),
        TABLE.set_index(MINUTES.tz_localize("Asia/Tokyo").astype(str)),
        TABLE.set_index(MINUTES.to_period("min")),
        TABLE.set_index(MINUTES - MINUTES[0] + pd.Timedelta("1min")),
        DATED,
        DATED.astype({"at": str}),
        DATED.astype({"at": "category", "b": str}),
        DATED.assign(at=DATED["at"].dt.tz_localize("Asia/Tokyo")),
        pl.from_pandas(DATED),
        pa.table({"b": range(8), "at": MINUTES, "a": pa.array(np.arange(8.0))}),
        pa.table({"b": range(8), "at": MINUTES.astype(str), "a": pa.array(np.arange(8.0))}),
    ],
)
def test_a_series_is_read_from_any_table(S):
    series = as_series(S)
    assert sorted(series.sensors) == ["a", "b"]
    assert series.rows(slice(None)).tolist() == [[i, i] for i in range(8)]
    assert (np.diff(series.ticks()) == 60_000_000).all()
    assert str(series.time(1)).split(":")[-2:] == ["01", "00"] or series.time(1).seconds == 120


def test_arrays_have_no_times():
    series = as_series(np.arange(4))
    assert series.values.shape == (4, 1)
    assert series.times is None
    assert series.ticks() is None
    assert series.time(2) == 2


@pytest.mark.parametrize("index", [range(8), list("abcdefgh"), np.arange(8.0)])
def test_an_index_of_anything_else_is_no_time(index):
    assert as_series(TABLE.set_axis(index)).times is None


def test_booleans_and_missing_cells_are_numbers():
    S = TABLE.assign(on=[True, False] * 4, gone=None, part=pd.array([1, None] * 4, dtype="Int64"))
    series = as_series(S)
    rows = dict(zip(series.sensors, series.rows(slice(None)).T, strict=True))
    assert rows["on"].tolist() == [1, 0] * 4
    assert np.isnan(rows["gone"]).all()
    assert np.isnan(rows["part"][1::2]).all()


def test_a_column_of_text_is_left_out_with_a_warning():
    S = TABLE.assign(state=["on", "off"] * 4, line=pd.Categorical(["x"] * 8))
    with pytest.warns(DataWarning, match="'state', 'line'.*without these columns"):
        series = as_series(S)
    assert (series.sensors, series.carried) == (("a", "b"), ("state", "line"))
    assert as_series(S, ("a", "b")).sensors == ("a", "b")  # known: no warning


@pytest.mark.parametrize("state", [["1"], ["stop"], [None]])
def test_the_same_columns_are_left_out_of_few_rows(state):
    S = TABLE[:1].assign(state=state)
    assert as_series(S, ("a", "b")).sensors == ("a", "b")


def test_what_is_text_beside_times_is_left_out():
    S = TABLE.assign(day="2024-01-01")
    with pytest.warns(DataWarning, match="'day'"):
        assert as_series(S).times[-1] == MINUTES[-1]


@pytest.mark.parametrize("S", [TABLE, DATED, TABLE.set_axis([0, 1], axis=1)])
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


@pytest.mark.parametrize("rest", [None, 0.0])
def test_other_columns_stay_or_are_replaced(rest):
    S = TABLE.assign(state="on")
    series = as_series(S, ("b",)).pick(np.array([1]))
    assert series.rows(slice(2, 4)).tolist() == [[2], [3]]
    found = in_container_of(np.full((8, 1), 9.0), series, S, rest)
    assert (found["b"] == 9).all()
    assert found[["a", "state"]].equals(S[["a", "state"]]) == (rest is None)
    assert rest is None or (found[["a", "state"]] == rest).all(axis=None)
    array = S[["a", "b"]].to_numpy()
    found = in_container_of(np.full((8, 1), 9.0), as_series(array).pick(np.array([1])), array, rest)
    assert found[:, 0].tolist() == (array[:, 0].tolist() if rest is None else [rest] * 8)


@pytest.mark.parametrize(
    ("S", "message"),
    [
        ("text", "expected a DataFrame"),
        (np.zeros((2, 2, 2)), r"shape \(timestamps, sensors\)"),
        (np.array([["a", "b"]]), "array of numbers"),
        (TABLE.assign(word=list("abcdefgh")), "column 'word' of a series.*to_datetime"),
        (TABLE.assign(at=MINUTES), "one index or column of times"),
        (TABLE.set_index(MINUTES[:7].append(pd.DatetimeIndex([pd.NaT]))), "the first in row 7"),
        (DATED.assign(at=[*MINUTES[:3], pd.NaT, *MINUTES[4:]]), "'at': .* 1 missing"),
        (DATED[["at"]], "at least one row and one sensor"),
        (TABLE[:0], "at least one row and one sensor"),
    ],
)
def test_what_is_no_series_is_refused(S, message):
    with pytest.raises(InvalidData, match=message):
        as_series(S)


def test_a_sensor_that_became_text_is_refused():
    with pytest.raises(InvalidData, match="column 'b' of a series"):
        as_series(TABLE.assign(b="broken"), ("a", "b"))
