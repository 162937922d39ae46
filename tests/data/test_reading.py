"""Reading common files, and files that are not what their names say."""

import gzip
import struct
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from isthmus.core.errors import DataWarning, InvalidData, InvalidParameter, UnreadableFile
from isthmus.data import reading

CSV = b"n,word,when,empty\n1,a,2020-01-01,\n,b,2020-01-02,x\n3,,,\n"
TABLE = pa.table(
    {"n": list(range(10)), "x": [i / 4 for i in range(10)], "kind": list("abababaaab")}
)
IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


def idx(array: np.ndarray, code: int = 8) -> bytes:
    big = array.astype(array.dtype.newbyteorder(">"))
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + big.tobytes()


@pytest.fixture
def put(tmp_path):
    def write(name, content):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def test_csv_has_types_and_missing_cells(put):
    data = reading.read(str(put("my.data.csv", CSV)))
    assert data.name == "my.data"
    assert data.y is None
    assert [str(t) for t in data.X.schema.types] == ["int64", "string", "date32[day]", "string"]
    assert data.X.column("n").to_pylist() == [1, None, 3]
    assert data.X.column("word").to_pylist() == ["a", "b", None]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"a;b\n1;2\n3;4\n"),
        ("a.csv", b"a\tb\n1\t2\n3\t4\n"),
        ("a.csv", b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4\r\n"),
        ("a.tsv", b"a\tb\n1\t2\n3\t4\n"),
        ("A.CSV", b"a,b\n1,2\n3,4"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0)),
        ("a.tsv.gz", gzip.compress(b"a\tb\n1\t2\n3\t4\n", mtime=0)),
    ],
)
def test_dialects_of_csv(put, name, content):
    path = put(name, content)
    assert reading.read(path).X.to_pydict() == {"a": [1, 3], "b": [2, 4]}
    assert [batch.to_pydict() for batch in reading.stream(path, rows=1)] == [
        {"a": [1], "b": [2]},
        {"a": [3], "b": [4]},
    ]


def test_quoted_cells_may_hold_delimiters_and_new_lines(put):
    table = reading.read(put("a.csv", b'a,b\n"1,x","x\ny"\n2,"say ""hi"""\n')).X
    assert table.to_pydict() == {"a": ["1,x", "2"], "b": ["x\ny", 'say "hi"']}


def test_csv_without_a_header_keeps_its_first_row(put):
    with pytest.warns(DataWarning, match="first line of a.csv is all numbers"):
        data = reading.read(put("a.csv", b"1,2.5\n3,4\n"))
    assert data.X.to_pydict() == {"x0": [1, 3], "x1": [2.5, 4.0]}


def test_a_column_becomes_the_label(tmp_path):
    pq.write_table(TABLE, tmp_path / "t.parquet")
    data = reading.read(tmp_path / "t.parquet", label="kind")
    assert data.X.column_names == ["n", "x"]
    assert data.y.tolist() == list("abababaaab")
    with pytest.raises(InvalidParameter, match=r"received 'knd'.*did you mean 'kind'"):
        reading.read(tmp_path / "t.parquet", label="knd")


@pytest.mark.parametrize("rows", [1, 3, 5, 100])
def test_streams_cover_every_row_once(tmp_path, rows):
    pq.write_table(TABLE, tmp_path / "t.parquet", row_group_size=4)
    pa.csv.write_csv(TABLE, tmp_path / "t.csv")
    for name in ("t.parquet", "t.csv"):
        batches = list(reading.stream(tmp_path / name, rows=rows))
        assert pa.concat_tables(batches).equals(TABLE)
        assert all(batch.num_rows == rows for batch in batches[:-1])
    X = np.arange(20.0).reshape(10, 2)
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", X)
    for name in ("x.npy", "x.npz"):
        batches = list(reading.stream(tmp_path / name, rows=rows))
        np.testing.assert_array_equal(np.concatenate(batches), X)
        assert max(map(len, batches)) <= rows


def test_a_stream_says_which_rows_of_an_archive_it_leaves_out(tmp_path):
    X = np.arange(10.0).reshape(5, 2)
    np.savez(tmp_path / "x.npz", x_train=X, x_test=X[:2])
    with pytest.warns(DataWarning, match=r"the 2 of x_test are left out\. Try: .*numpy\.save"):
        batches = list(reading.stream(tmp_path / "x.npz", rows=3))
    np.testing.assert_array_equal(np.concatenate(batches), X)


def test_a_stream_says_where_a_column_changes_its_type(put):
    path = put("a.csv", b"a,b\n" + b"1,2\n" * (5 << 20) + b"x,2\n")
    with pytest.raises(UnreadableFile, match=r"'a', line 5242882: expected int64.*value 'x'"):
        list(reading.stream(path))


@pytest.mark.parametrize("rows", [0, -1, 2.5, True, None])
def test_a_batch_has_at_least_one_row(put, rows):
    with pytest.raises(InvalidParameter, match="rows"):
        reading.stream(put("a.csv", CSV), rows=rows)


