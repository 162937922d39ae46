"""How a CSV file is written: encoding, delimiter, header, and how it writes numbers and dates."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc

from isthmus.core.errors import DataWarning, InvalidParameter, UnreadableFile
from isthmus.data.formats import written_values
from isthmus.data.formats.text_options import PLAIN, Convention

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from isthmus.data.formats.text_options import DateOrder, Decimal, TextOptions

_FIRST_BYTES = 1 << 16
_FIRST_LINES = 20
_BLOCK_BYTES = 1 << 22
_UTF8 = "utf-8"
_MARKS = {codecs.BOM_UTF8: _UTF8, codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_NULS = 0.3
"""If this fraction of the even or odd bytes of a file's head are NUL, it is UTF-16."""
_FALLBACK = "cp1252"
"""Windows-1252, which has the characters of Latin-1 and in their place; Excel writes it."""
_DELIMITERS = (",", ";", "\t", "|")
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")


class Dialect(NamedTuple):
    """How a file is written.

    Parameters
    ----------
    encoding : str
        A name that Python knows.
    delimiter : str
        Between cells.
    headless : int
        The number of columns of a file whose first line has no names; 0 if it has.
    convention : Convention
        How it writes numbers and dates.
    """

    encoding: str
    delimiter: str
    headless: int
    convention: Convention

    @property
    def first_row(self) -> int:
        """The number of the first row among the lines that are not empty, counted from 1."""
        return 1 if self.headless else 2


def detect(path: Path, options: TextOptions) -> Dialect:
    """Find out how a file is written; what `options` say is not questioned.

    Raises
    ------
    UnreadableFile
        The file is not text in any encoding that can be detected, or has lines that end in CR
        alone.
    InvalidParameter
        There is no such encoding.

    Warns
    -----
    DataWarning
        The encoding is a guess, or the first line is read as data.
    """
    encoding = _known(options.encoding) if options.encoding else _encoding(path)
    with opened(path, encoding) as file:
        head = file.read(_FIRST_BYTES).removeprefix(codecs.BOM_UTF8)
    _check_line_ends(path, head)
    usual = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    fitted = options.fitted or PLAIN
    given = options.delimiter or fitted.delimiter
    missing = options.missing or fitted.missing
    delimiter = options.delimiter or _delimiter(head, usual, given)
    first = head.lstrip(b"\r\n").split(b"\n", 1)[0].decode(errors="replace").strip("\r")
    cells = first.split(delimiter)
    headless = all(_NUMBER.fullmatch(cell.strip('"')) for cell in cells)
    if headless:
        warnings.warn(
            f"The first line of {path.name} is all numbers, so it is read as data; "
            "the columns are named x0, x1, ...",
            DataWarning,
            stacklevel=5,
        )
    sample = _sample(head, delimiter, len(cells), missing)
    decimal = _decimal(path, sample, delimiter, options)
    dates = _dates(path, sample, decimal, options)
    convention = Convention(decimal, dates, missing, given)
    return Dialect(encoding, delimiter, len(cells) if headless else 0, convention)


def opened(path: Path, encoding: str) -> io.BufferedIOBase:
    """Open a file, which may be compressed by gzip, as bytes in UTF-8."""
    if encoding == _UTF8:
        return gzip.open(path) if path.suffix == ".gz" else path.open("rb")
    text = pa.transcoding_input_stream(pa.input_stream(path), encoding, _UTF8)
    return io.BufferedReader(text)


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except LookupError:
        raise InvalidParameter(
            "encoding",
            expected="the name of an encoding, such as utf-8, latin-1 or utf-16",
            received=repr(encoding),
            remedy="leave it out to detect the encoding",
        ) from None
    return _UTF8 if name == "utf-8-sig" else name


def _encoding(path: Path) -> str:
    """Return the encoding: that of the byte order mark, UTF-16, UTF-8 or else Windows-1252."""
    with opened(path, _UTF8) as file:
        head = file.read(_FIRST_BYTES)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = head[first::2]
        if half.count(0) > _NULS * len(half):
            return encoding
    if _decodes(path, _UTF8):
        return _UTF8
    if b"\0" in head or not _decodes(path, _FALLBACK):
        raise UnreadableFile(
            str(path),
            expected="text in UTF-8, UTF-16 or Windows-1252",
            received="bytes that are none of these",
            remedy="give the encoding, --encoding NAME, or save the file again as UTF-8",
        )
    warnings.warn(
        f"{path.name} is not UTF-8, so it is read as Windows-1252 (Western European). "
        "Try: for another encoding, --encoding NAME.",
        DataWarning,
        stacklevel=6,
    )
    return _FALLBACK


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with opened(path, _UTF8) as file:
        try:
            while block := file.read(_BLOCK_BYTES):
                if not block.isascii():
                    decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _check_line_ends(path: Path, head: bytes) -> None:
    # A CR at the end may belong to a CR LF.
    if b"\n" not in head and b"\r" in head[:-1]:
        raise UnreadableFile(
            str(path),
            expected="lines that end in LF or CR LF",
            received="lines that end in CR alone",
            remedy="save the file again with line endings of Unix or Windows",
        )


