"""Conversion of tables to a network's matrix and back, in every container."""

import datetime as dt
import decimal
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_iris, load_wine

from isthmus.core.errors import DataWarning, InvalidArchive, InvalidData, SchemaMismatch
from isthmus.core.types import Segment
from isthmus.data.schema import infer_schema, schema_from_config

N = 60


def people(missing: bool = False) -> pd.DataFrame:
    """One column of every learned kind, with pandas types."""
    rng = np.random.default_rng(0)
    days = pd.to_timedelta(rng.integers(0, 9000, N), unit="D")
    frame = pd.DataFrame(
        {
            "height": rng.normal(170, 10, N),
            "weight": rng.normal(70, 9, N).astype(np.float32),
            "visits": rng.integers(0, 2**20, N),
            "level": rng.integers(-100, 100, N).astype(np.int8),
            "score": pd.array(rng.integers(0, 9, N), dtype="Int64"),
            "member": rng.random(N) > 0.5,
            "checked": pd.array(rng.random(N) > 0.5, dtype="boolean"),
            "town": rng.choice(["Ulm", "Bonn", "Köln"], N),
            "sort": pd.array(rng.choice(["a", "b"], N), dtype="string"),
            "size": pd.Categorical(rng.choice(["S", "L"], N), ["S", "M", "L"], ordered=True),
            "grade": pd.Categorical(rng.choice([3, 1], N)),
            "born": pd.Timestamp("1999-01-01") + days,
            "seen": pd.Timestamp("2020-01-01", tz="Europe/Berlin") + days / 24,
            "took": pd.to_timedelta(rng.integers(0, 9000, N), unit="s"),
            "day": [dt.date(2020, 1, 1) + dt.timedelta(int(k)) for k in rng.integers(0, 900, N)],
            "opens": [dt.time(int(k), 30) for k in rng.integers(0, 24, N)],
            "price": [decimal.Decimal(int(k)) / 100 for k in rng.integers(0, 9000, N)],
        },
        index=np.arange(N) * 3 + 100,
    )
    if missing:
        for name in frame.columns:
            if frame[name].dtype.kind not in "iub" or name in ("score", "checked"):
                frame.loc[rng.random(N) < 0.2, name] = None
    return frame


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("missing", [False, True])
def test_pandas_comes_back_with_values_names_types_and_index(missing):
    frame = people(missing)
    schema = schema_from_config(json.loads(json.dumps(infer_schema(frame).to_config())))
    matrix = schema.to_matrix(frame)
    assert matrix.dtype == np.float32
    assert matrix.shape == (N, *schema.sample_shape)
    assert_same(schema.from_matrix(matrix, like=frame), frame)


def test_missing_cells_are_nan_in_the_whole_segment_and_filled_by_what_the_network_says():
    frame = people(missing=True)
    schema = infer_schema(frame)
    matrix = schema.to_matrix(frame)
    for segment in schema.segments:
        absent = np.isnan(matrix[:, segment.start : segment.stop])
        np.testing.assert_array_equal(absent.any(axis=1), frame[segment.name].isna())
        np.testing.assert_array_equal(absent.all(axis=1), frame[segment.name].isna())
    filled = schema.from_matrix(np.nan_to_num(matrix, nan=0.3), like=frame)
    assert not filled.isna().any().any()
    assert filled.dtypes.to_dict() == frame.dtypes.to_dict()


@pytest.mark.parametrize("missing", [False, True])
def test_polars_comes_back(missing):
    frame = pl.from_pandas(people(missing)).with_columns(
        pl.col("town").cast(pl.Categorical), pl.col("sort").cast(pl.Enum(["b", "a"]))
    )
    schema = infer_schema(frame)
    matrix = schema.to_matrix(frame)
    back = schema.from_matrix(matrix, like=frame)
    assert back.schema == frame.schema
    floats = ["height", "weight"]
    assert back.drop(floats).equals(frame.drop(floats))
    assert_same(back.select(floats).to_pandas(), frame.select(floats).to_pandas())
    # Without the frame, an Enum cannot be distinguished from a Categorical.
    alone = schema.from_matrix(matrix)
    assert alone.drop("sort").equals(back.drop("sort"))
    assert alone["sort"].cast(str).equals(frame["sort"].cast(str))


