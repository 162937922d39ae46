"""How to read a text file: types of columns, encoding, delimiter, numbers, dates, missing cells."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

Decimal = Literal[".", ","]
DateOrder = Literal["month first", "day first"]

_LONGEST_MARKER = 100


class Convention(NamedTuple):
    """How a file writes numbers, dates and missing cells.

    Parameters
    ----------
    decimal : "." or ","
        The decimal mark; the other mark may separate thousands.
    dates : "month first" or "day first"
        The order of dates such as 01/02/2024.
    missing : tuple of str
        Cells that stand for a missing one, besides empty cells, NA, NULL and the like.
    delimiter : str
        The mark between cells, if the user gave it.
    """

    decimal: Decimal = "."
    dates: DateOrder = "month first"
    missing: tuple[str, ...] = ()
    delimiter: str = ""

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        config: dict[str, Any] = {"decimal": self.decimal, "dates": self.dates}
        if self.missing:
            config["missing"] = list(self.missing)
        if self.delimiter:
            config["delimiter"] = self.delimiter
        return config

    @classmethod
    def from_config(cls, config: Any) -> Convention:
        """Rebuild from the result of `to_config`, which may be untrusted; raises InvalidArchive."""
        from isthmus.persistence import config_checks as checks  # heavy, not for every command

        decimal = checks.one_of(config, "decimal", get_args(Decimal))
        dates = checks.one_of(config, "dates", get_args(DateOrder))
        missing = checks.items(config, "missing") if "missing" in config else []
        if not all(isinstance(text, str) and is_cell(text) for text in missing):
            checks.refuse("missing", "a list of short texts", missing)
        delimiter = checks.text(config, "delimiter") if "delimiter" in config else ""
        if delimiter and not is_delimiter(delimiter):
            checks.refuse("delimiter", "one character of ASCII", delimiter)
        return cls(decimal, dates, tuple(missing), delimiter)


def is_cell(text: str) -> bool:
    """Whether a text can stand for a missing cell: short, and without control characters."""
    return len(text) <= _LONGEST_MARKER and text.isprintable()


def is_delimiter(text: str) -> bool:
    """Whether a text can separate cells."""
    return len(text) == 1 and text.isascii() and text not in '"\r\n'


PLAIN = Convention()


@dataclass(frozen=True)
class TextOptions:
    """What is known about a text file before it is read.

    Parameters
    ----------
    types : mapping of str to pyarrow.DataType
        Types by column; those of other columns are inferred. Columns that the file lacks are
        ignored.
    encoding : str, optional
        The encoding, a name that Python knows; by default it is detected.
    decimal : "." or ",", optional
        The decimal mark; by default it is detected.
    dates : "month first" or "day first", optional
        The order of dates such as 01/02/2024; by default it is detected.
    delimiter : str, optional
        The mark between cells, one character of ASCII; by default it is detected.
    missing : tuple of str
        Cells that stand for a missing one, besides the usual.
    fitted : Convention, optional
        That of the file that a model was fitted on. It decides where the file's own cells do not:
        1.234 can be either.
    """

    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    encoding: str | None = None
    decimal: Decimal | None = None
    dates: DateOrder | None = None
    delimiter: str | None = None
    missing: tuple[str, ...] = ()
    fitted: Convention | None = None


DETECT = TextOptions()
_KEY = b"isthmus.convention"


def with_convention(table: pa.Table, convention: Convention) -> pa.Table:
    """Return the table with the convention of its file as metadata, where it is not the usual."""
    if convention == PLAIN:
        return table
    return table.replace_schema_metadata({_KEY: json.dumps(convention.to_config())})


def convention_of(table: pa.Table) -> Convention:
    """Return the convention of the file that a table was read from."""
    stored = (table.schema.metadata or {}).get(_KEY)
    return PLAIN if stored is None else Convention.from_config(json.loads(stored))
