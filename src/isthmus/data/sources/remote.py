"""Files on other machines as sources, by addresses such as ``s3://bucket/folder``."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING, Any

from isthmus.core.errors import MissingExtra, UnreadableFile
from isthmus.data.file_errors import readable
from isthmus.data.formats.catalogue import FORMATS
from isthmus.data.sources.objects import of_dataset

if TYPE_CHECKING:
    from isthmus.data.sources.source import BatchSource

_FORMATS = {"parquet": "parquet", "arrow": "ipc", "csv": "csv"}
"""Formats that are read, with pyarrow's names for them."""


def is_address(path: object) -> bool:
    """Whether a path is the address of files on another machine."""
    return isinstance(path, str) and "://" in path


def remote_source(address: str) -> BatchSource:
    """Return the files of an address as a source; a folder and a pattern are those of all files.

    They are read through fsspec, in place. CSV files are read as pyarrow does.

    Raises
    ------
    MissingExtra
        fsspec, or the package for this kind of address, is not installed.
    UnreadableFile
        There are no Parquet, Arrow or CSV files, or they cannot be read.
    """
    try:
        import fsspec
    except ImportError as error:
        raise _missing(address, error) from None
    from pyarrow import dataset

    with readable(address):
        try:
            system, path = fsspec.core.url_to_fs(address)
        except ImportError as error:
            raise _missing(address, error) from None
        files = _files(system, path)
        kinds = {kind for kind in _FORMATS for file in files if FORMATS[kind].fits(file)}
        if len(kinds) != 1 or not all(FORMATS[kind].fits(f) for kind in kinds for f in files):
            raise UnreadableFile(
                address,
                expected="Parquet, Arrow or CSV files, all of one format",
                received=", ".join(files[:5]) or "none",
                remedy="name them by a pattern, such as 's3://bucket/folder/*.parquet'",
            )
        (kind,) = kinds
        return of_dataset(dataset.dataset(files, filesystem=system, format=_FORMATS[kind]))


def _files(system: Any, path: str) -> list[str]:
    if glob.has_magic(path):
        return sorted(system.glob(path))
    found = sorted(system.find(path)) if system.isdir(path) else [path]
    hidden = (".", "_")
    return [file for file in found if not file.rsplit("/", 1)[-1].startswith(hidden)]


def _missing(address: str, error: ImportError) -> MissingExtra:
    kind = address.split("://", 1)[0]
    return MissingExtra(
        address,
        expected=f"fsspec with its package for {kind}",
        received=str(error),
        remedy="pip install 'isthmus[remote]', and s3fs for s3 or gcsfs for gs",
    )
