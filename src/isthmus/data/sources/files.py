"""Files and folders of files as sources: Parquet, Arrow, CSV, .npy and images."""

from __future__ import annotations

import glob
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from isthmus.core.errors import IsthmusError, UnreadableFile
from isthmus.core.name_lists import name_list
from isthmus.data.arrow_types import type_to_read
from isthmus.data.file_errors import readable
from isthmus.data.formats.catalogue import FORMATS, FileFormat, format_of
from isthmus.data.formats.image_options import AS_STORED, ImageOptions
from isthmus.data.formats.text_options import DETECT, TextOptions
from isthmus.data.sources.source import BatchSource, Part, RowForm
from isthmus.data.sources.zarr_arrays import is_zarr, zarr_source

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

_RANGE = 1 << 16
"""Rows of a part of an array."""
_IMAGES = 1 << 10
"""Images of a part of a folder."""
_BATCH = 1 << 14
"""Rows that are read from a file at a time."""
_CSV_BYTES = 2
"""Bytes of a CSV file for each byte of its matrix, at least: a cell has 4 bytes there."""
_GZIP = 4
"""Bytes of text for each byte of a compressed file."""
_PARTS = ("parquet", "arrow", "csv", "tsv", "npy")
"""Formats of the files of a folder."""
_MOST_FAULTS = 5


def is_pattern(path: str | os.PathLike[str]) -> bool:
    """Whether a path that does not exist is a pattern, such as ``"lake/*.parquet"``."""
    return glob.has_magic(str(path)) and not Path(path).exists()


def has_parts(path: Path) -> bool:
    """Whether a path is a Zarr array or a folder of data files rather than one of images."""
    if is_zarr(path):
        return True
    return path.is_dir() and not _has_images(path) and bool(_found(path))


def files_source(
    path: str | os.PathLike[str],
    *,
    text: TextOptions = DETECT,
    images: ImageOptions = AS_STORED,
) -> BatchSource | None:
    """Return a file, a folder or a pattern as a source; None if it is a file that is read whole.

    A folder is one of Parquet, Arrow, CSV or .npy files, all of one format and with the same
    columns, also in folders within it, a Zarr array, or a folder of images, which may have other
    files, too. Names that begin with ``.`` or ``_`` are left out.

    Raises
    ------
    UnreadableFile
        Files cannot be read, or there are none; the message names them.
    """
    path = Path(path)
    if is_pattern(path):
        found = _matches(path)
        if all(map(is_zarr, found)):
            return zarr_source(str(path), found, ranges)
        return _joined(str(path), found, text)
    if is_zarr(path):
        return zarr_source(str(path), [path], ranges)
    if not path.is_dir():
        form = format_of(path) if path.exists() else None
        known = form is not None and form.name in _PARTS and path.stat().st_size > 0
        return _joined(str(path), [path], text) if known else None
    if has_parts(path):
        return _joined(str(path), _found(path), text)
    return _images(path, images)


def _has_images(folder: Path) -> bool:
    from isthmus.data.formats import images

    with readable(folder):
        return images.has_images(folder)


def _matches(pattern: Path) -> list[Path]:
    root, *rest = pattern.parts
    inside = (
        Path(root).glob(str(Path(*rest))) if pattern.is_absolute() else Path().glob(str(pattern))
    )
    found = sorted(inside)
    files = [file for file in found if file.is_file() or is_zarr(file)]
    if not files:
        raise UnreadableFile(
            str(pattern),
            expected="files that match the pattern",
            received="none",
            remedy="check the path",
        )
    return files


def _found(folder: Path) -> list[Path]:
    """Return the data files of a folder and of the folders within it, in order of their paths."""
    shown = (
        file
        for file in folder.rglob("*")
        if not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    )
    return sorted(f for f in shown if _form(f) is not None and f.is_file())


def _form(file: Path) -> FileFormat | None:
    return next((FORMATS[name] for name in _PARTS if FORMATS[name].fits(file.name)), None)


