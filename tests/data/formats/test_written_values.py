"""Numbers and dates as people write them, in files as people export them."""

import datetime as dt
import gzip

import pandas as pd
import pyarrow as pa
import pytest

import isthmus as ist
from isthmus.core.errors import DataWarning, InvalidParameter, UnreadableFile
from isthmus.data import reading
from isthmus.data.formats.text_options import TextOptions
from isthmus.data.schema import infer_schema, schema_from_config

GERMAN = (
    "id;plz;umsatz;menge;datum;stadt\n"
    "1;04109;1.243,56;5;31.12.2024;Köln\n"
    "2;50667;-12,5;1.200;01.02.2024;Bonn\n"
    "3;10115;;7;2.3.2024;Köln\n"
)
GERMAN_CELLS = {
    "id": [1, 2, 3],
    "plz": ["04109", "50667", "10115"],
    "umsatz": [1243.56, -12.5, None],
    "menge": [5, 1200, 7],
    "datum": [dt.date(2024, 12, 31), dt.date(2024, 2, 1), dt.date(2024, 3, 2)],
    "stadt": ["Köln", "Bonn", "Köln"],
}


@pytest.fixture
def put(tmp_path):
    def write(text, name="a.csv", encoding="utf-8"):
        path = tmp_path / name
        content = text.encode(encoding)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def columns(path, **options):
    return reading.read(path, **options).X.to_pydict()


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "a.csv"),
        ("utf-8", "a.csv.gz"),
        ("utf-8-sig", "a.csv"),
        ("utf-16", "a.csv"),
        ("utf-16-le", "a.csv"),
        ("utf-16-be", "a.csv.gz"),
    ],
)
def test_a_german_file_is_read_in_each_encoding(put, encoding, name):
    assert columns(put(GERMAN, name, encoding)) == GERMAN_CELLS


def test_windows_1252_is_a_guess_that_is_named(put):
    path = put(GERMAN, encoding="cp1252")
    with pytest.warns(DataWarning, match=r"a\.csv is not UTF-8, so it is read as Windows-1252"):
        assert columns(path) == GERMAN_CELLS
    assert columns(path, text=TextOptions(encoding="latin-1")) == GERMAN_CELLS


def test_another_encoding_is_given(put):
    path = put("a,b\nあ,1\n", encoding="shift_jis")
    assert columns(path, text=TextOptions(encoding="shift_jis")) == {"a": ["あ"], "b": [1]}
    with pytest.raises(InvalidParameter, match="encoding: expected the name of an encoding"):
        columns(path, text=TextOptions(encoding="klingon"))
    with pytest.raises(UnreadableFile, match="expected text in UTF-8"):
        columns(path, text=TextOptions(encoding="utf-8"))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["$1,234.56", "$5.00", "($3.00)"], [1234.56, 5.0, -3.0]),
        (["1 234,50", "2 000,00", "7,25"], [1234.5, 2000.0, 7.25]),
        (["1\u202f234,50 €", "2\u00a0000,00 €", "7,25 €"], [1234.5, 2000.0, 7.25]),
        (["1'234.50", "2’000.00", "7.25"], [1234.5, 2000.0, 7.25]),
        (["CHF 1'234.50", "CHF -2.00", "7.25"], [1234.5, -2.0, 7.25]),
        (["12.3%", "4 %", "100%"], [12.3, 4.0, 100.0]),
        (["5,5-", "3,0", "−2,5"], [-5.5, 3.0, -2.5]),
        (["1,234,567", "8", "12,000"], [1234567, 8, 12000]),
        (["1.234.567", "8", "12.000"], [1234567, 8, 12000]),
        (["0,125", "0,250", "1,500"], [0.125, 0.25, 1.5]),
        (["1,5e3", "2,25", "-1"], [1500.0, 2.25, -1.0]),
        (["+1.50", "-2.25", ".5"], [1.5, -2.25, 0.5]),
    ],
)
def test_numbers(put, cells, expected):
    text = "n;word\n" + "".join(f"{cell};x\n" for cell in cells)
    assert columns(put(text))["n"] == expected


@pytest.mark.parametrize(
    "cells",
    [
        ["007", "010", "123"],  # codes
        ["+49 151 234 567", "+49 170 000 111"],  # telephone numbers
        ["5%", "5"],  # a fraction and a number
        ["$5", "€5"],  # two currencies
        ["1,5", "2.5 kg"],
        ["1.2.3", "1.2.4"],  # versions
        ["192.168.0.1", "10.0.0.1"],
        ["12-34", "56-78"],
    ],
)
def test_text_stays_text(put, cells):
    text = "n;word\n" + "".join(f"{cell};x\n" for cell in cells)
    assert columns(put(text))["n"] == cells


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["12/31/2024", "1/2/2024"], [dt.date(2024, 12, 31), dt.date(2024, 1, 2)]),
        (["31/12/2024", "1/2/2024"], [dt.date(2024, 12, 31), dt.date(2024, 2, 1)]),
        (["31-12-2024", ""], [dt.date(2024, 12, 31), None]),
        (["2024/12/31", "2024/1/2"], [dt.date(2024, 12, 31), dt.date(2024, 1, 2)]),
        (
            ["1.2.2024 13:45", "3.4.2024 0:05"],
            [dt.datetime(2024, 2, 1, 13, 45), dt.datetime(2024, 4, 3, 0, 5)],
        ),
        (["2024-12-31", "2024-01-02"], [dt.date(2024, 12, 31), dt.date(2024, 1, 2)]),
    ],
)
def test_dates(put, cells, expected):
    text = "d;word\n" + "".join(f"{cell};x\n" for cell in cells)
    assert columns(put(text))["d"] == expected


