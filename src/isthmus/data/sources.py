"""Files people have, as arrays and tables: whole, or as a stream of batches.

Nothing is ever unpickled. Tables are read through pyarrow; Parquet without its read-ahead buffer,
which would hold a gigabyte for a file of one.
"""

from __future__ import annotations

import gzip
import re
import struct
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from isthmus.core.catalogue import nearest
from isthmus.core.errors import DataWarning, InvalidParameter, IsthmusError, UnreadableFile
from isthmus.data import arrayfiles, pictures
from isthmus.data.frames import unique_names

if TYPE_CHECKING:
    import io
    import os
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from isthmus.data.arrayfiles import Arrays

ENDINGS = (
    ".csv, .tsv (also .gz), .parquet, .npy, .npz, .idx or -ubyte (also .gz), "
    "or a folder of PNG or JPEG files"
)
_FIRST_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 24
_FAULTS: tuple[type[Exception], ...] = (
    *(OSError, ValueError, EOFError, OverflowError, NotImplementedError),
    *(zlib.error, struct.error, pa.ArrowException),
)
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a file holds.

    Parameters
    ----------
    name : str
        The file's name without its ending.
    X : ndarray of shape (n, *sample_shape), or pyarrow.Table
        The samples.
    y : ndarray of shape (n,), optional
        Their labels.
    X_test, y_test
        A part that the file sets aside for tests.
    """

    name: str
    X: NDArray[Any] | pa.Table
    y: NDArray[Any] | None = None
    X_test: NDArray[Any] | pa.Table | None = None
    y_test: NDArray[Any] | None = None


def read(path: str | os.PathLike[str], *, label: str | None = None) -> Dataset:
    """Read a file, or a folder of pictures, whole.

    Parameters
    ----------
    path : str or path
        .csv, .tsv, .parquet, .npy, .npz (one array; X and y; or keras' x_train, y_train, x_test,
        y_test), IDX, or a folder of PNG or JPEG pictures, whose sub-folders are labels.
    label : str, optional
        A table's column, or an .npz file's array, that is not data but labels.

    Raises
    ------
    UnreadableFile
        It is missing, empty, damaged, or not what its name says.
    InvalidParameter
        There is no such label.
    """
    path = Path(path)
    with _readable(path):
        kind = _kind(path)
        if kind in _TABLES:
            return _split_label(path, _TABLES[kind](path), label)
        if kind == "npz":
            arrays = arrayfiles.read_npz(path, label)
        elif label is not None:
            raise InvalidParameter(
                "label",
                expected=f"nothing, as {path.name} has no named columns",
                received=repr(label),
                remedy="leave label out, or put the data in a table or an .npz file",
            )
        else:
            arrays = _ARRAYS[kind](path)
    return Dataset(_stem(path), *arrays)


def stream(path: str | os.PathLike[str], *, rows: int = 65536) -> Iterator[NDArray[Any] | pa.Table]:
    """Read a file in batches, in constant memory for .csv, .tsv, .parquet and .npy.

    Parameters
    ----------
    path : str or path
        As for `read`.
    rows : int
        How many rows a batch has; the last one has what is left.

    Raises
    ------
    UnreadableFile
        As `read`; also where a CSV column turns out to be of another type than it began with.
    """
    if isinstance(rows, bool) or not isinstance(rows, (int, np.integer)) or rows < 1:
        raise InvalidParameter(
            "rows", expected="an integer of at least 1", received=repr(rows), remedy="rows=65536"
        )
    path = Path(path)
    with _readable(path):
        kind = _kind(path)
    return _stream(path, kind, int(rows))


def _stream(path: Path, kind: str, rows: int) -> Iterator[NDArray[Any] | pa.Table]:
    with _readable(path):
        if kind in _TABLES:
            parquet = kind == "parquet"
            batches = _parquet_batches(path, rows) if parquet else _csv_batches(path, kind)
            yield from _rebatched(path, batches, rows)
        else:
            X = arrayfiles.map_npy(path) if kind == "npy" else read(path).X
            for start in range(0, len(X), rows):
                yield np.array(X[start : start + rows])


def _kind(path: Path) -> str:
    """Return the format that a path's ending says, once something is there."""
    if not path.exists():
        folder = path.parent if path.parent.is_dir() else Path()
        others = sorted(entry.name for entry in folder.iterdir())
        raise UnreadableFile(
            str(path),
            expected="a file or folder",
            received="nothing there",
            remedy=nearest(path.name, others) or "check the path",
        )
    if path.is_dir():
        return "folder"
    if not path.stat().st_size:
        raise UnreadableFile(
            str(path), expected="data", received="an empty file", remedy="write the file again"
        )
    name = path.name.lower()
    bare = name.removesuffix(".gz")
    for kind in ("csv", "tsv"):
        if bare.endswith(f".{kind}"):
            return kind
    for kind in ("parquet", "npy", "npz"):
        if name.endswith(f".{kind}"):
            return kind
    if bare.endswith((".idx", "ubyte")) or name.endswith(".gz"):
        return "idx"
    raise UnreadableFile(
        str(path),
        expected=ENDINGS,
        received=f"the ending {path.suffix!r}" if path.suffix else "no ending",
        remedy="rename or convert the file",
    )


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.name.removesuffix(".gz").rsplit(".", 1)[0]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say of whatever goes wrong inside which file it was in."""
    try:
        yield
    except IsthmusError:
        raise
    except MemoryError:
        raise UnreadableFile(
            str(path),
            expected="data that fit the memory",
            received="more",
            remedy="convert the file to Parquet or .npy, which are read in batches",
        ) from None
    except _FAULTS as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise UnreadableFile(
            str(path),
            expected=f"a whole {path.suffix or 'picture'} file that may be read",
            received=lines[0][:300],
            remedy="check that the file is complete and is what its name says",
        ) from None


def _split_label(path: Path, table: pa.Table, label: str | None) -> Dataset:
    names = table.column_names
    unique_names(names)
    if not table.num_rows:
        raise _no_rows(path)
    if label is None:
        return Dataset(_stem(path), table)
    if label not in names or len(names) == 1:
        raise InvalidParameter(
            "label",
            expected=f"one of several columns of {path.name}: {', '.join(names[:20])}",
            received=repr(label),
            remedy=nearest(label, names) or "name the column that holds the labels",
        )
    column = table.column(label)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return Dataset(_stem(path), table.drop_columns([label]), column.to_numpy())


def _no_rows(path: Path) -> UnreadableFile:
    return UnreadableFile(
        str(path),
        expected="at least one row",
        received="none, only the names of columns",
        remedy="write the file again",
    )


def _csv_options(path: Path, kind: str) -> dict[str, Any]:
    """Choose the delimiter and whether the first line is a header, by looking at it."""
    with _unpacked(path) as file:
        first = file.read(_FIRST_BYTES).lstrip(b"\xef\xbb\xbf\r\n").split(b"\n", 1)[0]
    marks = {"tsv": b"\t", "csv": b","}
    others = [mark for mark in (b";", b"\t") if marks[kind] not in first and mark in first]
    delimiter = (others or [marks[kind]])[0]
    cells = first.decode("utf-8", "replace").strip("\r").split(delimiter.decode())
    headless = all(_NUMBER.fullmatch(cell.strip('"')) for cell in cells)
    if headless:
        warnings.warn(
            f"The first line of {path.name} is all numbers, so it is taken for data; "
            "the columns are called x0, x1, ...",
            DataWarning,
            stacklevel=4,
        )
    return {
        "parse_options": pc.ParseOptions(delimiter=delimiter.decode(), newlines_in_values=True),
        "convert_options": pc.ConvertOptions(strings_can_be_null=True),
        "read_options": pc.ReadOptions(
            block_size=_BLOCK_BYTES,
            column_names=[f"x{i}" for i in range(len(cells))] if headless else None,
        ),
    }


def _read_csv(path: Path, kind: str) -> pa.Table:
    options = _csv_options(path, kind)
    try:
        return _utf8(path, pc.read_csv(path, **options))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        # Only one thread knows the number of the line it stumbles over.
        options["read_options"].use_threads = False
        with _csv_errors(path):
            return _utf8(path, pc.read_csv(path, **options))


def _csv_batches(path: Path, kind: str) -> Iterator[pa.RecordBatch]:
    options = _csv_options(path, kind)
    options["read_options"].use_threads = False
    with _csv_errors(path), pc.open_csv(path, **options) as reader:
        unique_names(reader.schema.names)
        for batch in reader:
            yield _utf8(path, batch)


@contextmanager
def _csv_errors(path: Path) -> Iterator[None]:
    """Say in which line a CSV file is ragged, and which column changes its type."""
    try:
        yield
    except UnicodeDecodeError:
        raise _not_utf8(path, "the column names") from None
    except pa.ArrowInvalid as error:
        message = str(error)
        if row := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message):
            raise UnreadableFile(
                f"{path}, line {_line(path, int(row[1]))}",
                expected=f"{row[2]} columns, as in the first line",
                received=row[3],
                remedy="mend the line; text that holds the delimiter must be quoted",
            ) from None
        if clash := re.search(r"CSV column #(\d+): .* error to (\S+): (.*)", message):
            raise UnreadableFile(
                f"{path}, column {int(clash[1]) + 1}",
                expected=f"{clash[2]} as in the first rows",
                received=clash[3],
                remedy="mend the cell, or convert the file to Parquet, which stores the types",
            ) from None
        raise


def _line(path: Path, row: int) -> int:
    """Return the line on which a row stands; empty lines are no rows."""
    filled = 0
    with _unpacked(path) as file:
        for number, line in enumerate(file, start=1):
            filled += bool(line.strip())
            if filled == row:
                return number
    return row


def _unpacked(path: Path) -> io.BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _utf8(path: Path, table: Any) -> Any:
    """Return the table if all of it is text in UTF-8; names that are not raise on their own."""
    for name, field in zip(table.schema.names, table.schema, strict=True):
        if pa.types.is_binary(field.type):
            raise _not_utf8(path, f"column {name!r}")
    return table


def _not_utf8(path: Path, where: str) -> UnreadableFile:
    return UnreadableFile(
        str(path),
        expected="text in UTF-8",
        received=f"bytes that are not, in {where}",
        remedy="save the file again as UTF-8",
    )


def _open_parquet(path: Path) -> pq.ParquetFile:
    file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    unique_names(file.schema_arrow.names)
    return file


def _read_parquet(path: Path) -> pa.Table:
    with _open_parquet(path) as file:
        return file.read()


def _parquet_batches(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    with _open_parquet(path) as file:
        yield from file.iter_batches(batch_size=rows)


def _rebatched(path: Path, batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Cut and join batches to tables of `rows` rows; the last has what is left."""
    held: list[pa.RecordBatch] = []
    count = seen = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        seen += batch.num_rows
        while count >= rows:
            table = pa.Table.from_batches(held)
            yield table.slice(0, rows)
            held = table.slice(rows).to_batches()
            count -= rows
    if count:
        yield pa.Table.from_batches(held)
    if not seen:
        raise _no_rows(path)


_TABLES: dict[str, Callable[[Path], pa.Table]] = {
    "csv": partial(_read_csv, kind="csv"),
    "tsv": partial(_read_csv, kind="tsv"),
    "parquet": _read_parquet,
}
_ARRAYS: dict[str, Callable[[Path], Arrays]] = {
    "npy": arrayfiles.read_npy,
    "idx": arrayfiles.read_idx,
    "folder": pictures.read_folder,
}
