"""Files on other machines as sources, by addresses such as ``s3://bucket/folder``."""

from __future__ import annotations

import glob
import os
import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from isthmus.core.errors import IsthmusError, MissingExtra, UnreadableFile
from isthmus.data.file_errors import readable
from isthmus.data.formats.catalogue import FORMATS
from isthmus.data.sources.objects import of_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isthmus.data.sources.source import BatchSource, Part

_FORMATS = {"parquet": "parquet", "arrow": "ipc", "csv": "csv"}
"""Formats that are read, with pyarrow's names for them."""

_ADDRESS = re.compile(r"(?P<kind>[A-Za-z][A-Za-z0-9+.-]+):/{1,2}(?=[^/])")


def address_of(path: object) -> str | None:
    """Return the address that a path is: of files on another machine; None for other paths.

    A `Path` joins the slashes of an address, which this takes apart again.
    """
    if not isinstance(path, (str, os.PathLike)):
        return None
    if isinstance(path, str):
        return path if "://" in path else None
    text = path.as_posix() if isinstance(path, PurePath) else os.fspath(path)
    found = _ADDRESS.match(text) if isinstance(text, str) else None
    if found is None or Path(path).exists():
        return None
    return f"{found['kind']}://{text[found.end() :]}"


def remote_source(address: str) -> BatchSource:
    """Return the files of an address as a source; a folder and a pattern are those of all files.

    They are read through fsspec, in place if the server can send parts of a file. CSV files are
    read as pyarrow does.

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

    with _answered(address):
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
        if _is_web(system) and not all(system.info(file).get("partial") for file in files):
            system = _copying(system)
        found = of_dataset(dataset.dataset(files, filesystem=system, format=_FORMATS[kind]))
    return replace(found, name=address, parts=tuple(map(_answering, found.parts)))


def _answering(part: Part) -> Part:
    """Return a part whose errors name it."""

    def batches() -> Iterator[Any]:
        with _answered(part.name):
            yield from part.open()

    return replace(part, open=batches)


@contextmanager
def _answered(address: str) -> Iterator[None]:
    """Turn the errors of other machines into UnreadableFile: each package has its own."""
    try:
        with readable(address):
            yield
    except IsthmusError:
        raise
    except Exception as error:
        raise UnreadableFile(
            address,
            expected="files that you may read",
            received=f"{type(error).__name__}: {error}"[:300],
            remedy="check the address, and that you are signed in",
        ) from error


def _files(system: Any, path: str) -> list[str]:
    if glob.has_magic(path):
        return sorted(system.glob(path))
    if _is_web(system) and any(FORMATS[kind].fits(path) for kind in _FORMATS):
        return [path]  # to ask whether it is a folder would fetch the file
    found = sorted(system.find(path)) if system.isdir(path) else [path]
    hidden = (".", "_")
    return [file for file in found if not file.rsplit("/", 1)[-1].startswith(hidden)]


def _copying(system: Any) -> Any:
    """Return a file system that copies whole files to a temporary folder before they are read.

    Some web servers cannot send parts of a file, but Parquet is not read from front to back.
    """
    from fsspec.implementations.cached import SimpleCacheFileSystem

    return SimpleCacheFileSystem(fs=system)


def _is_web(system: Any) -> bool:
    protocol = system.protocol
    return "http" in ((protocol,) if isinstance(protocol, str) else protocol)


def _missing(address: str, error: ImportError) -> MissingExtra:
    kind = address.split("://", 1)[0]
    return MissingExtra(
        address,
        expected=f"fsspec with its package for {kind}",
        received=str(error),
        remedy="pip install 'isthmus[remote]', and s3fs for s3 or gcsfs for gs",
    )
