"""Checks for faults in a CSV file that a parser would misread without an error."""

from __future__ import annotations

import gzip
import re
import warnings
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from isthmus.core.errors import DataWarning, UnreadableFile

if TYPE_CHECKING:
    import io
    from collections.abc import Collection
    from pathlib import Path

_BLOCK_BYTES = 1 << 22
_UTF16 = {b"\xff\xfe": "little", b"\xfe\xff": "big"}
_QUOTED = rb'[^"]*(?:""[^"]*)*'
_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
_COMMA_NUMBER = r"^\s*[-+]?\d+(,\d+)+(\.\d+)?\s*$"
_FEW = 3
"""Fewer distinct values prove nothing."""
_MOSTLY = 0.9
"""If this fraction of a text column's distinct values are numbers, it was meant to be numeric."""


def unpacked(path: Path) -> io.BufferedIOBase:
    """Open a file that may be compressed by gzip."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def line_of_row(path: Path, row: int) -> int:
    """Return the line of a row, both counted from 1; empty lines are not rows."""
    filled = 0
    with unpacked(path) as file:
        for number, line in enumerate(file, start=1):
            filled += bool(line.strip())
            if filled == row:
                return number
    return row


def check_beginning(path: Path, head: bytes) -> None:
    """Refuse UTF-16, lines that end in CR alone, and ``|`` as the delimiter.

    Raises
    ------
    UnreadableFile
        The first bytes of the file, `head`, show one of these.
    """
    if order := _UTF16.get(head[:2]):
        raise UnreadableFile(
            str(path),
            expected="text in UTF-8",
            received=f"text in UTF-16 ({order}-endian), by its byte order mark",
            remedy="save the file again as UTF-8",
        )
    # A CR at the end may belong to a CR LF.
    if b"\n" not in head and b"\r" in head[:-1]:
        raise UnreadableFile(
            str(path),
            expected="lines that end in LF or CR LF",
            received="lines that end in CR alone",
            remedy="save the file again with line endings of Unix or Windows",
        )
    first, second = [*head.split(b"\n", 2), b""][:2]
    pipes = first.count(b"|")
    if (
        pipes
        and second.count(b"|") == pipes
        and not any(mark in first for mark in (b",", b";", b"\t"))
    ):
        raise UnreadableFile(
            str(path),
            expected="columns separated by ',', ';' or a tab",
            received="a first line with none of these; the delimiter may be '|'",
            remedy="save the file with ',' as the delimiter",
        )


def check_quotes(path: Path, delimiter: str) -> None:
    """Refuse a file with a quote that is never closed: the rows after it would become one cell.

    As in pyarrow, a quote opens a cell only at the cell's beginning, and ``""`` inside a cell is a
    literal quote. If text follows a closing quote on a later line, that quote was meant to open
    a cell.

    Raises
    ------
    UnreadableFile
        There is such a quote; the message names its line.
    """
    mark = re.escape(delimiter.encode())
    edge = rb"[\r\n" + mark + rb"]"
    # Skipping all plain cells in one match is several times as fast as one match for each.
    plain = rb'(?:"[^"\n]*+"(?=' + edge + rb')[^"]*+(?<=' + edge + rb"))*"
    cell = re.compile(
        rb"(?:^|\r|" + mark + rb")" + plain + rb'"(' + _QUOTED + rb')("|\Z)', re.MULTILINE
    )
    rest = re.compile(rb"(" + _QUOTED + rb')("|\Z)')
    end = re.compile(rb"[ \t]*(?:[\r\n]|\Z|" + mark + rb")")
    lines, opened = 1, 0
    with unpacked(path) as file:
        while block := file.read(_BLOCK_BYTES):
            block += file.readline()
            block = block.removeprefix(b"\xef\xbb\xbf") if lines == 1 else block
            start = 0
            if opened and (found := rest.match(block)) and found[2]:
                if not end.match(block, found.end()):
                    raise _unterminated(path, opened)
                opened, start = 0, found.end()
            if not opened and block.find(b'"', start) >= 0:
                for found in cell.finditer(block, start):
                    spans = b"\n" in found[1]
                    if not found[2] or (spans and not end.match(block, found.end())):
                        opened = lines + block.count(b"\n", 0, found.start(1))
                    if found[2] and opened:
                        raise _unterminated(path, opened)
            lines += block.count(b"\n")
    if opened:
        raise _unterminated(path, opened)


def _unterminated(path: Path, line: int) -> UnreadableFile:
    return UnreadableFile(
        str(path),
        expected="quotes in pairs around a cell",
        received=f"an unterminated quote that begins on line {line}",
        remedy="close or remove the quote; inside a quoted cell, write a quote twice",
    )


def warn_of_numbers_as_text(
    path: Path, table: pa.Table | pa.RecordBatch, known: Collection[str], first_row: int
) -> None:
    """Warn about columns of numbers that are read as text because of a few cells.

    Parameters
    ----------
    path : Path
        The file, to find line numbers.
    table : pyarrow.Table or RecordBatch
        Its first rows, or all rows.
    known : collection of str
        Columns whose type was given rather than inferred.
    first_row : int
        The number in the file of the table's first row, counted from 1: 2 after a header.
    """
    for name, cells in zip(table.schema.names, table.columns, strict=True):
        if not pa.types.is_string(cells.type) or name in known:
            continue
        words = pc.unique(cells).drop_null()
        if len(words) < _FEW:
            continue
        plain = pc.match_substring_regex(words, _NUMBER)
        commas = pc.match_substring_regex(words, _COMMA_NUMBER)
        if _fraction(plain) >= _MOSTLY:
            strays, remedy = (
                words.filter(pc.invert(plain)),
                "leave those cells empty, or write numbers",
            )
        elif _fraction(pc.or_(plain, commas)) >= _MOSTLY:
            strays, remedy = (
                words.filter(commas),
                "write numbers with decimal points and without commas",
            )
        else:
            continue
        places = pc.indices_nonzero(pc.is_in(cells, value_set=strays))
        if not len(places):
            continue
        row = places[0].as_py()
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        warnings.warn(
            f"{path.name}: column {name!r} is read as text because of "
            f"{cells[row].as_py()[:50]!r} in line {line_of_row(path, row + first_row)}{more}. "
            f"Try: {remedy}.",
            DataWarning,
            stacklevel=4,
        )


def _fraction(mask: pa.BooleanArray) -> float:
    return (pc.sum(mask).as_py() or 0) / max(len(mask), 1)