def _joined(name: str, files: Sequence[Path], text: TextOptions) -> BatchSource:
    """Return files of one format as one source."""
    forms = {form.name: file for file in files if (form := _form(file)) is not None}
    strange = [str(file) for file in files if _form(file) is None]
    if strange or len(forms) != 1:
        seen = [str(file) for file in forms.values()]
        raise UnreadableFile(
            name,
            expected=f"files of one format: {', '.join(FORMATS[each].title for each in _PARTS)}",
            received=name_list(strange or seen),
            remedy="name the files by a pattern, such as 'folder/*.parquet'",
        )
    _refuse_bad(name, [_fault(file) for file in files])
    (kind,) = forms
    make = {"parquet": _of_parquet, "arrow": _of_arrow, "npy": _of_arrays}.get(kind)
    if make is not None:
        return make(name, files)
    return _of_text(name, files, text)


def _fault(file: Path) -> str:
    return "" if file.stat().st_size else f"{file} (an empty file)"


def _refuse_bad(name: str, faults: Sequence[str]) -> None:
    """Name the files that cannot be read, all in one message."""
    bad = [fault for fault in faults if fault]
    if bad:
        more = f" and {len(bad) - _MOST_FAULTS} more" if len(bad) > _MOST_FAULTS else ""
        raise UnreadableFile(
            name,
            expected="complete files that you may read",
            received=f"{len(bad)} bad of {len(faults)}: {'; '.join(bad[:_MOST_FAULTS])}{more}",
            remedy="write these files again, or move them out of the folder",
        )


def _opened_all(name: str, files: Sequence[Path], opened: Any) -> list[Any]:
    """Return what `opened` returns for each file; refuse all files for which it fails."""
    results, faults = [], []
    for file in files:
        fault = ""
        try:
            with readable(file):
                results.append(opened(file))
        except IsthmusError as error:
            fault = f"{file} ({error.received})"
        faults.append(fault)
    if len(files) > 1:
        _refuse_bad(name, faults)
    elif faults[0]:
        with readable(files[0]):
            opened(files[0])
    return results


def _of_parquet(name: str, files: Sequence[Path]) -> BatchSource:
    """Return Parquet files as a source; each row group is a part."""
    from isthmus.data.formats import parquet_files

    parts = []
    footers = _opened_all(name, files, parquet_files.footer)
    for file, footer in zip(files, footers, strict=True):
        for group in range(footer.num_row_groups):
            label = str(file) if footer.num_row_groups == 1 else f"{file}, row group {group}"
            read = partial(parquet_files.group_batches, file, _BATCH, group, footer)
            parts.append(_part(label, read, footer.row_group(group).num_rows))
    columns = _common(files, [footer.schema.to_arrow_schema() for footer in footers])
    return BatchSource(name, tuple(parts) or _nothing(files), columns)


def _of_arrow(name: str, files: Sequence[Path]) -> BatchSource:
    from isthmus.data.formats import arrow_files

    schemas = _opened_all(name, files, arrow_files.columns)
    counts = [_counted(file) for file in files]
    parts = [
        _part(str(file), partial(arrow_files.batches, file, _BATCH), count)
        for file, count in zip(files, counts, strict=True)
    ]
    return BatchSource(name, tuple(parts), _common(files, schemas))


def _counted(file: Path) -> int:
    """Return the number of rows of an Arrow file, which is only mapped."""
    from isthmus.data.formats import arrow_files

    with readable(file):
        return sum(batch.num_rows for batch in arrow_files.batches(file, _BATCH))


def _of_arrays(name: str, files: Sequence[Path]) -> BatchSource:
    from isthmus.data.formats import npy_files

    forms = _opened_all(name, files, lambda file: _ArrayForm.of(npy_files.mapped(file)))
    parts = []
    for file, form in zip(files, forms, strict=True):
        # Mapped anew for each part: pages of a mapped file count as memory of the process.
        parts += ranges(str(file), form.rows, partial(_mapped_rows, file))
    return BatchSource(name, tuple(parts), forms[0].of_rows)


class _ArrayForm(NamedTuple):
    rows: int
    of_rows: RowForm

    @classmethod
    def of(cls, X: Any) -> _ArrayForm:
        return cls(len(X), RowForm.of(X))


def _mapped_rows(file: Path, start: int, stop: int) -> Any:
    from isthmus.data.formats import npy_files

    with readable(file):
        return np.array(npy_files.mapped(file)[start:stop])