@pytest.mark.parametrize("missing", [False, True])
def test_arrow_comes_back_even_in_chunks(missing):
    table = pa.Table.from_pandas(people(missing), preserve_index=False)
    table = pa.concat_tables([table.slice(0, 7), table.slice(7)])
    schema = infer_schema(table)
    back = schema.from_matrix(schema.to_matrix(table), like=table)
    assert back.schema == table.schema
    for name in table.column_names[2:]:
        assert back.column(name).to_pylist() == table.column(name).to_pylist()


COLUMNS = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**22), 2**22)), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=4, max_size=4),
    st.lists(
        st.one_of(st.none(), st.dates(dt.date(1700, 1, 1), dt.date(2300, 1, 1))),
        min_size=4,
        max_size=4,
    ),
).filter(lambda cells: any(cell is not None for cell in cells))


@settings(max_examples=200)
@given(st.lists(COLUMNS, min_size=1, max_size=4))
def test_whole_numbers_words_and_dates_come_back_exactly(columns):
    table = pa.table({f"c{i}": cells for i, cells in enumerate(columns)})
    schema = infer_schema(table)
    found = schema.from_matrix(schema.to_matrix(table), like=table)
    constant = {field.name for field in schema.fields if field.kind == "constant"}
    for name in table.column_names:
        expected = table.column(name).to_pylist()
        if name in constant:  # a missing cell of a constant column is filled
            expected = [next(cell for cell in expected if cell is not None)] * 4
        assert found.column(name).to_pylist() == expected


@pytest.mark.parametrize("load", [load_iris, load_wine, load_diabetes])
def test_bundled_sets_with_mixed_columns_and_cells_removed(load):
    frame = load(as_frame=True).frame
    rng = np.random.default_rng(0)
    frame["place"] = rng.choice(["north", "south"], len(frame))
    frame["when"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        rng.integers(0, 999, len(frame)), unit="D"
    )
    for name in frame.columns.drop("target"):
        frame.loc[rng.random(len(frame)) < 0.1, name] = None
    schema = infer_schema(frame)
    assert schema.values == "mixed"
    assert_same(schema.from_matrix(schema.to_matrix(frame), like=frame), frame)


def test_segments_lie_in_the_order_of_the_columns():
    table = pa.table({"a": [1, 2], "b": [True, False], "c": ["x", "y"], "d": [0.5, 0.1]})
    schema = infer_schema(table)
    assert schema.columns == ("a", "b", "c", "d")
    assert schema.segments == (
        Segment("a", "numeric", 0, 1),
        Segment("b", "binary", 1, 2),
        Segment("c", "categorical", 2, 4),
        Segment("d", "numeric", 4, 5),
    )
    assert schema.sample_shape == (5,)
    assert not schema.is_image


@pytest.mark.parametrize(
    ("scale", "values"), [("auto", "real"), ("robust", "real"), ("none", "real"), ("range", "unit")]
)
def test_tables_of_numbers(scale, values):
    frame = load_iris(as_frame=True).data
    schema = infer_schema(frame, scale=scale)
    matrix = schema.to_matrix(frame)
    assert schema.values == values
    assert_same(schema.from_matrix(matrix, like=frame), frame)
    if scale == "range":
        assert (matrix.min(), matrix.max()) == (0, 1)
    array = schema.from_matrix(schema.to_matrix(frame.to_numpy()), like=frame.to_numpy())
    assert isinstance(array, np.ndarray)
    np.testing.assert_allclose(array, frame.to_numpy(), rtol=1e-5, atol=1e-6)


