"""CSV and TSV files, read whole or as a stream, with inferred or given types."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.types as pt

from isthmus.core.errors import DataWarning, InvalidParameter, UnreadableFile
from isthmus.data.arrow_types import family
from isthmus.data.formats.conversion import as_table
from isthmus.data.formats.csv_checks import (
    check_beginning,
    check_quotes,
    line_of_row,
    unpacked,
    warn_of_numbers_as_text,
)
from isthmus.data.frames import unique_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Types = Mapping[str, pa.DataType]

_FIRST_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 24
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_CLASH = re.compile(r"CSV column #(\d+): (?:Row #(\d+): )?.*?error to (.+?): (.*)", re.DOTALL)


class _Options(NamedTuple):
    """The options with which pyarrow reads a file."""

    parse_options: pc.ParseOptions
    convert_options: pc.ConvertOptions
    read_options: pc.ReadOptions


def read(path: Path, types: Types | None = None) -> pa.Table:
    """Read a file whole.

    Parameters
    ----------
    path : Path
        The file, which may be compressed by gzip.
    types : mapping of str to pyarrow.DataType, optional
        Types by column; those of other columns are inferred.
    """
    options = _options(path, types)
    try:
        table = _utf8(path, pc.read_csv(path, **options._asdict()))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        # Only a single thread reports the line on which it fails.
        options.read_options.use_threads = False
        with _errors(path, options):
            table = _utf8(path, pc.read_csv(path, **options._asdict()))
    warn_of_numbers_as_text(path, table, types or {}, _first_row(options))
    return table


def batches(path: Path, rows: int, types: Types | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG001
    """Read a file in batches, whose size pyarrow chooses; parameters as for `read`."""
    options = _options(path, types)
    options.read_options.use_threads = False
    with _errors(path, options), pc.open_csv(path, **options._asdict()) as reader:
        unique_names(reader.schema.names)
        for number, batch in enumerate(reader):
            if number == 0:
                warn_of_numbers_as_text(path, batch, types or {}, _first_row(options))
            yield _utf8(path, batch)


def write(file: BinaryIO, data: Any) -> None:
    """Write data as a table; durations are written as integers."""
    table = as_table(data)
    for i, field in enumerate(table.schema):
        plain = table.column(i)
        if pt.is_dictionary(field.type):
            plain = plain.cast(field.type.value_type)
        if pt.is_float16(plain.type):
            plain = plain.cast(pa.float32())
        if pt.is_duration(plain.type):
            plain = plain.cast(pa.int64())
        table = table.set_column(i, field.name, plain)
    pc.write_csv(table, file)


def _first_row(options: _Options) -> int:
    return 1 if options.read_options.column_names else 2


def _options(path: Path, types: Types | None) -> _Options:
    """Find the delimiter and whether there is a header; refuse files that would be misread."""
    head = _head(path)
    check_beginning(path, head)
    first = _first_line(head)
    usual = b"\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else b","
    others = [mark for mark in (b";", b"\t") if usual not in first and mark in first]
    delimiter = (others or [usual])[0].decode()
    check_quotes(path, delimiter)
    cells = first.decode("utf-8", "replace").strip("\r").split(delimiter)
    headless = all(_NUMBER.fullmatch(cell.strip('"')) for cell in cells)
    if headless:
        warnings.warn(
            f"The first line of {path.name} is all numbers, so it is read as data; "
            "the columns are named x0, x1, ...",
            DataWarning,
            stacklevel=4,
        )
    try:
        convert = pc.ConvertOptions(strings_can_be_null=True, column_types=dict(types or {}))
    except (TypeError, ValueError) as error:
        raise InvalidParameter(
            "types",
            expected="a pyarrow type for each column name",
            received=f"{types!r:.100} ({error})",
            remedy="pass schema.arrow_types, or leave types out",
        ) from None
    return _Options(
        parse_options=pc.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=convert,
        read_options=pc.ReadOptions(
            block_size=_BLOCK_BYTES,
            column_names=[f"x{i}" for i in range(len(cells))] if headless else None,
        ),
    )


def _head(path: Path) -> bytes:
    with unpacked(path) as file:
        return file.read(_FIRST_BYTES)


def _first_line(head: bytes) -> bytes:
    return head.lstrip(b"\xef\xbb\xbf\r\n").split(b"\n", 1)[0]


@contextmanager
def _errors(path: Path, options: _Options) -> Iterator[None]:
    """Name the line with too many or too few cells, or the cell of another type."""
    try:
        yield
    except UnicodeDecodeError:
        raise _not_utf8(path, "the column names") from None
    except pa.ArrowInvalid as error:
        message = str(error)
        if row := _RAGGED.search(message):
            raise UnreadableFile(
                f"{path}, line {line_of_row(path, int(row[1]))}",
                expected=f"{row[2]} columns, as in the first line",
                received=row[3],
                remedy="correct the line; text that contains the delimiter must be quoted",
            ) from None
        if clash := _CLASH.search(message):
            raise _clash(path, options, clash) from None
        raise


def _clash(path: Path, options: _Options, found: re.Match[str]) -> UnreadableFile:
    """Return the error that names the column, line and cell at which pyarrow failed."""
    name = _column_name(path, options, int(found[1]))
    shown = repr(name) if name is not None else str(int(found[1]) + 1)
    if "UTF8" in found[4]:
        return _not_utf8(path, f"column {shown}")
    line = f", line {line_of_row(path, int(found[2]))}" if found[2] else ""
    given = options.convert_options.column_types.get(name)
    return UnreadableFile(
        f"{path}, column {shown}{line}",
        expected=f"{found[3]}, as in the first rows"
        if given is None
        else f"{family(given) or 'cells'} ({given}), as in the data that the model was fitted on",
        received=found[4] if len(found[4]) <= 100 else f"{found[4][:96]}...'",
        remedy="correct the cell, or convert the file to Parquet, which stores the types"
        if given is None
        else "correct the cell, or leave it empty if its value is missing",
    )


def _column_name(path: Path, options: _Options, place: int) -> str | None:
    names = options.read_options.column_names
    if not names:
        first = io.BytesIO(_first_line(_head(path)) + b"\n")
        with suppress(pa.ArrowInvalid, UnicodeDecodeError):
            names = pc.read_csv(first, parse_options=options.parse_options).column_names
    return names[place] if place < len(names) else None


def _utf8(path: Path, table: Any) -> Any:
    """Return the table if its text is UTF-8; pyarrow itself checks the column names."""
    for name, field in zip(table.schema.names, table.schema, strict=True):
        if pa.types.is_binary(field.type):
            raise _not_utf8(path, f"column {name!r}")
    return table


def _not_utf8(path: Path, where: str) -> UnreadableFile:
    return UnreadableFile(
        str(path),
        expected="text in UTF-8",
        received=f"other bytes in {where}",
        remedy="save the file again as UTF-8",
    )
