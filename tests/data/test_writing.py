"""Files are written completely or not at all."""

import os
import threading

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from isthmus.core.errors import CannotWrite, InvalidData, InvalidParameter
from isthmus.data import reading, writing
from isthmus.data.schema import infer_schema

TABLE = pa.table(
    {
        "n": [1, None, 3],
        "x": [0.1, 0.25, 1e-30],
        "b": [True, False, None],
        "word": ["a,b", 'say "hi"', None],
        "day": pa.array([0, 1, None], pa.date32()),
        "at": pa.array([0, 10**6, None], pa.timestamp("s")),
    }
)
X = np.arange(24.0).reshape(4, 6)
PICTURES = np.arange(24).reshape(4, 2, 3) * 10


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("convert", [lambda t: t, pa.Table.to_pandas, pl.from_arrow])
def test_tables_are_read_as_they_were_written(tmp_path, ending, convert):
    path = writing.write(tmp_path / f"t{ending}", convert(TABLE))
    assert path == tmp_path / f"t{ending}"
    found = reading.read(path).X
    assert found.column_names == TABLE.column_names
    assert found.column("word").to_pylist() == TABLE.column("word").to_pylist()
    assert found.column("x").to_pylist() == TABLE.column("x").to_pylist()
    assert infer_schema(found).segments == infer_schema(TABLE).segments
    assert files(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_arrays_are_read_as_they_were_written(tmp_path, ending):
    for data in (X, X.astype(np.float32), PICTURES.astype(np.uint8)):
        path = writing.write(str(tmp_path / f"x{ending}"), data, overwrite=True)
        found = reading.read(path).X
        np.testing.assert_array_equal(found, data)
        assert found.dtype == data.dtype
    frame = pd.DataFrame(X)
    np.testing.assert_array_equal(reading.read(writing.write(tmp_path / f"f{ending}", frame)).X, X)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_an_array_becomes_a_table(tmp_path, ending):
    found = reading.read(writing.write(tmp_path / f"x{ending}", X)).X
    assert found.column_names == [f"x{i}" for i in range(6)]
    np.testing.assert_array_equal(found.to_pandas().to_numpy(), X)
    scores = writing.write(tmp_path / f"scores{ending}", X[:, 0])
    assert reading.read(scores).X.column_names == ["x0"]


@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 2, 3, 1), (2, 2, 2, 3)])
def test_pictures_are_rounded_and_clipped(tmp_path, shape):
    pictures = PICTURES.reshape(shape) + 0.4 - 20
    path = writing.write(tmp_path / "out", pictures)
    assert files(path)[0] == "0000.png"
    found = reading.read(path).X
    expected = np.clip(np.rint(pictures), 0, 255)
    np.testing.assert_array_equal(found, expected.reshape(found.shape))


def test_types_that_csv_lacks_become_plain(tmp_path):
    table = pa.table(
        {
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "took": pa.array([1, 2], pa.duration("s")),
            "half": pa.array(np.array([0.5, 2], np.float16)),
        }
    )
    found = reading.read(writing.write(tmp_path / "t.csv", table)).X
    assert found.to_pydict() == {"kind": ["a", "b"], "took": [1, 2], "half": [0.5, 2.0]}


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.npy", "t.npz", "t"])
def test_what_is_there_is_replaced_only_when_asked(tmp_path, name):
    path = writing.write(tmp_path / name, PICTURES if name == "t" else X)
    before = reading.read(path).X
    with pytest.raises(CannotWrite, match=r"an existing one.*--force, overwrite=True"):
        writing.write(path, X)
    assert type(before) is type(reading.read(path).X)
    after = writing.write(path, PICTURES[:2] if name == "t" else X[:2], overwrite=True)
    assert len(reading.read(after).X) == 2
    assert files(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "data", "error", "message"),
    [
        ("t.xlsx", X, InvalidParameter, r"output ending: expected one of.*'\.csv'"),
        ("t.csv", PICTURES, InvalidData, "flatten each sample"),
        ("t.npy", np.array([[{}]], dtype=object), InvalidData, "array of numbers"),
        ("t.npy", TABLE, InvalidData, "column 'word'.*numbers"),
        ("t", X, InvalidData, r"images: expected an array of shape"),
        ("t", PICTURES * 100, InvalidData, "from 0 to 255"),
        ("t", PICTURES / 1000, InvalidData, "from 0 to 255"),
        ("t", PICTURES * np.nan, InvalidData, "from 0 to 255"),
        ("no/such/t.csv", X, CannotWrite, "existing folder"),
    ],
)
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, name, data, error, message):
    with pytest.raises(error, match=message):
        writing.write(tmp_path / name, data)
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.npy", "t.npz", "t"])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file_whole(tmp_path, monkeypatch, name, call):
    path = writing.write(tmp_path / name, PICTURES if name == "t" else X)
    before = reading.read(path).X

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        if call == "replace":
            patch.setattr("pathlib.Path.replace", full)
        with pytest.raises(CannotWrite, match=r"No space left.*nothing there was changed"):
            writing.write(path, PICTURES if name == "t" else X * 2, overwrite=True)
    after = reading.read(path).X
    assert after.equals(before) if isinstance(before, pa.Table) else (after == before).all()
    assert files(tmp_path) == [name]


def test_a_folder_with_other_things_is_never_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("dear")
    with pytest.raises(CannotWrite, match="only PNG and TIFF files"):
        writing.write(tmp_path / "out", PICTURES, overwrite=True)
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(CannotWrite, match="received a folder"):
        writing.write(tmp_path / "t.csv", X, overwrite=True)
    assert files(tmp_path / "out") == ["thesis.txt"]


def test_two_writers_of_one_file_leave_one_of_theirs(tmp_path):
    path = tmp_path / "x.npy"
    writers = [
        threading.Thread(
            target=lambda i=i: writing.write(path, np.full((2000, 10), float(i)), overwrite=True)
        )
        for i in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(np.unique(reading.read(path).X)) == 1
    assert files(tmp_path) == ["x.npy"]


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".arrow"])
def test_tables_are_written_part_by_part(tmp_path, ending):
    words = pa.array(["a", "b", "a"]).dictionary_encode()
    parts = [
        pa.table({"n": [1, 2, 3], "word": words}),
        pa.table({"n": [4], "word": pa.array(["c"]).dictionary_encode()}),
    ]
    path = tmp_path / f"t{ending}"
    assert writing.write_parts(path, iter(parts)) == 4
    found = reading.read(path).X
    assert found.column("n").to_pylist() == [1, 2, 3, 4]
    assert found.column("word").to_pylist() == ["a", "b", "a", "c"]


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".arrow"])
def test_parts_of_other_types_are_refused(tmp_path, ending):
    parts = [pa.table({"n": [1]}), pa.table({"n": ["many"]})]
    with pytest.raises(InvalidData, match="the same in all rows"):
        writing.write_parts(tmp_path / f"t{ending}", parts)
    with pytest.raises(InvalidData, match="the same in all rows"):
        writing.write_parts(tmp_path / f"t{ending}", [parts[0], pa.table({"m": [1]})])
    assert files(tmp_path) == []
