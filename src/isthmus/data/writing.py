"""Arrays and tables to files, atomically: an existing file stays whole until the new one is."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import CannotWrite, InvalidData
from isthmus.data.formats import images
from isthmus.data.formats.catalogue import WRITTEN, FileFormat
from isthmus.data.formats.conversion import as_array
from isthmus.data.frames import is_table


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
        Whether an existing file may be replaced.

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
        The file exists already, the folder is absent or may not be written, or the disk is
        full. Nothing has changed.
    """
    path = Path(path)
    form = WRITTEN[path.suffix.lower()] if path.suffix else None
    if not is_table(data):
        data = np.asarray(data)
    if path.exists() and not overwrite:
        raise CannotWrite(
            str(path),
            expected="a path where no file exists",
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
    if form is None:
        _write_pictures(path, data)
    else:
        atomic_write(path, lambda file: _encode(form, file, data))
    return path


def _encode(form: FileFormat, file: BinaryIO, data: Any) -> None:
    try:
        form.load().write(file, data)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InvalidData(
            "data",
            expected="columns of types that the format has",
            received=str(error).splitlines()[0],
            remedy="drop or convert the column, or choose another format",
        ) from None


def _only_pictures(folder: Path) -> bool:
    return all(entry.suffix == ".png" and entry.is_file() for entry in folder.iterdir())


def _write_pictures(path: Path, data: Any) -> None:
    """Fill a folder beside `path`, then put it in its place in one step."""
    array = images.as_pictures(as_array(data))
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
    """Move a folder to `path`; an existing one is set aside until that is done."""
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