def test_constants_are_kept_aside_and_identifiers_passed_through():
    frame = people().assign(
        one=1, pi=3.14, land="DE", since=dt.date(2020, 1, 1), code=[f"no {i}" for i in range(N)]
    )
    frame["lone"] = pd.Categorical(["x"] * N)
    with pytest.warns(DataWarning, match=r"'code'.*passed through"):
        schema = infer_schema(frame)
    matrix = schema.to_matrix(frame)
    aside = {"one", "pi", "land", "since", "code", "lone"}
    assert aside.isdisjoint(segment.name for segment in schema.segments)
    assert_same(schema.from_matrix(matrix, like=frame), frame)
    assert schema.from_matrix(matrix)["code"].isna().all()
    assert (schema.from_matrix(matrix)["pi"] == 3.14).all()


def test_values_that_fit_did_not_see_are_missing_cells_with_one_warning():
    seen = pa.table({"a": [1, 2, 3], "b": [5, 5, 5], "c": ["x", "x", "x"], "d": ["u", "v", "v"]})
    schema = infer_schema(seen)
    new = pa.table({"a": [1, 2, 3], "b": [5, 6, 7], "c": ["x", "x", "y"], "d": ["u", "w", "v"]})
    with pytest.warns(DataWarning) as record:
        matrix = schema.to_matrix(new)
    assert len(record) == 1
    message = str(record[0].message)
    for part in ("'b' in 2 rows (such as '6')", "'c' in 1 row (such as 'y')", "'d' in 1 row"):
        assert part in message
    np.testing.assert_array_equal(np.isnan(matrix).any(axis=1), [False, True, False])


@pytest.mark.filterwarnings("ignore::isthmus.core.errors.DataWarning")
def test_what_a_matrix_does_not_show_is_observed():
    seen = pa.table({"a": [1.0, 2.0, 3.0], "b": [5, 5, 5], "d": ["u", "v", "v"], "e": pa.nulls(3)})
    new = pa.table({"a": [np.nan, 2], "b": [None, 9], "d": [None, "w"], "e": [None, 4]})
    observed = infer_schema(seen).observe(new)
    assert observed.missing.tolist() == [[True] * 4, [False] * 4]
    assert observed.unseen.tolist() == [[False] * 4, [False, True, True, True]]


def test_values_that_fit_did_not_see_can_be_refused():
    schema = infer_schema(pa.table({"a": [1, 2], "c": ["x", "x"]}), unknown="error")
    with pytest.raises(SchemaMismatch, match=r"column 'c', row 0: expected one of 'x'"):
        schema.to_matrix(pa.table({"a": [1], "c": ["y"]}))
    again = schema_from_config(schema.to_config())
    with pytest.raises(SchemaMismatch, match=r"use unknown='warn', or fit again"):
        again.to_matrix(pa.table({"a": [1], "c": ["y"]}))


@pytest.mark.parametrize("text", [["1", "2.5", None], [" 1", "2.5 ", None]])
def test_numbers_that_come_as_text_are_parsed(text):
    schema = infer_schema(pa.table({"a": [1.0, 2.5, 4.0]}))
    expected = schema.to_matrix(pa.table({"a": [1.0, 2.5, None]}))
    for kind in (pa.string(), pa.dictionary(pa.int32(), pa.string())):
        given = pa.table({"a": pa.array(text).cast(kind)})
        np.testing.assert_array_equal(schema.to_matrix(given), expected)
    with pytest.raises(SchemaMismatch, match="column 'a': expected numbers"):
        schema.to_matrix(pa.table({"a": ["1", "two"]}))


