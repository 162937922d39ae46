"""Writes arrays and tables to files, atomically: a file is replaced only by a complete one."""

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
    """Write data in the format of the path's ending.

    Parameters
    ----------
    path : str or path
        .csv, .parquet, .npy or .npz; without an ending, a folder of PNG images.
    data : ndarray, DataFrame or Table
        The columns of an array in .csv and .parquet are named x0, x1, ... A table in .npy and .npz
        may hold only numbers. Images are (n, h, w) or (n, h, w, channels) in 0..255; values are
        rounded and clipped.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InvalidParameter
        No format that isthmus writes has this ending.
    InvalidData
        The format cannot hold these data.
    CannotWrite
        The file exists, its folder is missing or not writable, or the disk is full. No file has
        changed.
    """
    path = Path(path)
    form = WRITTEN[path.suffix.lower()] if path.suffix else None
    if not is_table(data):
        data = np.asarray(data)
    if path.exists() and not overwrite:
        raise CannotWrite(
            str(path),
            expected="a path that does not exist",
            received="an existing one",
            remedy="choose another path, or replace it: --force, overwrite=True",
        )
    if path.is_dir() and (path.suffix or not _holds_only_png(path)):
        raise CannotWrite(
            str(path),
            expected="a file, or a folder that holds only PNG files",
            received="a folder",
            remedy="choose another path",
        )
    if form is None:
        _write_images(path, data)
    else:
        atomic_write(path, lambda file: _encode(form, file, data))
    return path


def _encode(form: FileFormat, file: BinaryIO, data: Any) -> None:
    try:
        form.load().write(file, data)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InvalidData(
            "data",
            expected="columns of types that the format can hold",
            received=str(error).splitlines()[0],
            remedy="drop or convert the column, or choose another format",
        ) from None


def _holds_only_png(folder: Path) -> bool:
    return all(entry.suffix == ".png" and entry.is_file() for entry in folder.iterdir())


def _write_images(path: Path, data: Any) -> None:
    """Write the images to a temporary folder, then rename it to `path` in one step."""
    array = images.as_images(as_array(data))
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        partial.mkdir()
        images.write_folder(partial, array)
        for each in (*partial.iterdir(), partial):
            _flush(each)
        _swap_in(partial, path)
    except OSError as error:
        raise CannotWrite(
            f"could not write {str(path)!r} ({error.strerror or error}); nothing there was changed",
            remedy="choose an existing, writable folder on a disk with free space",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _swap_in(partial: Path, path: Path) -> None:
    """Rename a folder to `path`; an existing one is restored if that fails."""
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
