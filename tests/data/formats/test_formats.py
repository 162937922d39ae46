"""Every format of the catalogue: what is written is read back, whole and in batches."""

import numpy as np
import pyarrow as pa
import pytest

from isthmus.core.errors import UnreadableFile
from isthmus.data.formats.catalogue import ARRAYS, FORMATS, READABLE, TABLES, WRITTEN, format_of
from isthmus.data.reading import read, stream
from isthmus.data.writing import write

ROWS = np.arange(30.0).reshape(10, 3)
WRITTEN_FORMATS = [each for each in FORMATS.values() if each.written]


def data(form):
    if form.holds == "arrays":
        return ROWS
    return pa.table({name: ROWS[:, i] for i, name in enumerate("abc")})


def values(read_back):
    return np.column_stack(read_back.columns) if isinstance(read_back, pa.Table) else read_back


@pytest.mark.parametrize("form", WRITTEN_FORMATS, ids=lambda form: form.name)
def test_what_is_written_is_read_back(form, tmp_path):
    path = write(tmp_path / f"rows{form.endings[0]}", data(form))
    assert format_of(path) is form
    np.testing.assert_array_equal(values(read(path).X), ROWS)
    batches = list(stream(path, rows=4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([values(batch) for batch in batches]), ROWS)


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
@pytest.mark.parametrize("content", [b"", b"\x00\x01\xff\xfe nothing of the kind"])
def test_other_content_is_refused_by_name(form, content, tmp_path):
    path = tmp_path / f"rows{form.endings[0]}"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="rows"):
        read(path)


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_a_name_may_be_packed_where_the_format_says_so(form, tmp_path):
    ending = form.endings[0]
    assert form.fits(f"ROWS{ending}".upper())
    assert form.fits(f"rows{ending}.gz") is form.gzip


def test_lists_are_those_of_the_formats():
    assert set(TABLES) | set(ARRAYS) == set(WRITTEN)
    assert all(form.title in READABLE for form in FORMATS.values())
