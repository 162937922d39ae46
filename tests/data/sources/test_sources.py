"""Sources of batches: what is recognised, that all rows come in order, and bad parts."""

import itertools
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from isthmus.core.errors import DataWarning, InvalidData, SchemaMismatch, UnreadableFile
from isthmus.data import reading
from isthmus.data.sources import opening
from isthmus.data.sources.files import files_source
from isthmus.data.sources.objects import source_of
from isthmus.data.sources.remote import address_of
from isthmus.data.sources.source import BatchSource, Part

TABLE = pa.table({"n": list(range(70)), "x": [i / 4 for i in range(70)], "kind": ["a", "b"] * 35})
ARRAY = np.arange(210, dtype=np.float32).reshape(70, 3)


def write(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=15)
    elif path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    elif path.suffix == ".npy":
        np.save(path, table)
    else:
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table, max_chunksize=20)


@pytest.fixture(params=["parquet", "csv", "arrow", "npy"])
def lake(request, tmp_path):
    rows = ARRAY if request.param == "npy" else TABLE
    for i, start in enumerate(range(0, 70, 25)):
        write(tmp_path / f"year={i}" / f"part.{request.param}", rows[start : start + 25])
    (tmp_path / "_SUCCESS").touch()
    return tmp_path


def plain(rows):
    return rows.to_pydict() if isinstance(rows, pa.Table) else rows.tolist()


def test_a_folder_is_read_in_order(lake):
    source = files_source(lake)
    expected = ARRAY if source.form.columns is None else TABLE
    assert plain(source.read()) == plain(expected)
    assert plain(source.read()) == plain(expected)  # a second time
    assert all(len(batch) <= 8 for batch in source.stream(8))
    assert source.rows in (70, None)
    assert source.matrix_bytes > 0
    assert plain(reading.read(lake).X) == plain(expected)
    assert sum(len(batch) for batch in reading.stream(lake, rows=8)) == 70


def test_a_pattern_chooses_files(lake):
    ending = next(file.suffix for file in lake.glob("*/part.*"))
    assert len(files_source(f"{lake}/year=[01]/*{ending}").read()) == 50
    assert len(reading.read(f"{lake}/**/*{ending}").X) == 70
    with pytest.raises(UnreadableFile, match=r"files that match the pattern, received none"):
        files_source(f"{lake}/*.none")


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(1, 12), st.integers(0, 30))
def test_batches_are_regrouped(sizes, rows, start):
    ends = np.cumsum([0, *sizes])
    part = Part("p", lambda: (ARRAY[a:b] for a, b in itertools.pairwise(ends)))
    source = BatchSource("s", (part, Part("q", lambda: [ARRAY[:1]])))
    found = list(source.batches(rows, 0, start))
    assert [len(batch) for batch in found[:-1]] == [rows] * (len(found) - 1)
    together = np.concatenate([ARRAY[:0], *found])
    assert together.tolist() == ARRAY[: ends[-1]][start:].tolist()


def polars_frame():
    return pytest.importorskip("polars").from_arrow(TABLE).lazy()


def relation():
    duckdb = pytest.importorskip("duckdb")
    duckdb.register("isthmus_rows", TABLE)
    return duckdb.table("isthmus_rows")


def zarr_array():
    return pytest.importorskip("zarr").array(ARRAY)


class Loader:
    def __iter__(self):
        return iter(TABLE.to_batches(max_chunksize=9))


class FakeHub:
    """What isthmus uses of a Hugging Face Dataset."""

    def with_format(self, name):
        assert name == "arrow"
        return TABLE


FakeHub.__module__, FakeHub.__name__ = "datasets.arrow_dataset", "Dataset"


class FakeHubStream:
    """What is needed of an IterableDataset of the Hugging Face library."""

    def with_format(self, kind):
        assert kind == "arrow"
        return self

    def iter(self, batch_size):
        return (TABLE[start : start + 9] for start in range(0, 70, 9))


FakeHubStream.__module__ = "datasets.iterable_dataset"
FakeHubStream.__name__ = "IterableDataset"