def null_values(missing: Sequence[str]) -> list[str]:
    """Return the cells that are read as missing: the usual ones, and those that were given."""
    return [*pc.ConvertOptions().null_values, *missing]


def _delimiter(head: bytes, usual: str, given: str) -> str:
    """Return the mark that separates the same number of cells in most of the first lines.

    One that was `given` for other files counts if the first line has it.
    """
    text = re.sub(r'"[^"]*"', "", head.decode(errors="replace"))
    lines = [line for line in text.splitlines() if line.strip()][:_FIRST_LINES]
    if not lines:
        return given or usual
    if given and given in lines[0]:
        return given
    counts = {mark: [line.count(mark) for line in lines] for mark in _DELIMITERS}

    def fitness(mark: str) -> tuple[float, bool]:
        first = counts[mark][0]
        same = sum(count == first for count in counts[mark]) / len(lines)
        return (same if first else 0.0), mark == usual

    return max(_DELIMITERS, key=fitness) if any(counts[m][0] for m in _DELIMITERS) else usual


def _sample(
    head: bytes, delimiter: str, columns: int, missing: Sequence[str]
) -> list[pa.ChunkedArray]:
    """Return the columns of the whole rows in a file's head, as text."""
    whole = head[: head.rfind(b"\n") + 1] or head
    names = [str(place) for place in range(columns)]
    try:
        table = pc.read_csv(
            io.BytesIO(whole),
            read_options=pc.ReadOptions(column_names=names, use_threads=False),
            parse_options=pc.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                invalid_row_handler=lambda _row: "skip",
            ),
            convert_options=pc.ConvertOptions(
                strings_can_be_null=True,
                null_values=null_values(missing),
                column_types=dict.fromkeys(names, pa.string()),
            ),
        )
    except (pa.ArrowException, UnicodeDecodeError):
        return []  # whoever reads the whole file says what is wrong with it
    return [column.slice(1) for column in table.columns]


def _decimal(
    path: Path, sample: Sequence[pa.ChunkedArray], delimiter: str, options: TextOptions
) -> Decimal:
    """Return the decimal mark: of most columns that prove one, or else the likelier."""
    if options.decimal is not None:
        return options.decimal
    proven = [mark for column in sample if (mark := written_values.evidence(column))]
    commas = proven.count(",")
    if 2 * commas != len(proven):
        return "," if 2 * commas > len(proven) else "."
    undecided = [column for column in sample if written_values.ambiguous(column)]
    if delimiter == "," or not undecided:
        return "."
    if options.fitted is not None:
        return options.fitted.decimal
    # A file is written with semicolons where the comma is the decimal mark.
    comma = any(written_values.has(column, ",") for column in undecided)
    cell = undecided[0].drop_null()[0].as_py().strip()
    warnings.warn(
        f"Numbers in {path.name} such as {cell[:30]} can be read in two ways; they are read with "
        f"decimal {'commas' if comma else 'points'}. Try: --decimal '{'.' if comma else ','}'.",
        DataWarning,
        stacklevel=6,
    )
    return "," if comma else "."


def _dates(
    path: Path, sample: Sequence[pa.ChunkedArray], decimal: Decimal, options: TextOptions
) -> DateOrder:
    """Return the order of dates: of the columns that prove one, or else the likelier."""
    if options.dates is not None:
        return options.dates
    columns = [column for column in sample if written_values.is_date(column)]
    proven = {order for column in columns if (order := written_values.date_order(column))}
    if len(proven) == 1:
        return proven.pop()
    if options.fitted is not None:
        return options.fitted.dates
    if decimal == ",":
        return "day first"
    if columns:
        cell = columns[0].drop_null()[0].as_py().strip()
        warnings.warn(
            f"Dates in {path.name} such as {cell[:30]} can be read in two ways; they are read with "
            "the month first. Try: --day-first.",
            DataWarning,
            stacklevel=6,
        )
    return "month first"
