"""Zarr arrays in folders as sources; zarr is imported only when one is opened."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import MissingExtra, UnreadableFile
from isthmus.data.file_errors import readable
from isthmus.data.sources.source import BatchSource, RowForm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from isthmus.data.sources.source import Part

_MARKS = ("zarr.json", ".zarray", ".zgroup")


def is_zarr(path: Path) -> bool:
    """Whether a path is the folder of a Zarr array, or of a group of them."""
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def zarr_source(
    name: str, folders: Sequence[Path], ranges: Callable[[str, int, Any, int], list[Part]]
) -> BatchSource:
    """Return Zarr arrays, one after the other, as a source.

    Parameters
    ----------
    name : str
        Names them in messages.
    folders : sequence of Path
        The arrays, whose first axis is that of the rows.
    ranges : callable
        Divides the rows of an array into parts of at least so many rows, of whole chunks.

    Raises
    ------
    MissingExtra
        zarr is not installed.
    UnreadableFile
        A folder has no array of numbers with at least 2 dimensions.
    """
    arrays = [_opened(folder) for folder in folders]
    parts = []
    for folder, array in zip(folders, arrays, strict=True):
        parts += ranges(str(folder), array.shape[0], partial(_rows, folder, array), array.chunks[0])
    first = arrays[0]
    form = RowForm(None, tuple(first.shape[1:]), np.dtype(first.dtype))
    return BatchSource(name, tuple(parts), form)


def _opened(folder: Path) -> Any:
    try:
        import zarr
    except ImportError as error:
        raise MissingExtra(
            str(folder), expected="zarr", received=str(error), remedy="pip install 'isthmus[zarr]'"
        ) from None
    with readable(folder):
        found: Any = zarr.open(str(folder), mode="r")
    shape = getattr(found, "shape", None)
    if shape is None or len(shape) < 2 or found.dtype.kind not in "biuf":
        raise UnreadableFile(
            str(folder),
            expected="an array of numbers with at least 2 dimensions",
            received="a group of arrays" if shape is None else f"{found.dtype}, shape {shape}",
            remedy="name one array of the group, such as 'data.zarr/x'",
        )
    return found


def _rows(folder: Path, array: Any, start: int, stop: int) -> Any:
    with readable(folder):
        return array[start:stop]
