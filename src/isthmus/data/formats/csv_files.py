"""CSV and TSV files, read whole or as a stream, with inferred or given types.

pyarrow parses them. What it leaves as text because people write it in another way, such as 1.243,56
and 31.12.2024, becomes numbers and dates here.
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.types as pt

from isthmus.core.errors import InvalidParameter, UnreadableFile
from isthmus.data.arrow_types import family
from isthmus.data.formats import written_values
from isthmus.data.formats.csv_checks import (
    check_quotes,
    has_leading_zeros,
    line_of_row,
    warn_of_numbers_as_text,
)
from isthmus.data.formats.csv_dialect import Dialect, detect, null_values, opened
from isthmus.data.formats.text_options import DETECT, Convention, TextOptions, with_convention
from isthmus.data.frames import unique_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    Types = Mapping[str, pa.DataType]

_BLOCK_BYTES = 1 << 24
_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_CLASH = re.compile(r"CSV column #(\d+): (?:Row #(\d+): )?.*?error to (.+?): (.*)", re.DOTALL)
_ZERO = r"^\s*[-+]?0\d"


class _Options(NamedTuple):
    """The options with which pyarrow reads a file."""

    parse_options: pc.ParseOptions
    convert_options: pc.ConvertOptions
    read_options: pc.ReadOptions


class _Source(NamedTuple):
    """A file, and how it is read."""

    path: Path
    dialect: Dialect
    types: Types

    def options(self, *, threads: bool, written: bool = False) -> _Options:
        """Return pyarrow's options; with `written`, numbers and dates of known type are text."""
        types = {
            name: pa.string() if written and _convertible(kind) else kind
            for name, kind in self.types.items()
        }
        columns = self.dialect.headless
        return _Options(
            pc.ParseOptions(delimiter=self.dialect.delimiter, newlines_in_values=True),
            _convert_options(types, self.dialect.convention),
            pc.ReadOptions(
                use_threads=threads,
                block_size=_BLOCK_BYTES,
                encoding=self.dialect.encoding,
                column_names=[f"x{i}" for i in range(columns)] if columns else None,
            ),
        )


def read(path: Path, text: TextOptions = DETECT) -> pa.Table:
    """Read a file whole.

    Parameters
    ----------
    path : Path
        The file, which may be compressed by gzip.
    text : TextOptions
        What is known about the file.
    """
    source = _source(path, text)
    table = _read(source)
    if codes := _codes(source, table.schema):
        text_of_codes = _parsed(source._replace(types=codes), columns=tuple(codes))
        for name in codes:
            table = table.set_column(table.column_names.index(name), name, text_of_codes[name])
    table = _converted(source, table)
    warn_of_numbers_as_text(path, source.dialect, table, source.types)
    return with_convention(table, source.dialect.convention)


def batches(
    path: Path,
    rows: int,  # noqa: ARG001
    text: TextOptions = DETECT,
) -> Iterator[pa.RecordBatch]:
    """Read a file in batches, whose size pyarrow chooses; other parameters as for `read`.

    Columns are converted to numbers and dates only if their type is given: what all of their cells
    are is known at the end.
    """
    source = _source(path, text)
    options = source.options(threads=False, written=True)
    with _errors(source, options), pc.open_csv(path, **options._asdict()) as reader:
        codes = _codes(source, reader.schema)
    source = source._replace(types={**codes, **source.types})
    done = 0
    try:
        for batch in _stream(source, written=False):
            if not done:
                warn_of_numbers_as_text(path, source.dialect, batch, source.types)
            yield batch
            done += batch.num_rows
    except UnreadableFile:
        if not any(_convertible(kind) for kind in source.types.values()):
            raise
        yield from _written_batches(source, done)


def _written_batches(source: _Source, done: int) -> Iterator[pa.RecordBatch]:
    """Read numbers and dates as people write them, from row `done` on."""
    start = 0
    for batch in _stream(source, written=True):
        rows = batch.slice(max(0, done - start))
        start += batch.num_rows
        if rows.num_rows:
            first_row = source.dialect.first_row + start - rows.num_rows
            yield _known_types(source, pa.Table.from_batches([rows]), first_row).to_batches()[0]


