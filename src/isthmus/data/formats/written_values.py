"""Numbers and dates as people write them: 1.243,56 and $1,234.56, 12.3 %, 31.12.2024."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from isthmus.data.formats.text_options import Convention, DateOrder, Decimal

    Cells: TypeAlias = pa.ChunkedArray | pa.Array

_SPACES = r" \x{a0}\x{202f}\x{2009}"
_CURRENCY = r"(?:[$€£¥₹]|US\$|USD|EUR|GBP|CHF|JPY|CAD|AUD|SEK|NOK|DKK|PLN|CZK|kr\.?|zł|Fr\.?|R\$)"
_MINUS = r"[-+\x{2212}]"
_MOSTLY = 0.9
"""If this fraction of a column's cells are numbers, their marks are evidence."""


class _Mark(NamedTuple):
    """The patterns of numbers with one decimal mark."""

    number: str
    """A number, possibly with separated thousands."""
    decisive: str
    """A number that the other decimal mark would make nonsense of."""


def _mark(decimal: str, thousands: str) -> _Mark:
    point, comma = re.escape(decimal), re.escape(thousands)
    groups = rf"\d{{1,3}}(?:[{comma}'’{_SPACES}]\d{{3}})+"
    body = rf"(?:{groups}(?:{point}\d*)?|\d+(?:{point}\d*)?|{point}\d+)"
    certain = (
        rf"(?:{groups}{point}\d*|\d{{1,3}}(?:{comma}\d{{3}}){{2,}}"
        rf"|\d*{point}(?:\d{{1,2}}|\d{{4,}})|0{point}\d+|\d{{4,}}{point}\d+)"
    )
    return _Mark(_signed(body), _signed(certain))


def _signed(body: str) -> str:
    space = f"[{_SPACES}]*"
    unit = rf"(?:{_CURRENCY}|%)?"
    return (
        rf"^\s*\(?{_MINUS}?{space}{_CURRENCY}?{space}{_MINUS}?{body}(?:[eE][-+]?\d+)?"
        rf"{space}{unit}-?\)?\s*$"
    )


_MARKS: dict[Decimal, _Mark] = {".": _mark(".", ","), ",": _mark(",", ".")}
_OTHER: dict[Decimal, Decimal] = {".": ",", ",": "."}
_LEADING_ZERO = r"^\s*0\d+\s*$"
_PHONE = rf"^\s*\+\d+[{_SPACES}]"
_WHOLE = r"^[-+]?\d{1,18}$"
_DATE = (
    r"^\s*(?:\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})"
    r"(?: \d{1,2}:\d{2}(?::\d{2})?)?\s*$"
)
"""Years have four digits: with two, the century would be a guess."""
_FIRST_TWO = r"^\s*(?P<first>\d{1,2})[./-](?P<second>\d{1,2})"
_LAST_MONTH = 12


def values(cells: Cells, convention: Convention) -> Cells | None:
    """Return text as numbers or dates; None if not all cells are, or all are missing."""
    if cells.null_count == len(cells):
        return None
    found = numbers(cells, convention)
    return dates(cells, convention) if found is None else found


def numbers(cells: Cells, convention: Convention) -> Cells | None:
    """Return text as numbers; None if a cell is not a number.

    A column has one unit at most: all of its cells have a percent sign or none has, and there is
    only one currency. Numbers with leading zeros are codes, so they stay text.

    Parameters
    ----------
    cells : pyarrow.Array or ChunkedArray
        Text; null is a missing cell.
    convention : Convention
        How the file writes numbers. Where the cells show that this column differs, they decide.
    """
    decimal = evidence(cells) or convention.decimal
    if not _all(cells, _MARKS[decimal].number) or has(cells, _LEADING_ZERO):
        return None
    if has(cells, _PHONE) or not _one_unit(cells):
        return None
    text = pc.replace_substring_regex(cells, rf"{_CURRENCY}|[%'’\s{_SPACES}]", "")
    text = pc.replace_substring(text, _OTHER[decimal], "")
    text = pc.replace_substring(text, decimal, ".")
    text = pc.replace_substring(text, "\N{MINUS SIGN}", "-")
    # Accountants write negative numbers as (12) and 12-.
    text = pc.replace_substring_regex(text, r"^\(-?(.*)\)$|^-?(.+)-$", r"-\1\2")
    text = pc.replace_substring_regex(text, r"^\+", "")
    return text.cast(pa.int64() if _all(text, _WHOLE) else pa.float64())