def test_npz_layouts(tmp_path):
    keras = {"x_train": IMAGES, "y_train": [[1], [2], [3]], "x_test": IMAGES[:2], "y_test": [1, 2]}
    np.savez_compressed(tmp_path / "keras.npz", **keras)
    data = reading.read(tmp_path / "keras.npz")
    assert data.y.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(data.X_test, IMAGES[:2])
    assert data.y_test.tolist() == [1, 2]
    np.savez(tmp_path / "xy.npz", X=IMAGES, y=list("abc"))
    assert reading.read(tmp_path / "xy.npz").y.tolist() == ["a", "b", "c"]
    np.savez(tmp_path / "one.npz", whatever=IMAGES)
    np.testing.assert_array_equal(reading.read(tmp_path / "one.npz").X, IMAGES)
    np.savez(tmp_path / "two.npz", data=IMAGES, kinds=[1, 2, 3])
    assert reading.read(tmp_path / "two.npz", label="kinds").y.tolist() == [1, 2, 3]
    with pytest.raises(UnreadableFile, match="received data, kinds"):
        reading.read(tmp_path / "two.npz")
    with pytest.raises(InvalidParameter, match="did you mean 'kinds'"):
        reading.read(tmp_path / "two.npz", label="kind")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_find_their_labels(put, pack):
    ending = "" if pack is bytes else ".gz"
    put(f"train-labels-idx1-ubyte{ending}", pack(idx(np.array([7, 8, 9], np.uint8))))
    data = reading.read(put(f"train-images-idx3-ubyte{ending}", pack(idx(IMAGES))))
    np.testing.assert_array_equal(data.X, IMAGES)
    assert data.y.tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    ("code", "dtype"), [(9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")]
)
def test_idx_types(put, code, dtype):
    array = np.arange(-6, 6).reshape(3, 4).astype(dtype)
    found = reading.read(put("a.idx", idx(array, code))).X
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype(dtype)


def test_folders_of_pictures(tmp_path):
    for label, pictures in (("cat", IMAGES[:2]), ("dog", IMAGES[2:])):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / "pets" / label / f"{i}.PNG")
    (tmp_path / "pets" / "notes.txt").write_text("mine")
    data = reading.read(tmp_path / "pets")
    assert data.name == "pets"
    np.testing.assert_array_equal(data.X, IMAGES)
    assert data.y.tolist() == ["cat", "cat", "dog"]
    assert data.names == ["cat/0.PNG", "cat/1.PNG", "dog/0.PNG"]
    assert reading.read(tmp_path / "pets" / "cat").y is None

    Image.fromarray(IMAGES[0, :2]).save(tmp_path / "pets" / "dog" / "odd.png")
    with pytest.raises(UnreadableFile, match=r"4 × 5 grey \(3, .*2 × 5 grey \(1, .*dog/odd\.png"):
        reading.read(tmp_path / "pets")
    Image.fromarray(IMAGES[0]).save(tmp_path / "pets" / "loose.png")
    with pytest.raises(UnreadableFile, match=r"received both: loose\.png and cat"):
        reading.read(tmp_path / "pets")


@pytest.mark.parametrize(
    ("mode", "shape"),
    [
        ("1", (4, 5)),
        ("L", (4, 5)),
        ("I;16", (4, 5)),
        ("P", (4, 5, 3)),
        ("RGB", (4, 5, 3)),
        ("RGBA", (4, 5, 4)),
    ],
)
def test_modes_of_pictures(tmp_path, mode, shape):
    Image.new(mode, (5, 4)).save(tmp_path / "a.png")
    assert reading.read(tmp_path).X.shape == (1, *shape)


def test_jpeg_pictures(tmp_path):
    Image.new("RGB", (5, 4)).save(tmp_path / "a.jpeg")
    assert reading.read(tmp_path).X.shape == (1, 4, 5, 3)


def test_a_decompression_bomb_is_refused(tmp_path):
    Image.new("1", (20000, 10000)).save(tmp_path / "a.png")
    with pytest.raises(UnreadableFile, match=r"a\.png.*pixels"):
        reading.read(tmp_path)


def npy(array, **options):
    import io

    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