def _stream(source: _Source, *, written: bool) -> Iterator[pa.RecordBatch]:
    options = source.options(threads=False, written=written)
    with _errors(source, options), pc.open_csv(source.path, **options._asdict()) as reader:
        unique_names(reader.schema.names)
        for batch in reader:
            yield _utf8(source, batch)


def _read(source: _Source) -> pa.Table:
    """Read all rows; numbers and dates of known type as people write them, if need be."""
    try:
        return _parsed(source)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        if source.types:
            with suppress(pa.ArrowInvalid, UnicodeDecodeError):
                table = _parsed(source, written=True)
                return _known_types(source, table, source.dialect.first_row)
        # Only a single thread reports the line on which it fails.
        with _errors(source, source.options(threads=False)):
            return _parsed(source, threads=False)


def _parsed(
    source: _Source,
    *,
    threads: bool = True,
    written: bool = False,
    columns: Sequence[str] = (),
) -> pa.Table:
    options = source.options(threads=threads, written=written)
    options.convert_options.include_columns = list(columns)
    return _utf8(source, pc.read_csv(source.path, **options._asdict()))


def _converted(source: _Source, table: pa.Table) -> pa.Table:
    """Return a table whose text of unknown type is numbers and dates where all cells are."""
    for place, field in enumerate(table.schema):
        if field.name not in source.types and family(field.type) == "text":
            found = written_values.values(table.column(place), source.dialect.convention)
            table = table if found is None else table.set_column(place, field.name, found)
    return table


def _codes(source: _Source, schema: pa.Schema) -> dict[str, pa.DataType]:
    """Return text as the type of columns of codes such as 04109, which are parsed as numbers."""
    names = [
        field.name
        for field in schema
        if pt.is_integer(field.type) and field.name not in source.types
    ]
    if not names or not has_leading_zeros(source.path, source.dialect):
        return {}
    as_text = source._replace(types=dict.fromkeys(names, pa.string()))
    options = as_text.options(threads=False)
    options.convert_options.include_columns = names
    codes: dict[str, pa.DataType] = {}
    with pc.open_csv(source.path, **options._asdict()) as reader:
        for batch in reader:
            found = [name for name in names if written_values.has(batch[name], _ZERO)]
            codes |= dict.fromkeys(found, pa.string())
    return codes


def _known_types(source: _Source, table: pa.Table, first_row: int) -> pa.Table:
    """Return text as numbers and dates where these are the known types.

    Raises
    ------
    UnreadableFile
        A cell is not a number or date; the message names its line.
    """
    for place, name in enumerate(table.column_names):
        kind = source.types.get(name)
        if kind is None or not _convertible(kind):
            continue
        cells = table.column(place)
        found = written_values.values(cells, source.dialect.convention)
        if found is None or family(found.type) != family(kind):
            found = _cast(source, cells, name, first_row)
        table = table.set_column(place, name, found.cast(kind))
    return table


def _cast(source: _Source, cells: pa.ChunkedArray, name: str, first_row: int) -> pa.ChunkedArray:
    kind = source.types[name]
    try:
        return cells.cast(kind)
    except pa.ArrowInvalid:
        row = next(i for i, cell in enumerate(cells) if not _is_one(cell, kind, source))
        where = _line(source, row + first_row, repr(name))
        raise _not_of_type(where, kind, f"invalid value {cells[row].as_py()!r}") from None


def _is_one(cell: pa.Scalar, kind: pa.DataType, source: _Source) -> bool:
    """Whether a cell is empty, or of type `kind` in some way of writing."""
    if not cell.is_valid:
        return True
    alone = pa.array([cell.as_py()])
    if written_values.values(alone, source.dialect.convention) is not None:
        return True
    try:
        alone.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _convertible(kind: pa.DataType) -> bool:
    """Whether cells of this type can be written in a way that pyarrow does not read."""
    tests = (pt.is_integer, pt.is_floating, pt.is_date, pt.is_timestamp)
    return any(test(kind) for test in tests)