def evidence(cells: Cells) -> Decimal | None:
    """Return the decimal mark that the cells of a column prove; None if they allow either."""
    proven = [mark for mark in _MARKS if _proves(cells, mark)]
    return proven[0] if len(proven) == 1 else None


def _proves(cells: Cells, mark: Decimal) -> bool:
    filled = len(cells) - cells.null_count
    numeric = is_number(cells, mark)
    enough = (pc.sum(numeric).as_py() or 0) >= max(1, _MOSTLY * filled)
    return enough and has(cells, _MARKS[mark].decisive)


def is_number(cells: Cells, decimal: Decimal) -> Any:
    """Return which cells are numbers with this decimal mark."""
    return pc.match_substring_regex(cells, _MARKS[decimal].number)


def ambiguous(cells: Cells) -> bool:
    """Whether all cells are numbers with either decimal mark, and some are other numbers then."""
    either = all(_all(cells, mark.number) for mark in _MARKS.values())
    return either and has(cells, r"\d[.,]\d{3}")


def _one_unit(cells: Cells) -> bool:
    percent = pc.match_substring(cells, "%")
    filled = len(cells) - cells.null_count
    if (pc.sum(percent).as_py() or 0) not in (0, filled):
        return False
    units = pc.extract_regex(cells, rf"(?P<unit>{_CURRENCY})")
    return len(pc.unique(pc.struct_field(units, "unit")).drop_null()) <= 1


def dates(cells: Cells, convention: Convention) -> Cells | None:
    """Return text as dates or timestamps; None if a cell is not a date of the column's form.

    Parameters
    ----------
    cells : pyarrow.Array or ChunkedArray
        Text; null is a missing cell.
    convention : Convention
        How the file writes dates. Where the cells show that this column differs, they decide.
    """
    if not _all(cells, _DATE):
        return None
    form = _date_format(cells.drop_null()[0].as_py(), date_order(cells) or convention.dates)
    found = pc.strptime(pc.utf8_trim_whitespace(cells), format=form, unit="s", error_is_null=True)
    if found.null_count != cells.null_count or not _same_days(cells, found, form):
        return None
    return found if ":" in form else found.cast(pa.date32())


def _date_format(sample: str, order: DateOrder) -> str:
    """Return the strptime format of a date that matches `_DATE`."""
    day, _, clock = sample.strip().partition(" ")
    mark = next(each for each in "./-" if each in day)
    parts = ["%d", "%m"] if order == "day first" else ["%m", "%d"]
    year_first = day.index(mark) == len("2026")
    form = mark.join(["%Y", "%m", "%d"] if year_first else [*parts, "%Y"])
    return f"{form} {'%H:%M:%S'[: 3 * clock.count(':') + 2]}" if clock else form


def _same_days(cells: Cells, found: Cells, form: str) -> bool:
    """Whether dates have the days of the text: strptime takes 31.02. for 2.03."""
    place = [part[0] for part in re.split(r"%", form)[1:4]].index("d")
    numbers = rf"^\s*(?:\d+[./-]){{{place}}}(?P<day>\d+)"
    written = pc.struct_field(pc.extract_regex(cells, numbers), "day").cast(pa.int64())
    return pc.all(pc.equal(written, pc.day(found))).as_py() is True


def date_order(cells: Cells) -> DateOrder | None:
    """Return the order of dates that cells prove by a number above 12; None if they allow either.

    Dates with dots have the day first in all countries that write them.
    """
    if has(cells, r"^\s*\d{1,2}\.\d{1,2}\."):
        return "day first"
    parts = pc.extract_regex(cells, _FIRST_TWO)
    days = [
        pc.max(pc.struct_field(parts, name).cast(pa.int64())).as_py() or 0
        for name in ("first", "second")
    ]
    if (days[0] > _LAST_MONTH) == (days[1] > _LAST_MONTH):
        return None
    return "day first" if days[0] > _LAST_MONTH else "month first"


def is_date(cells: Cells) -> bool:
    """Whether all cells are dates of which day and month may be confused."""
    return _all(cells, _DATE) and not has(cells, r"^\s*\d{4}")


def _all(cells: Cells, pattern: str) -> bool:
    found = pc.match_substring_regex(cells, pattern)
    return len(cells) > cells.null_count and pc.all(found).as_py() is True


def has(cells: Cells, pattern: str) -> bool:
    """Whether a cell matches a pattern."""
    return pc.any(pc.match_substring_regex(cells, pattern)).as_py() is True