OBJECTS = npy(np.array([[{}]], dtype=object), allow_pickle=True)
NUMBERS = npy(np.arange(12.0).reshape(4, 3))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "received an empty file"),
        ("a.npy", b"", "received an empty file"),
        ("a.csv", b"a,b\n", "expected at least one row"),
        ("a.csv", b"\n\n", "Empty CSV"),
        ("a.csv", b"a,b\n1,2\n\n3\n", r"line 4: expected 2 columns.*received 1"),
        ("a.csv", b"a,b\n1,2\n3,4,5\n", r"line 3: expected 2 columns.*received 3"),
        ("a.csv", b"a,b\n1,\x81\n", "expected text in UTF-8, UTF-16 or Windows-1252"),
        ("a.csv.gz", gzip.compress(CSV * 99, mtime=0)[:-9], "Compressed file ended"),
        ("a.csv.gz", CSV, "a complete .gz file"),
        ("a.parquet", CSV, "Parquet magic bytes"),
        ("a.npz", CSV, "expected an .npz file, which is a zip archive"),
        ("a.npz", NUMBERS, "expected an .npz file, which is a zip archive"),
        ("a.npy", CSV, "expected an array in NumPy's format"),
        ("a.npy", OBJECTS, "Python objects, which are never unpickled"),
        ("a.npy", NUMBERS[:-1], "fewer bytes than shape"),
        ("a.npy", NUMBERS.replace(b"(4, 3), }  ", b"(4, 1<<9),}"), "malformed"),
        ("a.npy", NUMBERS.replace(b"(4, 3), }      ", b"(4, 33333333),}"), "fewer bytes"),
        ("a.npy", npy(np.zeros((0, 3))), "at least one row"),
        ("a.npy", npy(np.zeros(3)), "2 dimensions"),
        ("a.npy", npy(np.array([["a"]])), "expected numbers"),
        ("a.npy", npy(np.zeros(3, [("a", "f4")])), "expected numbers"),
        ("a.idx", CSV, "IDX file"),
        ("a.gz", CSV, "IDX file"),
        ("a.idx", idx(IMAGES)[:-1], r"expected 60 bytes for shape \(3, 4, 5\), received fewer"),
        ("a.idx", idx(IMAGES) + b"0", "received more"),
        ("a.idx", b"\0\0\x08\x03" + b"\xff" * 12, "received fewer"),
        ("a.idx", b"\0\0\x08\x03\0\0", "received fewer"),
        (
            "a-idx3-ubyte.gz",
            gzip.compress(idx(IMAGES), mtime=0)[:-9],
            "Compressed file ended|received fewer",
        ),
        ("a.xlsx", b"PK", r"expected \.csv.*received the ending '\.xlsx'"),
        ("a", b"PK", "received no ending"),
        ("folder/a.png", b"PK", r"a\.png.*cannot identify"),
        ("folder/a.txt", b"PK", "expected images .*received none"),
    ],
)
def test_what_cannot_be_read_is_named(put, name, content, message):
    path = put(name, content)
    path = path.parent if name.startswith("folder") else path
    with pytest.raises(UnreadableFile, match=message) as caught:
        reading.read(path)
    assert caught.value.remedy
    with pytest.raises(UnreadableFile):
        list(reading.stream(path))


def test_columns_of_one_name_are_refused(put):
    with pytest.raises(InvalidData, match="more than one named 'a'"):
        reading.read(put("a.csv", b"a,a\n1,2\n"))


def test_objects_and_lengths_within_npz(tmp_path):
    np.savez(tmp_path / "o.npz", X=np.array([[{}]], dtype=object))
    with pytest.raises(UnreadableFile, match=r"'X'.*never unpickled"):
        reading.read(tmp_path / "o.npz")
    np.savez(tmp_path / "y.npz", X=IMAGES, y=[1, 2])
    with pytest.raises(UnreadableFile, match=r"expected 3 labels.*received shape \(2,\)"):
        reading.read(tmp_path / "y.npz")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(UnreadableFile, match="no array"):
        reading.read(tmp_path / "none.npz")


def test_a_damaged_npz_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", X=IMAGES)
    whole = (tmp_path / "a.npz").read_bytes()
    for place in range(0, len(whole), 3):
        (tmp_path / "b.npz").write_bytes(
            whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        )
        try:
            found = reading.read(tmp_path / "b.npz").X
        except UnreadableFile:
            continue
        np.testing.assert_array_equal(found, IMAGES)


def test_a_missing_file_suggests_its_neighbour(put):
    path = put("data.csv", CSV)
    with pytest.raises(UnreadableFile, match=r"does not exist.*did you mean 'data\.csv'"):
        reading.read(path.with_name("dta.csv"))
    with pytest.raises(UnreadableFile, match="does not exist"):
        reading.read(path / "no" / "such")


def test_labels_are_for_files_with_names(put):
    with pytest.raises(InvalidParameter, match="label: expected none"):
        reading.read(put("a.npy", NUMBERS), label="y")


def test_a_shared_archive_is_read(shared):
    data = reading.read(shared / "data" / "mnist.npz")
    assert data.X.shape[1:] == data.X_test.shape[1:] == (28, 28)
    assert len(data.X) == len(data.y)


@pytest.mark.nightly
def test_streaming_parquet_takes_constant_memory(tmp_path):
    writer = None
    for seed in range(20):
        columns = np.random.default_rng(seed).random((30, 200_000), dtype=np.float32)
        table = pa.table({f"c{i}": column for i, column in enumerate(columns)})
        writer = writer or pq.ParquetWriter(tmp_path / "big.parquet", table.schema)
        writer.write_table(table)
    writer.close()
    code = (
        "import resource, sys; from isthmus.data import reading\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "rows = sum(batch.num_rows for batch in reading.stream(sys.argv[1]))\n"
        "print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "big.parquet")]
    rows, kib = map(int, subprocess.check_output(command, text=True).split())
    assert rows == 4_000_000
    assert kib < 300_000