@pytest.mark.parametrize(
    "make",
    [
        lambda: pyarrow.dataset.dataset(TABLE),
        polars_frame,
        relation,
        zarr_array,
        Loader,
        FakeHub,
        FakeHubStream,
        lambda: lambda: iter(TABLE.to_batches(max_chunksize=9)),
        lambda: lambda: (ARRAY[i : i + 7] for i in range(0, 70, 7)),
    ],
)
def test_objects_are_read_as_often_as_needed(make):
    X = make()
    source = source_of(X)
    expected = ARRAY if source.form.columns is None else TABLE
    for _ in range(2):
        assert plain(source.read()) == plain(expected)
    rows = opening.opened(X)
    assert np.shape(rows) == expected.shape  # small data are read into memory


def test_parts_of_a_parquet_dataset_are_row_groups(tmp_path):
    write(tmp_path / "k=1" / "a.parquet", TABLE)
    source = source_of(pyarrow.dataset.dataset(tmp_path, partitioning="hive"))
    assert [part.rows for part in source.parts] == [15, 15, 15, 15, 10]
    assert source.read()["k"].to_pylist() == [1] * 70
    some = pyarrow.dataset.dataset(tmp_path).filter(pyarrow.dataset.field("n") < 9)
    assert source_of(some).read()["n"].to_pylist() == list(range(9))


def test_more_than_fits_becomes_a_source(monkeypatch, tmp_path):
    write(tmp_path / "a.parquet", TABLE)
    np.save(tmp_path / "a.npy", ARRAY)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert opening.opened(mapped) is mapped
    monkeypatch.setattr(opening, "MOST_BYTES_IN_MEMORY", 800)
    for X in (str(tmp_path / "*.parquet"), tmp_path / "a.parquet", mapped, Loader()):
        assert isinstance(opening.opened(X), BatchSource)
    with pytest.raises(InvalidData, match=r"can be read only once"):
        opening.opened(pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches(8)))
    monkeypatch.setattr(opening, "MOST_BYTES_IN_MEMORY", 840)
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches(8))
    assert opening.opened(reader).equals(TABLE)


@pytest.mark.parametrize("X", [[[1.0, 2.0]], ARRAY, TABLE, int, (), None, {"a": 1}])
def test_other_objects_are_unchanged(X):
    assert opening.opened(X) is X


def test_images_are_parts(tmp_path):
    for i in range(3):
        Image.fromarray(np.full((4, 5), i, np.uint8)).save(tmp_path / f"{i}.png")
    source = files_source(tmp_path)
    assert source.matrix_bytes == 4 * 3 * 20
    assert source.read().tolist() == reading.read(tmp_path).X.tolist()


def test_a_table_beside_images_does_not_hide_them(tmp_path):
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "0.png")
    write(tmp_path / "labels.csv", TABLE)
    assert reading.read(tmp_path).X.shape == (1, 4, 5)
    assert reading.image_names(tmp_path) == ["0.png"]


def test_bad_files_are_all_named(tmp_path):
    for name in "abcd":
        write(tmp_path / f"{name}.parquet", TABLE)
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-50])
    (tmp_path / "c.parquet").write_bytes(b"PAR1, but text" * 9)
    with pytest.raises(UnreadableFile, match=r"2 bad of 4: .*b.parquet.*c.parquet"):
        files_source(tmp_path)
    (tmp_path / "b.parquet").write_bytes(b"")
    with pytest.raises(UnreadableFile, match=r"1 bad of 4: .*b.parquet.*an empty file"):
        files_source(tmp_path)


def test_a_damaged_row_group_is_named(tmp_path):
    write(tmp_path / "a.parquet", TABLE)
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[4:60] = bytes(56)
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"a.parquet, row group 0"):
        files_source(tmp_path).read()


