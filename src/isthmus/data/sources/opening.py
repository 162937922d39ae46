"""Opens what a user passes as data: rows in memory if they fit, else a source of batches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.core.errors import InvalidData
from isthmus.data import reading
from isthmus.data.formats.image_options import AS_STORED, ImageOptions
from isthmus.data.formats.text_options import DETECT, TextOptions
from isthmus.data.sources import files, objects
from isthmus.data.sources.remote import address_of, remote_source

if TYPE_CHECKING:
    from isthmus.data.sources.source import BatchSource

MOST_BYTES_IN_MEMORY = 1 << 30
"""Rows whose float32 matrix is larger are read in batches.

A constant, not a fraction of the memory there is: the same data and seed give the same model on
every machine.
"""


def opened(X: Any, *, text: TextOptions = DETECT, images: ImageOptions = AS_STORED) -> Any:
    """Return rows in memory, or a `BatchSource` if they are too many.

    Parameters
    ----------
    X : object
        A path of a file or a folder, a pattern of paths, an address such as ``"s3://..."``, an
        object that `isthmus.data.sources.objects.source_of` recognises, or anything else, which is
        returned unchanged.
    text, images
        As for `isthmus.data.reading.read`.

    Raises
    ------
    UnreadableFile, InvalidData
        Files cannot be read, or `X` yields its batches only once.
    """
    if type(X) is np.ndarray:  # the usual case, and quick
        return X
    if isinstance(X, (str, os.PathLike)):
        path = os.fspath(X)
        if not path or not isinstance(path, str):
            return X  # an empty path would be the current folder
        address = address_of(X)
        if address is None:
            return opened_path(path, text=text, images=images)
        X = remote_source(address)
    if isinstance(X, pa.RecordBatchReader):
        return _read_once(X)
    source = objects.source_of(X)
    if source is None:
        return X
    size = source.matrix_bytes
    if size is None:
        rows = objects.read_at_most(source, MOST_BYTES_IN_MEMORY)
        return source if rows is None else rows
    if size > MOST_BYTES_IN_MEMORY:
        return source
    return X if hasattr(X, "__array__") else objects.read_at_most(source, size)


def opened_path(
    path: str | os.PathLike[str], *, text: TextOptions = DETECT, images: ImageOptions = AS_STORED
) -> Any:
    """Return what `opened` does, for a path."""
    source = large_source(path, text=text, images=images)
    return reading.read(path, text=text, images=images).X if source is None else source


def large_source(
    path: str | os.PathLike[str], *, text: TextOptions = DETECT, images: ImageOptions = AS_STORED
) -> BatchSource | None:
    """Return the files of a path as a source if their rows are too many for memory, else None.

    Raises
    ------
    UnreadableFile
        Files cannot be read; the message names them.
    """
    address = address_of(path)
    if address is not None:
        return _large(remote_source(address))
    if not files.is_pattern(path) and not Path(path).exists():
        return None
    source = files.files_source(path, text=text, images=images)
    return None if source is None else _large(source)


def _large(source: BatchSource) -> BatchSource | None:
    size = source.matrix_bytes
    if size is None:
        return source if objects.read_at_most(source, MOST_BYTES_IN_MEMORY) is None else None
    return source if size > MOST_BYTES_IN_MEMORY else None


def _read_once(reader: pa.RecordBatchReader) -> pa.Table:
    """Return the rows of a reader, which can be read only once, if they fit in memory."""
    held, cells = [], 0
    for batch in reader:
        held.append(batch)
        cells += batch.num_rows * batch.num_columns
        if 4 * cells > MOST_BYTES_IN_MEMORY:
            raise InvalidData(
                "X",
                expected="rows that fit in memory, or that can be read several times",
                received="a RecordBatchReader with more, which can be read only once",
                remedy="pass a function that returns a new reader, or write the rows to Parquet",
            )
    return pa.Table.from_batches(held, reader.schema)