@pytest.mark.parametrize("empty", [pa.nulls(3), pa.array([np.nan] * 3), pa.nulls(3, pa.string())])
def test_empty_columns_are_passed_through(empty):
    table = pa.table({"a": [1.0, 2.0, 3.0], "e": empty})
    with pytest.warns(DataWarning, match="Every cell of 'e' is empty; it is passed through"):
        schema = infer_schema(table)
    schema = schema_from_config(schema.to_config())
    matrix = schema.to_matrix(table)
    assert matrix.shape == (3, 1)
    restored = schema.from_matrix(matrix, like=table)
    assert restored.column("e").is_null(nan_is_null=True).to_pylist() == [True] * 3
    assert restored.schema == table.schema


def test_a_single_row_is_learned_although_everything_is_constant():
    frame = people().head(1)
    schema = infer_schema(frame)
    assert len(schema.segments) == len(frame.columns)
    assert_same(schema.from_matrix(schema.to_matrix(frame), like=frame), frame)


@pytest.mark.filterwarnings("ignore:Every cell of")
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"a": pa.array([], pa.int64())}), "0 rows"),
        (pa.table({}), "0 columns"),
        (pa.table({"a": pa.nulls(2), "b": [np.nan, np.nan]}), "empty columns: 'a', 'b'"),
        (pa.table({"a": [[1], [2]]}), "column 'a'.*list"),
        (pa.table({"a": [b"1", b"2"]}), "column 'a'.*binary"),
        (pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "more than one named 'a'"),
        (pa.table({"a": [0.0, np.inf]}), "column 'a', row 1.*infinity"),
        (pa.table({"a": [1e308, -1e308, -1e308, 1e308]}), "column 'a'.*spread"),
        (pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)}), "column 'a'.*object"),
        (pd.DataFrame({"a": pd.Series([10**30, 1], dtype=object)}), "column 'a'.*too large"),
        (pd.DataFrame({"a": [1j]}), "column 'a'.*complex"),
        (pd.DataFrame({"a": pd.period_range("2020", periods=2, freq="D")}), "column 'a'.*period"),
        (pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}), "column 'a'.*Object"),
        (pl.LazyFrame({"a": [1]}), "LazyFrame"),
    ],
)
def test_what_cannot_be_learned_is_named(table, message):
    with pytest.raises(InvalidData, match=message):
        infer_schema(table)


@pytest.mark.filterwarnings("ignore::isthmus.core.errors.DataWarning")
def test_a_table_of_identifiers_alone_holds_nothing_to_learn():
    with pytest.raises(InvalidData, match="only identifiers and empty columns: 'id'"):
        infer_schema(pa.table({"id": [f"{i}" for i in range(99)]}))


def test_reordered_columns_and_kindred_types_are_understood():
    frame = people()
    schema = infer_schema(frame)
    expected = schema.to_matrix(frame)
    other = frame[frame.columns[::-1]].astype(
        {"visits": float, "town": "category", "grade": int, "born": "datetime64[ns]"}
    )
    np.testing.assert_array_equal(schema.to_matrix(other), expected)
    np.testing.assert_array_equal(schema.to_matrix(pl.from_pandas(frame)), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="town"), r"none named 'town'.*Try: add the column"),
        (lambda f: f.rename(columns={"town": "twon"}), r"none named 'town'.*did you mean 'twon'"),
        (lambda f: f.assign(age=3), r"also 'age'.*drop the new columns"),
        (lambda f: f.assign(visits=f.town), r"column 'visits': expected numbers.*received text"),
        (lambda f: f.assign(member=1), r"column 'member': expected booleans.*received numbers"),
        (lambda f: f.assign(born=f.seen), r"column 'born': expected dates .*with a time zone"),
        (lambda f: f.assign(town=3), r"column 'town': expected text"),
        (
            lambda f: f.assign(town=["Ulm"] * (N - 1) + ["Rom"]),
            rf"column 'town', row {N - 1}: expected one of 'Bonn', 'Köln', 'Ulm', received 'Rom'.*"
            "use unknown='warn', or fit again",
        ),
        (lambda f: f.head(0), "0 rows"),
        (lambda f: f.assign(height=np.inf), "column 'height', row 0"),
        (lambda f: f[["visits"]].to_numpy(), "expected a table"),
    ],
)
def test_what_differs_at_predict_time_is_named(change, message):
    frame = people()
    with pytest.raises(InvalidData, match=message):
        infer_schema(frame, unknown="error").to_matrix(change(frame))


