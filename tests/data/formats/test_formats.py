"""The contract of a file format; a new format in the catalogue is tested without changes here.

Only a format that isthmus does not write needs a sample in `SAMPLES`.
"""

import struct

import numpy as np
import pyarrow as pa
import pytest

from isthmus.cli.__main__ import main
from isthmus.core.errors import UnreadableFile
from isthmus.data.formats.catalogue import (
    ARRAYS,
    FOLDER,
    FORMATS,
    READABLE,
    TABLES,
    WRITABLE,
    WRITTEN,
    endings,
    format_of,
    output_choices,
)
from isthmus.data.reading import read, stream
from isthmus.data.writing import write

ROWS = np.arange(30.0).reshape(10, 3)
IMAGES = np.arange(120, dtype=np.uint8).reshape(10, 4, 3)
ALL = [*FORMATS.values(), FOLDER]
SAMPLES = {
    "tsv": "a\tb\tc\n" + "".join("\t".join(map(str, row)) + "\n" for row in ROWS),
    "idx": struct.pack(">BBBB2I", 0, 0, 14, 2, *ROWS.shape) + ROWS.astype(">f8").tobytes(),
}
"""What a file of `ROWS` holds."""


@pytest.fixture(params=ALL, ids=lambda form: form.name)
def form(request):
    return request.param


@pytest.fixture
def path(form, tmp_path):
    return tmp_path / f"rows{form.endings[0] if form.endings else ''}"


def held(form):
    """Return an array that the format can hold."""
    return IMAGES if form is FOLDER else ROWS


def data(form):
    if form.holds == "arrays":
        return held(form)
    return pa.table({name: ROWS[:, i] for i, name in enumerate("abc")})


def values(read_back):
    return np.column_stack(read_back.columns) if isinstance(read_back, pa.Table) else read_back


def make(form, path):
    """Write a file in the format, with isthmus if it can."""
    if form.written:
        return write(path, data(form))
    sample = SAMPLES[form.name]
    path.write_bytes(sample if isinstance(sample, bytes) else sample.encode())
    return path


def test_a_file_is_read_back_whole(form, path):
    make(form, path)
    assert format_of(path) is form
    read_back = read(path)
    assert read_back.name == "rows"
    assert read_back.y is None
    np.testing.assert_array_equal(values(read_back.X), held(form))


@pytest.mark.parametrize("rows", [1, 4, 10, 99])
def test_a_stream_has_the_rows_of_the_whole(form, path, rows):
    make(form, path)
    batches = list(stream(path, rows=rows))
    assert [len(batch) for batch in batches[:-1]] == [rows] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate([values(b) for b in batches]), held(form))


@pytest.mark.parametrize("content", [b"", b"\x00\x01\xff\xfe nothing of the kind"])
def test_other_content_is_refused_with_the_name_of_the_file(form, path, content):
    if form is FOLDER:
        path.mkdir()
        (path / "rows.png").write_bytes(content)
    else:
        path.write_bytes(content)
    for attempt in (read, lambda each: list(stream(each))):
        with pytest.raises(UnreadableFile, match="rows") as caught:
            attempt(path)
        assert str(path) in f"{caught.value.context} {caught.value.subject}"
        assert caught.value.expected
        assert caught.value.remedy


# Not more: the last chunk of a PNG file is empty.
@pytest.mark.parametrize("size", [0.2, 0.6])
def test_a_truncated_file_is_refused_with_its_name(form, path, size):
    make(form, path)
    if form.holds == "table" and form.gzip:
        pytest.skip("text may end anywhere")
    file = next(iter(sorted(path.iterdir()))) if path.is_dir() else path
    file.write_bytes(file.read_bytes()[: int(size * file.stat().st_size)])
    with pytest.raises(UnreadableFile) as caught:
        read(path)
    assert str(file) in f"{caught.value.context} {caught.value.subject}"


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_a_name_may_end_in_gz_where_the_format_says_so(form):
    for ending in form.endings:
        assert form.fits(f"ROWS{ending}".upper())
        assert form.fits(f"rows{ending}.gz") is form.gzip


def test_no_ending_belongs_to_two_formats():
    known = [ending for each in FORMATS.values() for ending in each.endings]
    assert len(known) == len(set(known))


def test_lists_are_those_of_the_formats():
    assert set(TABLES) | set(ARRAYS) == set(WRITTEN)
    assert set(WRITABLE) == {*WRITTEN, ""}
    assert all(form.title in READABLE for form in ALL)
    assert all(ending in endings() for form in ALL for ending in form.endings)


def test_choices_are_a_part_of_a_sentence():
    assert output_choices([".csv"]) == ".csv"
    assert output_choices([".csv", ".npy", ""]) == ".csv, .npy or a folder"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("fit", READABLE),
        ("compress", READABLE),
        ("reconstruct", output_choices(WRITABLE)),
        ("sample", output_choices(WRITABLE)),
        ("map", output_choices([*TABLES, *ARRAYS])),
        ("detect", output_choices(TABLES)),
        ("search", output_choices(TABLES)),
        ("explain", output_choices(TABLES)),
    ],
)
def test_the_help_of_commands_lists_the_formats(command, shown, capsys):
    assert main([command, "--help"]) == 0
    assert shown in " ".join(capsys.readouterr().out.split())
