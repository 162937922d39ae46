"""The file formats by name. A new one is one file in this folder and one line here.

The command line lists them in its help, so nothing heavy is imported until a file is opened.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from isthmus.core.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class FileFormat:
    """A file format, and the module that reads and writes it.

    Parameters
    ----------
    name : str
        A short name.
    title : str
        The name as help and messages show it.
    module : str
        A module in this folder. It defines ``read``; ``batches`` if it holds tables, or ``mapped``
        if a file of arrays can be read in part; and ``write`` if isthmus writes the format.
    endings : tuple of str
        Endings of file names; a folder has none.
    holds : "table" or "arrays"
        What a file is read as.
    gzip : bool
        Whether files may be compressed by gzip, with .gz after the ending.
    named : bool
        Whether one file can hold several named arrays.
    mapped : bool
        Whether an array can be memory-mapped and so read in part.
    written : bool
        Whether isthmus writes the format.
    """

    name: str
    title: str
    module: str
    endings: tuple[str, ...]
    holds: Literal["table", "arrays"]
    gzip: bool = False
    named: bool = False
    mapped: bool = False
    written: bool = True

    def load(self) -> Any:
        """Import the module that reads and writes the format."""
        return importlib.import_module(f"isthmus.data.formats.{self.module}")

    def fits(self, file_name: str) -> bool:
        """Whether a file of this name is in the format."""
        name = file_name.lower()
        name = name.removesuffix(".gz") if self.gzip else name
        return name.endswith(self.endings)


_FORMATS = (
    FileFormat("csv", "CSV", "csv_files", (".csv",), "table", gzip=True),
    FileFormat("tsv", "TSV", "csv_files", (".tsv",), "table", gzip=True, written=False),
    FileFormat("parquet", "Parquet", "parquet_files", (".parquet",), "table"),
    FileFormat("arrow", "Arrow", "arrow_files", (".arrow", ".feather"), "table"),
    FileFormat("npy", "NPY", "npy_files", (".npy",), "arrays", mapped=True),
    FileFormat("npz", "NPZ", "npz_files", (".npz",), "arrays", named=True),
    FileFormat("idx", "IDX", "idx_files", (".idx", "ubyte"), "arrays", gzip=True, written=False),
)
FORMATS: Catalogue[FileFormat] = Catalogue("file format", {each.name: each for each in _FORMATS})
"""The formats that are files, in the order in which help lists them."""

FOLDER = FileFormat("images", "a folder of images", "images", (), "arrays")
"""The format of folders."""

WRITTEN: Catalogue[FileFormat] = Catalogue(
    "output ending", {ending: f for f in _FORMATS if f.written for ending in f.endings}
)
"""By ending, the format in which a file is written."""

TABLES = tuple(ending for ending, each in WRITTEN.items() if each.holds == "table")
"""Endings of files of tables that isthmus writes."""
ARRAYS = tuple(ending for ending, each in WRITTEN.items() if each.holds == "arrays")
"""Endings of files of arrays that isthmus writes."""
WRITABLE = (*TABLES, *ARRAYS, "")
"""Endings of all that isthmus writes; a folder of images has none."""
READABLE = f"{', '.join(each.title for each in _FORMATS)} file, or {FOLDER.title}"
"""All that can be read, for help texts."""


def format_of(path: Path) -> FileFormat | None:
    """Return the format of a path by its ending, or None; other names in .gz are taken as IDX."""
    if path.is_dir():
        return FOLDER
    for each in _FORMATS:
        if each.fits(path.name):
            return each
    return FORMATS["idx"] if path.name.lower().endswith(".gz") else None


def output_choices(endings: Sequence[str]) -> str:
    """Return endings of outputs as part of a sentence: ``.csv, .parquet or a folder``."""
    *others, last = [ending or "a folder" for ending in endings]
    return f"{', '.join(others)} or {last}" if others else last


def endings() -> str:
    """Return the endings that can be read, as part of a sentence."""
    listed = [e + (" (also .gz)" if f.gzip else "") for f in _FORMATS for e in f.endings]
    return f"{', '.join(listed)}, or {FOLDER.title}"
