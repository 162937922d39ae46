"""The batches of rows that a codec is given: rows in memory, an iterator, or a source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.array_rows import rows_of
from isthmus.core.errors import IsthmusError, UnreadableFile
from isthmus.data import reading
from isthmus.data.formats.image_options import AS_STORED, ImageOptions
from isthmus.data.sources import objects, opening
from isthmus.data.sources.remote import address_of, remote_source
from isthmus.data.sources.selection import sampled
from isthmus.data.sources.source import BatchSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from isthmus.compression.row_codec import RowCodec

_MOST_SAMPLED = 1 << 16
_BATCH = 1 << 16


def batches(X: Any) -> Iterator[tuple[RowCodec, Any]]:
    """Yield the row codec and the rows: all at once, or each batch of an iterator or a source."""
    return map(rows_of, _given_batches(of_path(X) if isinstance(X, (str, os.PathLike)) else X))


def of_path(path: str | os.PathLike[str], images: ImageOptions = AS_STORED) -> Any:
    """Return rows of files: an array mapped into memory, an iterator of batches, or a source.

    Parameters
    ----------
    path : path
        A file, a folder, a pattern or an address.
    images : ImageOptions
        The conversion of images.

    Raises
    ------
    UnreadableFile
        There are no such files, or they cannot be read.
    """
    address = address_of(path)
    if address is not None:
        return remote_source(address)
    file = Path(path)
    if file.suffix.lower() != ".npy" or not file.is_file():
        return iter(reading.stream(path, images=images, rows=_BATCH))
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableFile(
            str(path),
            expected="a numeric array in NumPy's format",
            received=str(error).splitlines()[0][:200],
            remedy="check that the file is complete, or save it again with numpy.save",
        ) from None


def _given_batches(X: Any) -> Iterable[Any]:
    source = None if _is_given(X) else objects.source_of(X)
    if source is not None:
        return _of_parts(source)
    return X if hasattr(X, "__next__") else [X]


def _of_parts(source: BatchSource) -> Iterator[Any]:
    """Yield batches as they are, such as DataFrames of pandas, which are restored as such."""
    for part in source.parts:
        try:
            yield from part.open()
        except IsthmusError as error:
            raise error.about(part.name) from None


def to_learn_from(X: Any) -> Any:
    """Return the rows of a source in memory, or a random sample if they are many; else `X`."""
    if _is_given(X):
        return X
    rows = opening.opened(X)
    return sampled(rows, _MOST_SAMPLED).rows if isinstance(rows, BatchSource) else rows


def _is_given(X: Any) -> bool:
    """Whether `X` is rows in memory, mapped into memory, or an iterator."""
    return isinstance(X, (np.ndarray, list, tuple)) or hasattr(X, "__next__")