def test_an_array_of_another_width_is_refused():
    schema = infer_schema(load_iris(as_frame=True).data)
    with pytest.raises(SchemaMismatch, match="expected 4 columns"):
        schema.to_matrix(np.zeros((2, 3)))


def test_an_unused_category_is_no_unseen_one():
    schema = infer_schema(pa.table({"c": ["x", "y", "x"]}))
    later = pd.DataFrame({"c": pd.Categorical(["y", None], categories=["z", "y"])})
    np.testing.assert_array_equal(schema.to_matrix(later), [[0, 1], [np.nan, np.nan]])


def test_columns_missing_altogether_at_predict_time_are_missing_cells():
    frame = people()
    schema = infer_schema(frame)
    nothing = pa.table({name: pa.nulls(2) for name in frame.columns})
    assert np.isnan(schema.to_matrix(nothing)).all()


def test_what_a_network_makes_of_it_is_kept_within_the_types():
    table = pa.table(
        {
            "byte": pa.array([0, 200], pa.uint8()),
            "day": pa.array([0, 9], pa.date32()),
            "at": pa.array([0, 10**18], pa.timestamp("ns")),
            "clock": pa.array([0, 80000], pa.time32("s")),
            "took": pa.array([0, 10**18], pa.duration("ns")),
            "price": pa.array([0, 99], pa.decimal128(4, 2)),
            "half": pa.array(np.array([0, 9], np.float16)),
            "long": pa.array([0, 2**60]),
        }
    )
    schema = infer_schema(table).unbounded()
    extremes = np.array([[-300.0] * 8, [300.0] * 8])
    found = schema.from_matrix(extremes)
    assert found.schema == table.schema
    assert found.column("byte").to_pylist() == [0, 255]
    assert found.column("day").to_pylist() == [dt.date(1, 1, 1), dt.date(9999, 12, 31)]
    assert found.column("clock").to_pylist()[0] == dt.time(0)
    assert found.column("price").to_pylist()[1] == decimal.Decimal("99.99")
    assert found.column("half").to_pylist()[1] == np.finfo(np.float16).max
    assert found.to_pandas().notna().all().all()


def test_timestamps_of_days_come_back_as_days():
    days = pd.DataFrame({"at": pd.date_range("2000-01-01", periods=50, freq="7D", unit="ns")})
    schema = infer_schema(days)
    found = schema.from_matrix(schema.to_matrix(days) + 0.001)
    assert (found["at"] == found["at"].dt.normalize()).all()


def test_many_columns_are_quick_and_exact():
    table = pa.table({f"c{i}": np.arange(3) * i for i in range(1, 3000)})
    schema = infer_schema(table)
    assert schema.from_matrix(schema.to_matrix(table)).equals(table)


def test_unusual_labels_of_pandas_are_kept():
    frame = pd.DataFrame({0: [1, 2], ("a", 1): [0.5, 1.5]})
    schema = infer_schema(frame)
    assert schema.columns == ("0", "('a', 1)")
    assert list(schema.from_matrix(schema.to_matrix(frame), like=frame).columns) == [0, ("a", 1)]


def test_pandas_sparse_columns_are_read():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0, 0.0])})
    assert infer_schema(frame).to_matrix(frame).shape == (3, 1)


def test_blocks_are_the_matrix_and_back():
    table = pa.table({"a": [1.5, None, 3.0, 9.0, 2.0], "c": ["x", "y", None, "x", "y"]})
    schema = infer_schema(table)
    blocks = list(schema.blocks(table, 2))
    assert [len(block) for block in blocks] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(blocks), schema.to_matrix(table))
    whole = schema.from_matrix(schema.to_matrix(table), like=table)
    assert schema.from_blocks(blocks, 5, like=table).equals(whole)


