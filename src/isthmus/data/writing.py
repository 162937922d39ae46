"""Writes arrays and tables to files, atomically: a file is replaced only by a complete one."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa

from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import CannotWrite, InvalidData
from isthmus.data.formats import image_writing
from isthmus.data.formats.catalogue import WRITTEN, FileFormat
from isthmus.data.formats.conversion import as_array, as_table
from isthmus.data.frames import is_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from isthmus.data.formats.image_options import PixelType

_FEWEST_DIGITS, _MOST_DIGITS = 4, 8
"""Of the numbers that name images; the most, if it is not known how many there are."""


def write(
    path: str | os.PathLike[str],
    data: Any,
    *,
    overwrite: bool = False,
    pixels: PixelType | None = None,
    names: Sequence[str] | None = None,
) -> Path:
    """Write data in the format of the path's ending.

    Parameters
    ----------
    path : str or path
        .csv, .parquet, .npy or .npz; without an ending, a folder of images.
    data : ndarray, DataFrame or Table
        The columns of an array in .csv and .parquet are named x0, x1, ... A table in .npy and .npz
        may hold only numbers. Images are (n, h, w) or (n, h, w, channels); values are rounded and
        clipped to the range of `pixels`.
    overwrite : bool
        Whether an existing file may be replaced.
    pixels : str, optional
        The type of the pixels of a folder of images, such as ``"uint16"``; by default 16 bits for
        an array of uint16, and 8 bits for others.
    names : sequence of str, optional
        The files that the images were made from, such as ``"cat/a.jpg"``; they are written under
        the same names, as PNG or TIFF. By default ``"0000.png"``, ``"0001.png"``, ...

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
    MissingExtra
        Images need TIFF files of a kind for which tifffile is not installed.
    """
    path = Path(path)
    form = WRITTEN[path.suffix.lower()] if path.suffix else None
    if not is_table(data):
        data = np.asarray(data)
    _check_target(path, overwrite=overwrite)
    if form is None:
        digits = max(_FEWEST_DIGITS, len(str(len(data) - 1)))
        _write_images(path, [data], pixels, names, digits)
    elif form.holds == "table":
        _write_tables(path, form, [data])
    else:
        atomic_write(path, lambda file: form.load().write(file, data))
    return path


def write_parts(
    path: str | os.PathLike[str],
    parts: Iterable[Any],
    *,
    overwrite: bool = False,
    pixels: PixelType | None = None,
    names: Sequence[str] | None = None,
) -> int:
    """Write data that come in parts, and return the number of rows.

    Memory is constant for tables, folders of images and .npy files; for .npz, all parts are held.
    The first part of a table determines the types of its columns.

    Parameters
    ----------
    path, overwrite, pixels, names
        As for `write`.
    parts : iterable of ndarray or Table
        At least one.

    Raises
    ------
    InvalidParameter, InvalidData, CannotWrite, MissingExtra
        As for `write`; also errors of the iterable itself, and then nothing is written.
    """
    path = Path(path)
    _check_target(path, overwrite=overwrite)
    if not path.suffix:
        return _write_images(path, parts, pixels, names, _MOST_DIGITS)
    form = WRITTEN[path.suffix.lower()]
    if form.holds == "table":
        return _write_tables(path, form, parts)
    held = iter(parts)
    first = next(held)
    if isinstance(first, np.ndarray) and path.suffix.lower() == ".npy":
        return _write_array(path, itertools.chain([first], held))
    every = [first, *held]
    whole = np.concatenate(every) if isinstance(first, np.ndarray) else pa.concat_tables(every)
    write(path, whole, overwrite=overwrite)
    return len(whole)


def _check_target(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise CannotWrite(
            str(path),
            expected="a path that does not exist",
            received="an existing one",
            remedy="choose another path, or replace it: --force, overwrite=True",
        )
    if path.is_dir() and (path.suffix or not _holds_only_images(path)):
        raise CannotWrite(
            str(path),
            expected="a file, or a folder that holds only PNG and TIFF files",
            received="a folder",
            remedy="choose another path",
        )


def _write_tables(path: Path, form: FileFormat, parts: Iterable[Any]) -> int:
    """Write tables, or arrays as tables, as one file; the types are those of the first."""
    tables = map(as_table, parts)
    first = next(tables)
    rows = 0

    def checked() -> Iterator[pa.Table]:
        nonlocal rows
        for table in itertools.chain([first], tables):
            if table.column_names != first.column_names:
                raise pa.ArrowInvalid(f"columns {table.column_names} after {first.column_names}")
            yield table.cast(first.schema)
            rows += len(table)

    def encode(file: BinaryIO) -> None:
        try:
            form.load().write(file, checked(), first.schema)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InvalidData(
                "data",
                expected="columns of types that the format can hold, the same in all rows",
                received=str(error).splitlines()[0],
                remedy="drop or convert the column, or choose another format",
            ) from None

    atomic_write(path, encode)
    return rows


def _holds_only_images(folder: Path) -> bool:
    return all(
        entry.suffix.lower() in image_writing.ENDINGS and entry.is_file()
        for each in folder.iterdir()
        for entry in (each.iterdir() if each.is_dir() else (each,))
    )


def _write_array(path: Path, parts: Iterable[NDArray[Any]]) -> int:
    """Write arrays as one .npy file; its header, which has room for any length, comes last."""
    rows = 0

    def encode(file: BinaryIO) -> None:
        nonlocal rows
        for part in parts:
            array = np.ascontiguousarray(as_array(part))
            if not rows:
                np.lib.format.write_array_header_1_0(file, _header(array, 0))
            file.write(array.data)
            rows += len(array)
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, _header(array, rows))

    atomic_write(path, encode)
    return rows


def _header(array: NDArray[Any], rows: int) -> dict[str, Any]:
    return {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": (rows, *array.shape[1:]),
    }


def _write_images(
    path: Path,
    parts: Iterable[Any],
    pixels: PixelType | None,
    names: Sequence[str] | None,
    digits: int,
) -> int:
    """Write images to a temporary folder, rename it to `path` in one step; return their number."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        partial.mkdir()
        rows = _fill(partial, parts, pixels, names, digits)
        for each in (*partial.rglob("*"), partial):
            _flush(each)
        _swap_in(partial, path)
    except OSError as error:
        raise CannotWrite(
            f"could not write {str(path)!r} ({error.strerror or error}); nothing there was changed",
            remedy="choose an existing, writable folder on a disk with free space",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return rows


def _fill(
    folder: Path,
    parts: Iterable[Any],
    pixels: PixelType | None,
    names: Sequence[str] | None,
    digits: int,
) -> int:
    """Write images to an empty folder."""
    rows, chosen = 0, None
    for part in parts:
        images = image_writing.as_pixels(as_array(part), pixels)
        if chosen is None and names is not None:
            chosen = image_writing.file_names(names, images[0])
        if chosen is not None and len(chosen) < rows + len(images):
            raise InvalidData(
                "the names of images",
                expected="one for each image",
                received=f"{len(chosen):,} for more images",
                remedy="leave the names out",
            )
        usual = image_writing.usual_ending(images[0])
        for row, image in enumerate(images, rows):
            file = folder / (chosen[row] if chosen else f"{row:0{digits}d}{usual}")
            file.parent.mkdir(exist_ok=True)
            image_writing.write_image(file, image)
        rows += len(images)
    return rows


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