def write(file: BinaryIO, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write tables of one schema, one after the other; durations are written as integers."""
    plain = pa.schema([field.with_type(_plain_type(field.type)) for field in schema])
    with pc.CSVWriter(file, plain) as writer:
        for table in tables:
            writer.write_table(table.cast(plain))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which values of a type are written."""
    if pt.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pt.is_float16(kind):
        return pa.float32()
    return pa.int64() if pt.is_duration(kind) else kind


def _source(path: Path, text: TextOptions) -> _Source:
    """Find out how a file is written, and refuse one that would be misread."""
    dialect = detect(path, text)
    check_quotes(path, dialect)
    return _Source(path, dialect, text.types)


def _convert_options(types: Types, convention: Convention) -> pc.ConvertOptions:
    try:
        return pc.ConvertOptions(
            strings_can_be_null=True,
            null_values=null_values(convention.missing),
            column_types=types,
            decimal_point=convention.decimal,
        )
    except (TypeError, ValueError) as error:
        raise InvalidParameter(
            "types",
            expected="a pyarrow type for each column name",
            received=f"{types!r:.100} ({error})",
            remedy="pass a fitted schema's text_options, or leave types out",
        ) from None


@contextmanager
def _errors(source: _Source, options: _Options) -> Iterator[None]:
    """Name the line with too many or too few cells, or the cell of another type."""
    try:
        yield
    except UnicodeDecodeError:
        raise _not_decoded(source, "the column names") from None
    except pa.ArrowInvalid as error:
        message = str(error)
        if row := _RAGGED.search(message):
            raise UnreadableFile(
                _line(source, int(row[1])),
                expected=f"{row[2]} columns, as in the first line",
                received=row[3],
                remedy="correct the line; text that contains the delimiter must be quoted",
            ) from None
        if clash := _CLASH.search(message):
            raise _clash(source, options, clash) from None
        raise


def _line(source: _Source, row: int, column: str = "") -> str:
    line = line_of_row(source.path, source.dialect, row)
    return f"{source.path}{column and f', column {column}'}, line {line}"


def _clash(source: _Source, options: _Options, found: re.Match[str]) -> UnreadableFile:
    """Return the error that names the column, line and cell at which pyarrow failed."""
    name = _column_name(source, options, int(found[1]))
    shown = repr(name) if name is not None else str(int(found[1]) + 1)
    if "UTF8" in found[4]:
        return _not_decoded(source, f"column {shown}")
    where = _line(source, int(found[2]), shown) if found[2] else f"{source.path}, column {shown}"
    given = options.convert_options.column_types.get(name)
    if given is not None:
        return _not_of_type(where, given, found[4])
    return UnreadableFile(
        where,
        expected=f"{found[3]}, as in the first rows",
        received=_shortened(found[4]),
        remedy="correct the cell, or convert the file to Parquet, which stores the types",
    )


def _not_of_type(where: str, kind: pa.DataType, received: str) -> UnreadableFile:
    return UnreadableFile(
        where,
        expected=f"{family(kind) or 'cells'} ({kind}), as in the data that the model was fitted on",
        received=_shortened(received),
        remedy="correct the cell, or leave it empty if its value is missing",
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:96]}...'"


def _column_name(source: _Source, options: _Options, place: int) -> str | None:
    names = options.read_options.column_names
    if not names:
        with opened(source.path, source.dialect.encoding) as file:
            first = next((line for line in file if line.strip(b"\xef\xbb\xbf\r\n")), b"")
        with suppress(pa.ArrowInvalid, UnicodeDecodeError):
            names = pc.read_csv(io.BytesIO(first), parse_options=options.parse_options).column_names
    return names[place] if place < len(names) else None


def _utf8(source: _Source, table: Any) -> Any:
    """Return the table if its text was decoded; pyarrow itself checks the column names."""
    for name, field in zip(table.schema.names, table.schema, strict=True):
        if pa.types.is_binary(field.type):
            raise _not_decoded(source, f"column {name!r}")
    return table


def _not_decoded(source: _Source, where: str) -> UnreadableFile:
    return UnreadableFile(
        str(source.path),
        expected=f"text in {source.dialect.encoding.upper()}",
        received=f"other bytes in {where}",
        remedy="give the encoding, --encoding NAME, or save the file again as UTF-8",
    )
