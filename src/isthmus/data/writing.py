"""Arrays and tables to files, all or nothing: what stood there stays whole until the new is."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from isthmus.core.atomic_files import atomic_write
from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import CannotWrite, InvalidData
from isthmus.data.formats import images
from isthmus.data.frames import is_table, to_arrow

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def write(path: str | os.PathLike[str], data: Any, *, overwrite: bool = False) -> Path:
    """Write data in the format that the path's ending names.

    Parameters
    ----------
    path : str or path
        .csv, .parquet, .npy or .npz; without an ending, a folder of PNG pictures.
    data : ndarray, DataFrame or Table
        Arrays in .csv and .parquet get columns x0, x1, ...; tables in .npy and .npz must be all
        numbers. Pictures are (n, h, w) or (n, h, w, channels) in 0..255, rounded and clipped.
    overwrite : bool
        Whether what stands there may be replaced.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InvalidParameter
        The ending is of no known format.
    InvalidData
        The data cannot be kept in that format.
    CannotWrite
        Something stands there already, the folder is absent or may not be written, or the disk is
        full. Nothing has changed.
    """
    path = Path(path)
    writer = _WRITERS[path.suffix.lower()] if path.suffix else None
    if not is_table(data):
        data = np.asarray(data)
    if path.exists() and not overwrite:
        raise CannotWrite(
            str(path),
            expected="a path where nothing stands",
            received="one that is taken",
            remedy="choose another, or allow to replace it (--force, overwrite=True)",
        )
    if path.is_dir() and (path.suffix or not _only_pictures(path)):
        raise CannotWrite(
            str(path),
            expected="a file, or a folder of nothing but PNG files, to replace",
            received="a folder",
            remedy="choose another path",
        )
    if writer is None:
        _write_pictures(path, data)
    else:
        atomic_write(path, lambda file: _encode(writer, file, data))
    return path


def _encode(writer: Callable[[BinaryIO, Any], None], file: BinaryIO, data: Any) -> None:
    try:
        writer(file, data)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InvalidData(
            "data",
            expected="columns of types that the format has",
            received=str(error).splitlines()[0],
            remedy="drop or convert the column, or choose another format",
        ) from None


def _only_pictures(folder: Path) -> bool:
    return all(entry.suffix == ".png" and entry.is_file() for entry in folder.iterdir())


def _write_csv(file: BinaryIO, data: Any) -> None:
    table = _table(data)
    for i, field in enumerate(table.schema):
        plain = table.column(i)
        if pt.is_dictionary(field.type):
            plain = plain.cast(field.type.value_type)
        if pt.is_float16(plain.type):
            plain = plain.cast(pa.float32())
        if pt.is_duration(plain.type):
            plain = plain.cast(pa.int64())
        table = table.set_column(i, field.name, plain)
    pc.write_csv(table, file)


def _write_parquet(file: BinaryIO, data: Any) -> None:
    pq.write_table(_table(data), file)


def _write_npy(file: BinaryIO, data: Any) -> None:
    np.lib.format.write_array(file, _array(data), allow_pickle=False)


def _write_npz(file: BinaryIO, data: Any) -> None:
    np.savez_compressed(file, X=_array(data))


def _write_pictures(path: Path, data: Any) -> None:
    """Fill a folder beside `path`, then put it in its place in one step."""
    array = images.as_pictures(_array(data))
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        partial.mkdir()
        images.write_folder(partial, array)
        for each in (*partial.iterdir(), partial):
            _flush(each)
        _put(partial, path)
    except OSError as error:
        raise CannotWrite(
            f"could not write {str(path)!r} ({error.strerror or error}); nothing there was changed",
            remedy="choose a folder that exists, has room, and may be written",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put(partial: Path, path: Path) -> None:
    """Move a folder to `path`; one that stands there is set aside until that is done."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.old")
    if path.exists():
        path.replace(aside)
    try:
        partial.replace(path)
    except OSError:
        if aside.exists():
            aside.replace(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _table(data: Any) -> pa.Table:
    if is_table(data):
        return to_arrow(data)
    if data.ndim not in (1, 2) or data.dtype.kind not in "biufUM":
        raise InvalidData(
            "data",
            expected="a table, or an array of 1 or 2 dimensions",
            received=f"shape {data.shape} of {data.dtype}",
            remedy="flatten each sample, or write to .npy",
        )
    columns = data.reshape(len(data), -1).T
    return pa.table({f"x{i}": np.ascontiguousarray(column) for i, column in enumerate(columns)})


def _array(data: Any) -> NDArray[Any]:
    """Return data as an array of plain numbers or text."""
    if is_table(data):
        table = to_arrow(data)
        plain = (pt.is_integer, pt.is_floating, pt.is_boolean)
        others = [f.name for f in table.schema if not any(test(f.type) for test in plain)]
        if others:
            raise InvalidData(
                f"column {others[0]!r}",
                expected="numbers, as an array has no other columns",
                received=str(table.schema.field(others[0]).type),
                remedy="write the table to .csv or .parquet",
            )
        data = np.column_stack([column.to_numpy() for column in table.columns])
    if data.dtype.kind not in "biufSUM":
        raise InvalidData(
            "data",
            expected="an array of numbers",
            received=str(data.dtype),
            remedy="convert it, for example with array.astype(float)",
        )
    array: NDArray[Any] = data
    return array


_WRITERS: Catalogue[Callable[[Any, Any], None]] = Catalogue(
    "output ending",
    {
        ".csv": _write_csv,
        ".parquet": _write_parquet,
        ".npy": _write_npy,
        ".npz": _write_npz,
    },
)