@pytest.mark.parametrize("cell", ["31.02.2024", "1.2.24", "99/99/2024", "1.2.2024 25:00"])
def test_what_is_no_date_stays_text(put, cell):
    assert columns(put(f"d;w\n{cell};x\n1.2.2024;y\n"))["d"] == [cell, "1.2.2024"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(put, delimiter):
    table = columns(put(f"a{delimiter}b\n1{delimiter}x y\n2{delimiter}z\n"))
    assert table == {"a": [1, 2], "b": ["x y", "z"]}


def test_a_delimiter_in_quotes_or_in_the_header_does_not_count(put):
    assert columns(put('a;"b, c"\n"1;2";x\n"3;4";y\n')) == {"a": ["1;2", "3;4"], "b, c": ["x", "y"]}


def test_what_can_be_read_in_two_ways_is_said(put):
    numbers = put("a;b\n1.234;x\n5.678;y\n")
    with pytest.warns(DataWarning, match=r"such as 1\.234 can be read in two ways.*decimal points"):
        assert columns(numbers)["a"] == [1.234, 5.678]
    assert columns(numbers, text=TextOptions(decimal=","))["a"] == [1234, 5678]
    days = put("a,b\n1/2/2024,x\n3/4/2024,y\n")
    with pytest.warns(DataWarning, match="month first.*--day-first"):
        assert columns(days)["a"][0] == dt.date(2024, 1, 2)
    assert columns(days, text=TextOptions(dates="day first"))["a"][0] == dt.date(2024, 2, 1)


def test_a_fitted_schema_decides_what_its_file_decided(put):
    schema = infer_schema(reading.read(put(GERMAN)).X)
    for again in (schema, schema_from_config(schema.to_config())):
        later = put("id;plz;umsatz;menge;datum;stadt\n4;01067;1.243;2;01.02.2024;Bonn\n", "b.csv")
        table = reading.read(later, text=again.text_options).X
        assert table["umsatz"].to_pylist() == [1243.0]
        assert table["plz"].to_pylist() == ["01067"]
        (streamed,) = reading.stream(later, text=again.text_options)
        assert streamed.to_pydict() == table.to_pydict()
    ours = put("id,plz,umsatz,menge,datum,stadt\n4,01067,1.243,2,2024-02-01,Bonn\n", "c.csv")
    assert reading.read(ours, text=schema.text_options).X["umsatz"].to_pylist() == [1.243]


def test_a_bad_cell_among_written_numbers_is_named(put):
    schema = infer_schema(reading.read(put(GERMAN)).X)
    later = put(
        "id;plz;umsatz;menge;datum;stadt\n1;2;1.243,5;2;01.02.2024;x\n1;2;old;2;;x\n", "b.csv"
    )
    with pytest.raises(UnreadableFile, match=r"column 'umsatz', line 3: .*invalid value 'old'"):
        reading.read(later, text=schema.text_options)
    with pytest.raises(UnreadableFile, match=r"column 'umsatz', line 3: .*invalid value 'old'"):
        list(reading.stream(later, text=schema.text_options))


def test_a_stream_goes_on_where_numbers_begin_to_have_thousands(put, monkeypatch):
    from isthmus.data.formats import csv_files

    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 1000)
    text = "a;w\n" + "7,5;x\n" * 1000 + "1.234,5;y\n" * 1000
    options = TextOptions({"a": pa.float64(), "w": pa.string()})
    parts = list(reading.stream(put(text), rows=300, text=options))
    assert [len(part) for part in parts] == [300] * 6 + [200]
    assert pa.concat_tables(parts)["a"].to_pylist() == [7.5] * 1000 + [1234.5] * 1000


def test_codes_with_leading_zeros_are_found_far_down_the_file(put):
    text = "zip,n\n" + "10115,5\n" * 20_000 + "04109,6\n"
    table = reading.read(put(text)).X
    assert table.schema.types == [pa.string(), pa.int64()]
    assert table["zip"].to_pylist()[-1] == "04109"
    streamed = pa.concat_tables(reading.stream(put(text)))
    assert streamed.schema.types == table.schema.types


def test_units_and_decimals_may_differ_between_columns(put):
    text = "a;b;c\n1,5;$1,234.50;5 %\n2,25;$7.25;10 %\n"
    assert columns(put(text)) == {"a": [1.5, 2.25], "b": [1234.5, 7.25], "c": [5, 10]}


def test_a_model_of_a_german_file_takes_other_files(put):
    text = "a;b;c\n" + "".join(f"{i % 7},{i % 10};{i % 5};x\n" for i in range(60))
    model = ist.Autoencoder(1, epochs=2, random_state=0).fit(reading.read(put(text)).X)
    codes = model.transform(pd.DataFrame({"a": [1.5, 2.5], "b": [1, 2], "c": ["x", "x"]}))
    file = put("a,b,c\n1.5,1,x\n2.5,2,x\n", "b.csv")
    table = reading.read(file, text=model.schema_.text_options).X
    assert (model.transform(table) == codes).all()
