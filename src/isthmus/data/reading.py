"""Reads data files as arrays and tables, whole or as a stream of batches.

Nothing is unpickled. The formats are those of `isthmus.data.formats.catalogue`.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.core.catalogue import nearest
from isthmus.core.errors import DataWarning, InvalidParameter, UnreadableFile
from isthmus.data.file_errors import readable
from isthmus.data.formats.arrays import MOST_CELLS
from isthmus.data.formats.catalogue import FOLDER, FileFormat, endings, format_of
from isthmus.data.formats.image_options import AS_STORED, ImageOptions
from isthmus.data.formats.text_options import DETECT, TextOptions
from isthmus.data.frames import unique_names
from isthmus.data.sources.files import files_source, has_parts, is_pattern
from isthmus.data.sources.remote import address_of, remote_source

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from isthmus.data.formats.arrays import Arrays
    from isthmus.data.sources.source import BatchSource


@dataclass(frozen=True, eq=False)
class Dataset:
    """The content of a file.

    Parameters
    ----------
    name : str
        The file's name without its ending.
    X : ndarray of shape (n, *sample_shape), or pyarrow.Table
        The samples.
    y : ndarray of shape (n,), optional
        Their labels.
    X_test, y_test
        The file's own test samples and their labels.
    names : list of str, optional
        For a folder of images, the file of each sample, such as ``"cat/a.png"``.
    """

    name: str
    X: NDArray[Any] | pa.Table
    y: NDArray[Any] | None = None
    X_test: NDArray[Any] | pa.Table | None = None
    y_test: NDArray[Any] | None = None
    names: list[str] | None = None


def read(
    path: str | os.PathLike[str],
    *,
    label: str | None = None,
    text: TextOptions = DETECT,
    images: ImageOptions = AS_STORED,
) -> Dataset:
    """Read a whole file, or a folder of images.

    Parameters
    ----------
    path : str or path
        .csv, .tsv, .parquet, .arrow, .npy, .npz (one array; X and y; or x_train, y_train, x_test
        and y_test as in Keras), IDX, a folder of PNG, JPEG, TIFF, WebP or BMP images, whose
        subfolders are labels, or a folder or pattern (``"lake/*.parquet"``) of data files with the
        same columns; or the address of such files on another machine (``"s3://..."``).
    label : str, optional
        The column of a table, or the array of an .npz file, that holds labels.
    text : TextOptions
        What is known about a .csv or .tsv file, such as a fitted schema's `text_options`. Other
        formats store their types and ignore it.
    images : ImageOptions
        How the images of a folder are converted, such as a fitted schema's `image_options`. Other
        formats ignore it.

    Raises
    ------
    UnreadableFile
        The file is missing, empty, damaged or not of the format that its name says, or a cell is
        not of its column's type.
    InvalidParameter
        There is no column or array of that name.
    """
    if (parts := _parts(path, text)) is not None:
        return _read_parts(Path(path), parts, label)
    path = Path(path)
    with readable(path):
        form = _format(path)
        if form.holds == "table":
            return _split_label(path, form.load().read(path, text), label)
        if form.named:
            arrays: Arrays = form.load().read(path, label)
        elif label is not None:
            raise _no_label(path, label)
        else:
            arrays = form.load().read(path, images) if form is FOLDER else form.load().read(path)
    return Dataset(_stem(path), *arrays)


def image_names(path: str | os.PathLike[str]) -> list[str] | None:
    """Return the names of the images of a folder in the order of the rows; None for a file.

    Raises
    ------
    UnreadableFile
        The path does not exist, or the folder has no images.
    """
    if address_of(path) is not None:
        return None
    path = Path(path)
    if is_pattern(path) or has_parts(path):
        return None
    with readable(path):
        form = _format(path)
        return form.load().names(path) if form is FOLDER else None


def stream(
    path: str | os.PathLike[str],
    *,
    rows: int = 65536,
    text: TextOptions = DETECT,
    images: ImageOptions = AS_STORED,
) -> Iterator[NDArray[Any] | pa.Table]:
    """Read a file in batches, in constant memory but for .npz and IDX.

    Parameters
    ----------
    path : str or path
        As for `read`.
    rows : int
        Rows per batch; the last batch may have fewer, and all of them if samples are large.
    text, images
        As for `read`.

    Warns
    -----
    DataWarning
        An .npz file also holds test rows, which are not read.

    Raises
    ------
    UnreadableFile
        As for `read`; also if a CSV column changes its type after the first rows.
    """
    if isinstance(rows, bool) or not isinstance(rows, (int, np.integer)) or rows < 1:
        raise InvalidParameter(
            "rows", expected="an integer of at least 1", received=repr(rows), remedy="rows=65536"
        )
    if (parts := _parts(path, text)) is not None:
        return parts.stream(int(rows))
    path = Path(path)
    with readable(path):
        form = _format(path)
    if form is FOLDER:
        return _image_batches(path, int(rows), images)
    batches = _table_batches if form.holds == "table" else _array_batches
    return batches(path, form, int(rows), text)


def _parts(path: str | os.PathLike[str], text: TextOptions) -> BatchSource | None:
    """Return files on another machine, a folder of data files or those of a pattern, else None."""
    address = address_of(path)
    if address is not None:
        return remote_source(address)
    if is_pattern(path) or has_parts(Path(path)):
        return files_source(path, text=text)
    return None


def _read_parts(path: Path, parts: BatchSource, label: str | None) -> Dataset:
    rows = parts.read()
    if isinstance(rows, pa.Table):
        return _split_label(path, rows, label)
    if label is not None:
        raise _no_label(path, label)
    return Dataset(_stem(path), rows)


def _image_batches(path: Path, rows: int, images: ImageOptions) -> Iterator[NDArray[Any]]:
    with readable(path):
        yield from FOLDER.load().batches(path, rows, images)


def _table_batches(
    path: Path,
    form: FileFormat,
    rows: int,
    text: TextOptions,
) -> Iterator[pa.Table]:
    with readable(path):
        yield from _rebatched(path, form.load().batches(path, rows, text), rows)


def _array_batches(
    path: Path, form: FileFormat, rows: int, _text: object
) -> Iterator[NDArray[Any]]:
    if form.mapped:
        with readable(path):
            X = form.load().mapped(path)
    else:
        data = read(path)
        X = data.X
        if data.X_test is not None:
            warnings.warn(
                f"{path.name} also holds test rows: the {len(X)} rows of x_train are read, "
                f"the {len(data.X_test)} of x_test are left out. "
                "Try: to read those, save them as a separate file: numpy.save"
                f"('x_test.npy', numpy.load('{path.name}')['x_test']).",
                DataWarning,
                stacklevel=2,
            )
    rows = min(rows, max(1, MOST_CELLS // math.prod(X.shape[1:])))
    for start in range(0, len(X), rows):
        with readable(path):
            batch = np.array(X[start : start + rows])
        yield batch


def read_images(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    mode: str | None = None,
    resample: str = "bilinear",
) -> Dataset:
    """Read a folder of images, whatever their sizes and modes.

    A model that is fitted on ``X`` remembers `size`, `mode` and `resample`, and reads other folders
    in the same way: ``model.transform("other_folder")``.

    Parameters
    ----------
    path : str or path
        A folder of PNG, JPEG, TIFF, WebP or BMP images, or of such folders, whose names are labels.
    size : (int, int), optional
        Height and width in pixels, which images are resized to, whatever their proportions. By
        default, all images have one size.
    mode : str, optional
        ``"grey"``, ``"grey-alpha"``, ``"rgb"`` or ``"rgba"`` with 8 bits, or ``"grey16"``,
        ``"grey-alpha16"``, ``"rgb16"`` or ``"rgba16"``. By default, all images have one mode, and
        keep it.
    resample : str
        The filter for resizing: ``"nearest"``, ``"box"``, ``"bilinear"``, ``"bicubic"`` or
        ``"lanczos"``. All but ``"nearest"`` average when they reduce an image.

    Returns
    -------
    Dataset
        With `X` of shape (n, height, width) or (n, height, width, channels), the labels `y` or
        None, and `names`, the files that the rows come from.

    Raises
    ------
    InvalidParameter
        A setting is invalid.
    UnreadableFile
        The path is not a folder, or as for `read`.
    """
    path = Path(path)
    options = ImageOptions(size, mode, resample).checked()
    if path.exists() and not path.is_dir():
        raise UnreadableFile(
            str(path),
            expected="a folder of images",
            received="a file",
            remedy="pass the folder that it is in",
        )
    return read(path, images=options)


def _format(path: Path) -> FileFormat:
    """Return the format of an existing file or folder, by its ending."""
    if not path.exists():
        folder = path.parent if path.parent.is_dir() else Path()
        others = sorted(entry.name for entry in folder.iterdir())
        raise UnreadableFile(
            str(path),
            expected="an existing file or folder",
            received="a path that does not exist",
            remedy=nearest(path.name, others) or "check the path",
        )
    if not path.is_dir() and not path.stat().st_size:
        raise UnreadableFile(
            str(path), expected="data", received="an empty file", remedy="save the file again"
        )
    form = format_of(path)
    if form is not None:
        return form
    raise UnreadableFile(
        str(path),
        expected=endings(),
        received=f"the ending {path.suffix!r}" if path.suffix else "no ending",
        remedy="rename or convert the file",
    )


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.name.removesuffix(".gz").rsplit(".", 1)[0]


def _no_label(path: Path, label: str) -> InvalidParameter:
    return InvalidParameter(
        "label",
        expected=f"none, because {path.name} has no named columns",
        received=repr(label),
        remedy="leave label out, or put the data in a table or an .npz file",
    )


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
            remedy=nearest(label, names) or "give the name of the column of labels",
        )
    return Dataset(_stem(path), table.drop_columns([label]), label_values(table, label))


def label_values(table: pa.Table, label: str) -> NDArray[Any]:
    """Return the values of a column of labels, (n,)."""
    column = table.column(label)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values: NDArray[Any] = column.to_numpy()
    return values


def _no_rows(path: Path) -> UnreadableFile:
    return UnreadableFile(
        str(path),
        expected="at least one row",
        received="only column names",
        remedy="save the file again, with its rows",
    )


def _rebatched(path: Path, batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Split and join batches into tables of `rows` rows; the last table may have fewer."""
    held: list[pa.RecordBatch] = []
    count = total = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        total += batch.num_rows
        while count >= rows:
            table = pa.Table.from_batches(held)
            yield table.slice(0, rows)
            held = table.slice(rows).to_batches()
            count -= rows
    if count:
        yield pa.Table.from_batches(held)
    if not total:
        raise _no_rows(path)