def ranges(
    name: str, count: int, rows_of: Callable[[int, int], Any], chunk_rows: int = 1
) -> list[Part]:
    """Return ranges of `count` rows as parts.

    Parameters
    ----------
    name : str
        Names them in messages.
    count : int
        Number of rows.
    rows_of : callable
        Returns the rows from start up to stop.
    chunk_rows : int
        Rows that are stored together: a part has whole chunks.
    """
    size = max(1, _RANGE // chunk_rows) * chunk_rows
    starts = range(0, count, size)

    def part(start: int) -> Part:
        stop = min(start + size, count)
        label = name if len(starts) == 1 else f"{name}, rows from {start}"
        return Part(label, lambda: iter([rows_of(start, stop)]), stop - start)

    return [part(start) for start in starts]


def _of_text(name: str, files: Sequence[Path], text: TextOptions) -> BatchSource:
    """Return CSV files as a source. The first rows of the first one determine the types."""
    form = _form(files[0])
    if form is None:
        raise AssertionError("its format is known")
    reader = form.load()

    @cache
    def known() -> TextOptions:
        if text.types:
            return text
        first = Part(str(files[0]), lambda: reader.batches(files[0], 1, text))
        columns = BatchSource(name, (first,)).form.columns or ()
        types = {f.name: type_to_read(f.type) for f in columns if not pa.types.is_null(f.type)}
        return replace(text, types=types)

    def part(file: Path) -> Part:
        return _part(str(file), lambda: reader.batches(file, _BATCH, known()))

    parts = map(part, files)
    sizes = [file.stat().st_size * (_GZIP if file.suffix == ".gz" else 1) for file in files]
    return BatchSource(name, tuple(parts), bytes_in_memory=sum(sizes) // _CSV_BYTES)


def _part(name: str, batches: Callable[[], Iterable[Any]], rows: int | None = None) -> Part:
    """Return a part of a file, whose errors name it."""

    def named() -> Iterator[Any]:
        with readable(name):
            yield from batches()

    return Part(name, named, rows)


def _images(folder: Path, options: ImageOptions) -> BatchSource:
    from isthmus.data.formats import images

    with readable(folder):
        found = images.listing(folder)
    parts = []
    for start in range(0, len(found.files), _IMAGES):
        files = found.files[start : start + _IMAGES]
        label = f"{folder}, images from {files[0].relative_to(folder)}"
        parts.append(_part(label, partial(images.decoded, folder, files, options), len(files)))
    (first,) = images.decoded(folder, found.files[:1], options)
    return BatchSource(str(folder), tuple(parts), RowForm.of(first))


def _common(files: Sequence[Path], schemas: Sequence[pa.Schema]) -> RowForm:
    """Return the columns that all files have, with types that hold the cells of all of them."""
    names = set(schemas[0].names)
    others = [str(f) for f, s in zip(files, schemas, strict=True) if set(s.names) != names]
    if others:
        raise UnreadableFile(
            ", ".join(others[:_MOST_FAULTS]),
            expected=f"the columns of {files[0]}: {name_list(schemas[0].names)}",
            received="other columns",
            remedy="make all files alike, or name some of them by a pattern",
        )
    plain = [schema.remove_metadata() for schema in schemas]
    try:
        columns = pa.unify_schemas(plain, promote_options="permissive")
    except pa.ArrowException as error:
        clash = _clash(files, plain)
        raise UnreadableFile(
            clash,
            expected=f"cells of the types that {files[0]} has",
            received=str(error).splitlines()[0][:200],
            remedy="write the file again with these types",
        ) from None
    return RowForm(columns, (len(columns),))


def _clash(files: Sequence[Path], schemas: Sequence[pa.Schema]) -> str:
    """Return the first file whose types cannot be joined with those before it."""
    for place in range(1, len(files)):
        try:
            pa.unify_schemas(schemas[: place + 1], promote_options="permissive")
        except pa.ArrowException:
            return str(files[place])
    return str(files[0])


def _nothing(files: Sequence[Path]) -> tuple[Part, ...]:
    def none() -> Iterator[Any]:
        return iter(())

    return (Part(str(files[0]), none, 0),)