def test_blocks_count_the_rows_of_the_whole():
    schema = infer_schema(pa.table({"a": [1.0, 2.0, 3.0], "c": ["x", "y", "x"]}))
    with pytest.raises(InvalidData, match="row 2"):
        list(schema.blocks(pa.table({"a": [1.0, 2.0, np.inf], "c": ["x", "y", "x"]}), 2))
    strict = schema.with_unknown("error")
    with pytest.raises(SchemaMismatch, match="row 2"):
        list(strict.blocks(pa.table({"a": [1.0, 2.0, 3.0], "c": ["x", "y", "z"]}), 2))


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([3.0, 1.0, 40.0], 1),
        ([0.5, 2.0, -3.5], 2),
        ([0.25, 1.5, 9.0], 4),
        ([0.1, 0.2, 0.1 + 0.2, 0.7], 10),
        ([19.99, 5.0, 1234.89], 100),
        ([0.001, 1.5, 2.0], 1000),
        ([1 / 3, 0.5, 2.0], 0),
        ([1e-9, 2e-9, 1.0], 0),
    ],
)
def test_the_grid_of_decimal_steps_is_learned(values, parts):
    for dtype in (np.float64, np.float32):
        if dtype == np.float32 and max(values) > 1e6:
            continue
        table = pa.table({"a": np.array(values, dtype)})
        schema = schema_from_config(json.loads(json.dumps(infer_schema(table).to_config())))
        assert schema.fields[0].domain.parts == parts
        near = schema.from_matrix(schema.to_matrix(table) + 1e-7)["a"].to_numpy()
        if parts:
            np.testing.assert_array_equal(near, np.round(values, 3).astype(dtype))


@pytest.mark.parametrize(
    ("more", "limits", "parts"),
    [
        ([2.0, None], (0, 3), 2),
        ([None, None], (0, 3), 2),
        ([-1.5, 9.0], (-1.5, 9), 2),
        ([0.25, 1.0], (0, 3), 0),
    ],
)
def test_the_domain_of_more_rows(more, limits, parts):
    schema = infer_schema(pa.table({"a": [0.0, 1.5, 3.0]}))
    with_more = schema.including(pa.table({"a": pa.array(more, pa.float64())}))
    domain = with_more.fields[0].domain
    assert ((domain.low, domain.high), domain.parts) == (limits, parts)
    assert with_more.scaling is schema.scaling


def test_a_table_without_domains_is_restored_as_before():
    table = pa.table({"a": [0.0, 1.0, 2.5], "b": [1, 5, 9]})
    config = infer_schema(table).to_config()
    for column in config["columns"]:
        del column["domain"]  # as in archives of before
    old = schema_from_config(config)
    assert not old.has_domains
    far = old.from_matrix(np.array([[-9.0, 9.0]]))
    assert far["a"][0].as_py() < 0
    assert far["b"][0].as_py() > 9
    assert far.equals(infer_schema(table).unbounded().from_matrix(np.array([[-9.0, 9.0]])))


@pytest.mark.parametrize(
    "change",
    [
        {"low": 4.0},
        {"low": None},
        {"low": float("nan")},
        {"parts": 3},
        {"parts": True},
        {"atom": [0.0]},
        {"atom": [9.0, 0.0, 0.0, 0.0]},
        {"atom": [0.0, -1.0, 0.0, 0.0]},
        {"atom": "0"},
        {"more": 1},
    ],
)
def test_domains_of_archives_are_checked(change):
    config = infer_schema(pa.table({"a": [0.0, 1.0, 2.5]})).to_config()
    config["columns"][0]["domain"] |= change
    with pytest.raises(InvalidArchive):
        schema_from_config(config)
