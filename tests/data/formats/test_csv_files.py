"""CSV files read with the types of the data that a model was fitted on."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from isthmus.core.errors import DataWarning, InvalidParameter, UnreadableFile
from isthmus.data import reading
from isthmus.data.formats.text_options import TextOptions
from isthmus.data.schema import infer_schema


def streamed(path, **options):
    return pa.concat_tables(reading.stream(path, **options))


READERS = [lambda path, **options: reading.read(path, **options).X, streamed]
FITTED = (
    b"word,whole,flag,day,when,zoned\n"
    b"11,1,true,2020-01-01,2020-01-01 10:00:00,2020-01-01T10:00:00Z\n"
    b"A5,2,false,2020-01-02,2020-01-01 11:00:00,2020-01-01T11:00:00Z\n"
    b"12,3,true,2020-01-03,2020-01-01 12:00:00,2020-01-01T12:00:00Z\n"
)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "row",
    [
        b"11,1,true,2020-01-01,2020-01-01 10:00:00,2020-01-01T10:00:00Z",
        b"12,1.5,1,2020-01-01,2020-01-01 10:00:00.25,2020-01-01T10:00:00.5Z",
        b"11,3.0,0,,2020-01-01,",
        b",,,,,",
    ],
)
def test_a_file_is_encoded_whatever_its_cells_would_be_taken_for(put_csv, read, row):
    schema = infer_schema(reading.read(put_csv(FITTED)).X)
    header = FITTED.split(b"\n")[0]
    table = read(put_csv(header + b"\n" + row + b"\n", "b.csv"), text=schema.text_options)
    assert schema.to_matrix(table).shape == (1, *schema.sample_shape)


def test_categories_are_read_as_their_values(put_csv):
    frame = pd.DataFrame({"c": pd.Categorical([7, 8, 7]), "w": pd.Categorical(["1", "x", "1"])})
    schema = infer_schema(frame)
    table = reading.read(put_csv(b"c,w\n8,1\n"), text=schema.text_options).X
    np.testing.assert_array_equal(schema.to_matrix(table), [[0, 1, 1, 0]])


@pytest.mark.parametrize("read", READERS)
def test_types_hold_for_the_columns_that_are_there(put_csv, read):
    types = {"a": pa.string(), "absent": pa.int64()}
    assert read(put_csv(b"a,b\n01,2\n"), text=TextOptions(types)).to_pydict() == {
        "a": ["01"],
        "b": [2],
    }
    with pytest.warns(DataWarning, match="all numbers"):
        table = read(put_csv(b"01,2\n"), text=TextOptions({"x0": pa.string()}))
    assert table.to_pydict() == {"x0": ["01"], "x1": [2]}


def test_a_column_may_turn_from_whole_numbers_to_others_late_in_a_stream(put_csv):
    path = put_csv(b"a,b\n" + b"1,2\n" * (5 << 20) + b"1.5,2\n")
    assert (
        sum(len(part) for part in reading.stream(path, text=TextOptions({"a": pa.float64()})))
        == 5242881
    )


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("name", "content", "types", "message"),
    [
        (
            "a.csv",
            b"id,age\n1,2\n\n3,old\n",
            {"age": pa.float64()},
            r"column 'age', line 4: expected numbers \(double\), as in the data that the model was "
            r"fitted on, received invalid value 'old'. Try: correct the cell",
        ),
        ("a.csv.gz", b"id,age\n1,old\n", {"age": pa.float64()}, "column 'age', line 2"),
        ("a.tsv", b'"i\td"\tage\n1\told\n', {"age": pa.float64()}, "column 'age', line 2"),
        (
            "a.csv",
            b"t\nx:y\n",
            {"t": pa.timestamp("us", tz="UTC")},
            r"column 't', line 2: expected dates with a time zone .*invalid value 'x:y'",
        ),
        ("a.csv", b"a\n" + b"z" * 999, {"a": pa.float64()}, r"value 'z{80,90}\.\.\.'\."),
    ],
)
def test_a_cell_that_cannot_be_converted_is_named(put_csv, read, name, content, types, message):
    with pytest.raises(UnreadableFile, match=message):
        read(put_csv(content, name), text=TextOptions(types))


@pytest.mark.parametrize("types", [{"a": 3}, {"a": "no such type"}, {3: pa.int64()}])
def test_types_that_are_none_are_refused(put_csv, types):
    with pytest.raises(InvalidParameter, match=r"types: expected a pyarrow type"):
        reading.read(put_csv(b"a\nx\n"), text=TextOptions(types))
