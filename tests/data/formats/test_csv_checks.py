"""CSV files that a parser would misread without an error."""

import csv
import io
import warnings

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.core.errors import DataWarning, UnreadableFile
from isthmus.data import reading
from isthmus.data.formats import csv_checks
from isthmus.data.formats.text_options import TextOptions


def streamed(path):
    return pa.concat_tables(reading.stream(path))


READERS = [lambda path: reading.read(path).X, streamed]
MANY = b"a,b\n" + b"1,x\n" * 499 + b'1,"bad\n' + b"1,x\n" * 500


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("block", [8, 1 << 22])
@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", b'a,b\n1,"2\n3,4', 2),
        ("a.csv", b'\xef\xbb\xbf"a,b\n1,2\n3,4\n', 1),
        ("a.csv.gz", MANY, 501),
        ("a.csv", MANY + b'1,"good"\n', 501),
        ("a.csv", b'"a","b"\n"1","x\n"2","y"\n', 2),
        ("a.tsv", b'a\tb\n1\t"x\n2\ty\n', 2),
    ],
)
def test_a_quote_that_is_never_closed_is_named(
    put_csv, read, block, name, content, line, monkeypatch
):
    monkeypatch.setattr(csv_checks, "_BLOCK_BYTES", block)
    with pytest.raises(UnreadableFile, match=f"unterminated quote that begins on line {line}\\."):
        read(put_csv(content, name))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.text('a",\n ', max_size=6), min_size=1, max_size=20), st.integers(1, 40))
def test_quotes_that_are_closed_pass(put_csv, monkeypatch, words, block):
    monkeypatch.setattr(csv_checks, "_BLOCK_BYTES", block)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["k", "word"], *(["k", w] for w in words)])
    assert len(reading.read(put_csv(text.getvalue().encode())).X) == len(words)


def test_a_quote_inside_a_cell_is_text(put_csv):
    table = reading.read(put_csv(b'a,b\n5" disk,x\n6,y"\n')).X
    assert table.to_pydict() == {"a": ['5" disk', "6"], "b": ["x", 'y"']}


AGES = b"age,w\n" + b"".join(b"%d,x\n" % i for i in range(20, 57))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (AGES + b"?,x\n", r"column 'age' is read as text because of '\?' in line 39\. Try: write"),
        (AGES + b"?,x\n-,x\n50,x\n?,x\n", r"'\?' in line 39 \(and 2 more\)"),
        (b"age;w\n" + b"1,5;x\n" * 9 + b"2,5;x\n3.5;x\n", r"'3.5' in line 12\. .*decimal commas"),
    ],
)
def test_numbers_that_are_read_as_text_are_warned_of(put_csv, read, content, message):
    with pytest.warns(DataWarning, match=message):
        read(put_csv(content))


def test_words_and_types_that_are_given_are_not_warned_of(put_csv):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reading.read(put_csv(b"a\nA5\n1\n2\nB\n"))
        reading.read(put_csv(AGES + b"?,x\n"), text=TextOptions({"age": pa.string()}))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\r1,2\r", "lines that end in CR alone"),
    ],
)
def test_other_formats_are_named(put_csv, read, content, message):
    with pytest.raises(UnreadableFile, match=message):
        read(put_csv(content))
