"""The options of ``isthmus fit`` about the columns of DATA and how their cells are written."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from isthmus.cli import image_options
from isthmus.cli.command_wrapper import note
from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidData, InvalidParameter
from isthmus.core.name_lists import name_list
from isthmus.data.formats.image_options import AS_STORED, ImageOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pyarrow as pa

    from isthmus.data.formats.text_options import TextOptions
    from isthmus.data.reading import Dataset
    from isthmus.data.schema import Schema

_PANEL = "Columns of DATA"
_LISTS = {
    "columns": "Use only these columns.",
    "drop": "Leave these columns out.",
    "id": "Columns that identify rows: passed through, not learned.",
    "categorical": "Columns of numbers that are codes: learned as categories.",
    "learn": "Columns to learn although they look like identifiers.",
}
_TYPES = ("text", "number", "integer", "boolean", "date")
_TAB = ("tab", "\\t")
_MAX_CODES = 10


def add(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it receives them in its ``**`` argument."""
    signature = inspect.signature(command)
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *_OPTIONS]
    )
    return command


def _option(name: str, kind: Any, help_text: str, *flags: str, **more: Any) -> inspect.Parameter:
    option = typer.Option(
        *(flags or (f"--{name}",)),
        help=help_text,
        rich_help_panel=_PANEL,
        show_default=False,
        **more,
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


_OPTIONS = (
    *(_option(name, list[str], text, metavar="NAME,...") for name, text in _LISTS.items()),
    _option("encoding", str, "Encoding of text files, such as latin-1; by default detected."),
    _option(
        "delimiter",
        str,
        "Mark between cells of text files, such as ';' or tab; by default detected.",
        metavar="MARK",
    ),
    _option(
        "missing",
        list[str],
        "Cells of text files that mean a missing one, such as -999; besides empty cells and NA.",
        metavar="TEXT,...",
    ),
    _option(
        "types",
        list[str],
        f"How to read columns of text files: {', '.join(_TYPES[:-1])} or {_TYPES[-1]}.",
        metavar="NAME=TYPE,...",
    ),
    _option("decimal", str, "Decimal mark, '.' or ','; by default detected.", metavar="MARK"),
    _option(
        "day_first",
        bool,
        "Whether 01/02/2024 is in February; by default detected.",
        "--day-first/--month-first",
    ),
)


@dataclass(frozen=True)
class ColumnOptions:
    """What the user said about the columns of a file.

    Parameters
    ----------
    columns, drop, id, categorical, learn : tuple of str
        Names of columns, by option.
    encoding, delimiter, missing, decimal, dates
        As in `isthmus.data.formats.text_options.TextOptions`.
    types : dict of str to str
        The type of columns, by name.
    images : ImageOptions
        How the images of folders are converted.
    """

    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    learn: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    missing: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    dates: str | None = None
    images: ImageOptions = AS_STORED

    @classmethod
    def from_options(cls, given: Mapping[str, Any], *paths: Path | None) -> Self:
        """Return the options that were given for some files.

        Raises
        ------
        typer.BadParameter, InvalidParameter
            An option is invalid, or of no use for the files.
        """
        decimal = given.get("decimal")
        if decimal not in (None, ".", ","):
            raise typer.BadParameter("expected '.' or ','", param_hint="--decimal")
        first = given.get("day_first")
        return cls(
            **{name: tuple(given.get(name) or ()) for name in _LISTS},
            encoding=given.get("encoding"),
            delimiter=_delimiter(given.get("delimiter")),
            missing=_markers(given.get("missing")),
            types=dict(map(_typed, _separate(given.get("types")))),
            decimal=decimal,
            dates=None if first is None else "day first" if first else "month first",
            images=image_options.chosen(given, *paths),
        )

    def read(self, path: Path, *, label: str | None = None, like: Schema | None = None) -> Dataset:
        """Read a file, as these options say.

        Parameters
        ----------
        path : Path
            The file.
        label : str, optional
            The column of labels.
        like : Schema, optional
            The schema of the rows that it is compared with.

        Raises
        ------
        InvalidParameter
            An option names a column that the file does not have, or it has no columns.
        UnreadableFile
            As `isthmus.data.reading.read`.
        """
        from isthmus.data import reading

        dataset = reading.read(path, label=label, text=self.text(like), images=self.images)
        return replace(
            dataset,
            X=self.chosen(path, dataset.X),
            X_test=None if dataset.X_test is None else self.chosen(path, dataset.X_test),
        )

    def text(self, like: Schema | None = None) -> TextOptions:
        """Return how to read text files, which may be like those of a fitted schema."""
        from isthmus.data.formats.text_options import DETECT

        changed: dict[str, Any] = {
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "missing": self.missing,
            "decimal": self.decimal,
            "dates": self.dates,
        }
        text = DETECT if like is None else like.text_options
        if self.types:
            changed["types"] = {**text.types, **_arrow_types(self.types)}
        return replace(text, **{name: value for name, value in changed.items() if value})

    def chosen(self, path: Path, rows: Any) -> Any:
        """Return the columns that are used, as their roles say."""
        from isthmus.data.identifiers import with_roles

        known = getattr(rows, "column_names", [])
        for name in self.types:
            _require_column(path, "types", name, known)
        names = {option: self._names(path, option, known) for option in _LISTS}
        if not any(names.values()):
            return rows
        used = [
            name
            for name in known
            if name not in names["drop"]
            and (not names["columns"] or name in {*names["columns"], *names["id"]})
        ]
        table = _with_categories(rows.select(used), names["categorical"])
        roles = {
            **dict.fromkeys(names["id"], "identifier"),
            **dict.fromkeys(names["learn"], "learn"),
        }
        return with_roles(table, roles)  # type: ignore[arg-type]

    def _names(self, path: Path, option: str, known: list[str]) -> list[str]:
        """Return the names given to an option; a value may hold several, separated by commas."""
        names: list[str] = []
        for value in getattr(self, option):
            names += [value] if value in known else [part.strip() for part in value.split(",")]
        for name in names:
            _require_column(path, option, name, known)
        return names

    def check_learned(self, path: Path, table: Any, schema: Schema) -> None:
        """Refuse a table of which most columns would not be learned, unless the user said so.

        Raises
        ------
        InvalidData
            The message names these columns.
        """
        if schema.kind != "table":
            return
        given = set(self._names(path, "id", list(schema.columns)))
        fields = [field for field in schema.fields if field.name not in given]  # type: ignore[attr-defined]
        left = [field.name for field in fields if field.passed_through]
        if 2 * len(left) > len(fields):
            raise InvalidData(
                path.name,
                expected="columns of which most can be learned",
                received=f"{len(left)} of {len(fields)} that cannot: {name_list(left)}",
                remedy="name columns that identify rows with --id, leave others out with --drop, "
                "or learn them with --learn",
            )
        _offer_categories(table, [f.name for f in fields if f.kind == "number"], {*self.learn})


ALL_COLUMNS = ColumnOptions()
"""Nothing was said."""


def _separate(values: list[str] | None) -> list[str]:
    """Return what an option was given, which may be several texts separated by commas."""
    return [part.strip() for value in values or () for part in value.split(",")]


def _markers(given: list[str] | None) -> tuple[str, ...]:
    from isthmus.data.formats.text_options import is_cell

    markers = tuple(_separate(given))
    if not all(map(is_cell, markers)):
        raise typer.BadParameter("expected short, printable texts", param_hint="--missing")
    return markers


def _delimiter(given: str | None) -> str | None:
    from isthmus.data.formats.text_options import is_delimiter

    mark = "\t" if given in _TAB else given
    if mark is not None and not is_delimiter(mark):
        raise typer.BadParameter(
            "expected one character of ASCII, or tab", param_hint="--delimiter"
        )
    return mark


def _typed(given: str) -> tuple[str, str]:
    name, _, kind = given.rpartition("=")
    if not name or kind not in _TYPES:
        raise typer.BadParameter(
            f"expected NAME=TYPE, where TYPE is {', '.join(_TYPES[:-1])} or {_TYPES[-1]}; "
            f"received {given!r}",
            param_hint="--types",
        )
    return name, kind


def _arrow_types(types: Mapping[str, str]) -> dict[str, pa.DataType]:
    import pyarrow as pa

    kinds = (pa.string(), pa.float64(), pa.int64(), pa.bool_(), pa.timestamp("s"))
    known = dict(zip(_TYPES, kinds, strict=True))
    return {name: known[kind] for name, kind in types.items()}


def _require_column(path: Path, option: str, name: str, known: list[str]) -> None:
    if name in known:
        return
    raise InvalidParameter(
        f"--{option}",
        expected=f"columns of {path.name}: {name_list(known)}"
        if known
        else f"none, because {path.name} has no named columns",
        received=repr(name),
        remedy=nearest(name, known) or f"leave --{option} out",
    )


def _with_categories(table: pa.Table, names: list[str]) -> pa.Table:
    import pyarrow as pa

    for name in names:
        column = table[name]
        if not pa.types.is_dictionary(column.type):
            place = table.column_names.index(name)
            table = table.set_column(place, name, column.dictionary_encode())
    return table


def _offer_categories(table: pa.Table, names: list[str], said: set[str]) -> None:
    """Name columns of a few integers with gaps, which may be codes."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in names:
        if name in said or not pa.types.is_integer(table[name].type):
            continue
        values = np.sort(pc.unique(table[name]).drop_null().to_numpy())
        steps = np.diff(values)
        if 2 < len(values) <= _MAX_CODES and len(set(steps)) > 1:
            shown = ", ".join(map(str, values))
            note(
                f"{name!r} takes {len(values)} values: {shown}. If they are codes, "
                f"--categorical {name} learns them as categories."
            )
