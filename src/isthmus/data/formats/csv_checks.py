"""Checks for faults in a CSV file that a parser would misread without an error."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, get_args

import pyarrow as pa
import pyarrow.compute as pc

from isthmus.core.errors import DataWarning, UnreadableFile
from isthmus.data.formats import written_values
from isthmus.data.formats.csv_dialect import opened
from isthmus.data.formats.text_options import Decimal

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from isthmus.data.formats.csv_dialect import Dialect

_BLOCK_BYTES = 1 << 22
_QUOTED = rb'[^"]*(?:""[^"]*)*'
_FEW = 3
"""Fewer distinct values prove nothing."""
_MOSTLY = 0.9
"""If this fraction of a text column's distinct values are numbers, it was meant to be numeric."""


def line_of_row(path: Path, dialect: Dialect, row: int) -> int:
    """Return the line of a row, both counted from 1; empty lines are not rows."""
    filled = 0
    with opened(path, dialect.encoding) as file:
        for number, line in enumerate(file, start=1):
            filled += bool(line.strip())
            if filled == row:
                return number
    return row


def has_leading_zeros(path: Path, dialect: Dialect) -> bool:
    """Whether a cell is a code such as 04109, from which a parser of numbers would drop the 0."""
    mark = re.escape(dialect.delimiter.encode())
    cell = re.compile(
        rb"(?:^|\r|" + mark + rb')\s*"?\s*[-+]?0\d+\s*"?\s*(?:[\r\n]|\Z|' + mark + rb")",
        re.MULTILINE,
    )
    with opened(path, dialect.encoding) as file:
        while block := file.read(_BLOCK_BYTES):
            if cell.search(block + file.readline()):
                return True
    return False


def check_quotes(path: Path, dialect: Dialect) -> None:
    """Refuse a file with a quote that is never closed: the rows after it would become one cell.

    As in pyarrow, a quote opens a cell only at the cell's beginning, and ``""`` inside a cell is a
    literal quote. If text follows a closing quote on a later line, that quote was meant to open
    a cell.

    Raises
    ------
    UnreadableFile
        There is such a quote; the message names its line.
    """
    mark = re.escape(dialect.delimiter.encode())
    edge = rb"[\r\n" + mark + rb"]"
    # Skipping all plain cells in one match is several times as fast as one match for each.
    plain = rb'(?:"[^"\n]*+"(?=' + edge + rb')[^"]*+(?<=' + edge + rb"))*"
    cell = re.compile(
        rb"(?:^|\r|" + mark + rb")" + plain + rb'"(' + _QUOTED + rb')("|\Z)', re.MULTILINE
    )
    rest = re.compile(rb"(" + _QUOTED + rb')("|\Z)')
    end = re.compile(rb"[ \t]*(?:[\r\n]|\Z|" + mark + rb")")
    lines, begun = 1, 0
    with opened(path, dialect.encoding) as file:
        while block := file.read(_BLOCK_BYTES):
            block += file.readline()
            block = block.removeprefix(b"\xef\xbb\xbf") if lines == 1 else block
            start = 0
            if begun and (found := rest.match(block)) and found[2]:
                if not end.match(block, found.end()):
                    raise _unterminated(path, begun)
                begun, start = 0, found.end()
            if not begun and block.find(b'"', start) >= 0:
                for found in cell.finditer(block, start):
                    spans = b"\n" in found[1]
                    if not found[2] or (spans and not end.match(block, found.end())):
                        begun = lines + block.count(b"\n", 0, found.start(1))
                    if found[2] and begun:
                        raise _unterminated(path, begun)
            lines += block.count(b"\n")
    if begun:
        raise _unterminated(path, begun)


def _unterminated(path: Path, line: int) -> UnreadableFile:
    return UnreadableFile(
        str(path),
        expected="quotes in pairs around a cell",
        received=f"an unterminated quote that begins on line {line}",
        remedy="close or remove the quote; inside a quoted cell, write a quote twice",
    )


def warn_of_numbers_as_text(
    path: Path, dialect: Dialect, table: pa.Table | pa.RecordBatch, known: Collection[str]
) -> None:
    """Warn about columns of numbers that are read as text because of a few cells.

    Parameters
    ----------
    path : Path
        The file, to find line numbers.
    dialect : Dialect
        How it is written.
    table : pyarrow.Table or RecordBatch
        Its first rows, or all rows.
    known : collection of str
        Columns whose type was given rather than inferred.
    """
    for name, cells in zip(table.schema.names, table.columns, strict=True):
        if not pa.types.is_string(cells.type) or name in known:
            continue
        words = pc.unique(cells).drop_null()
        if len(words) < _FEW:
            continue
        decimal = dialect.convention.decimal
        plain = written_values.is_number(words, decimal)
        if _fraction(plain) >= _MOSTLY:
            remedy = "write numbers, or leave those cells empty (isthmus fit: --missing TEXT)"
        elif (
            _fraction(pc.or_(*(written_values.is_number(words, m) for m in get_args(Decimal))))
            >= _MOSTLY
        ):
            mark = {".": "points", ",": "commas"}[decimal]
            remedy = f"write all numbers with decimal {mark}"
        else:
            continue
        places = pc.indices_nonzero(pc.is_in(cells, value_set=words.filter(pc.invert(plain))))
        if not len(places):
            continue
        row = places[0].as_py()
        line = line_of_row(path, dialect, row + dialect.first_row)
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        warnings.warn(
            f"{path.name}: column {name!r} is read as text because of "
            f"{cells[row].as_py()[:50]!r} in line {line}{more}. Try: {remedy}.",
            DataWarning,
            stacklevel=4,
        )


def _fraction(mask: pa.BooleanArray) -> float:
    return (pc.sum(mask).as_py() or 0) / max(len(mask), 1)