def test_other_columns_are_named(tmp_path):
    write(tmp_path / "a.parquet", TABLE)
    write(tmp_path / "b.parquet", TABLE.rename_columns(["n", "x", "sort"]))
    with pytest.raises(UnreadableFile, match=r"b.parquet: expected the columns of .*a.parquet"):
        files_source(tmp_path)
    write(tmp_path / "b.parquet", TABLE.set_column(1, "x", pa.array(["text"] * 70)))
    with pytest.raises(UnreadableFile, match=r"b.parquet: expected cells of the types"):
        files_source(tmp_path)
    for column, ending in ((TABLE["x"], "csv"), (pa.array(["?"] * 70), "csv")):
        write(tmp_path / "csv" / "a.csv", TABLE)
        write(tmp_path / "csv" / f"b.{ending}", TABLE.set_column(0, "n", column))
    with pytest.raises(UnreadableFile, match=re.escape("b.csv, column 'n', line 2")):
        files_source(tmp_path / "csv").read()


def test_batches_of_another_form_are_refused():
    def source(second):
        return source_of(lambda: iter([ARRAY, second]))

    for second in (ARRAY[:, :2], TABLE, ARRAY.astype(np.float64)):
        with pytest.raises(SchemaMismatch, match=r"X: rows: expected"):
            source(second).read()
    with pytest.raises(InvalidData, match=r"rows: a table, or an array"):
        source(ARRAY[0]).read()
    assert source(ARRAY.astype(np.float16)).read().dtype == np.float32
    with pytest.raises(InvalidData, match=r"a function that returned int"):
        source_of(lambda: 3).read()
    with pytest.raises(InvalidData, match=r"at least one row"):
        source_of(lambda: iter(())).read()


def test_integers_and_numbers_have_a_common_type(tmp_path):
    write(tmp_path / "a.parquet", TABLE)
    write(tmp_path / "b.parquet", TABLE.set_column(0, "n", pa.array([0.5] * 70)))
    assert files_source(tmp_path).read()["n"].to_pylist() == [*map(float, range(70)), *[0.5] * 70]


def test_parts_without_rows_are_named(tmp_path):
    write(tmp_path / "a.csv", TABLE)
    write(tmp_path / "b.csv", TABLE[:0])
    with pytest.warns(DataWarning, match=r"no rows in .*b.csv"):
        assert len(files_source(tmp_path).read()) == 70


def test_addresses_are_read_through_fsspec():
    system = pytest.importorskip("fsspec").filesystem("memory")
    for i in range(2):
        with system.open(f"/lake/k/{i}.parquet", "wb") as file:
            pq.write_table(TABLE[35 * i : 35 * (i + 1)], file)
    for address in ("memory://lake", "memory://lake/k/*.parquet"):
        assert opening.opened(address).equals(TABLE)
    with system.open("/lake/notes.txt", "wb") as file:
        file.write(b"hello")
    with pytest.raises(UnreadableFile, match=r"all of one format, received .*notes.txt"):
        opening.opened("memory://lake")
    with pytest.raises(UnreadableFile, match="memory://nothing"):
        opening.opened("memory://nothing")


def test_addresses_are_recognised_in_paths(tmp_path):
    assert address_of("s3://bucket/a//b") == "s3://bucket/a//b"
    assert address_of(Path("https://host/rows.parquet")) == "https://host/rows.parquet"
    for path in ("C:/rows.csv", "rows.csv", Path("C:/rows.csv"), tmp_path, 3, None):
        assert address_of(path) is None


def test_zarr_folders_are_read(tmp_path):
    zarr = pytest.importorskip("zarr")
    X = np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)
    for i in range(2):
        array = zarr.create_array(tmp_path / f"{i}.zarr", shape=(35, 3), chunks=(8, 3), dtype="f4")
        array[:] = X[35 * i : 35 * (i + 1)]
    for path, expected in ((tmp_path / "0.zarr", X[:35]), (tmp_path / "*.zarr", X)):
        np.testing.assert_array_equal(files_source(path).read(), expected)
        np.testing.assert_array_equal(reading.read(path).X, expected)
        np.testing.assert_array_equal(opening.opened(str(path)), expected)
    source = files_source(tmp_path / "*.zarr")
    assert source.rows == 70
    zarr.create_group(tmp_path / "group.zarr")
    with pytest.raises(UnreadableFile, match="a group of arrays"):
        files_source(tmp_path / "group.zarr")
