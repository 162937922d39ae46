"""The schema of one table column, and the conversion of its cells to numbers and back.

Precision: the network's matrix is float32, so a number is restored to within 2⁻²⁴ of its distance
from the median. Integers, and dates and times in steps (days, hours, ...: the longest that divides
all of them), are rounded, so they are exact within 2²³ steps of the median: days within 22,000
years.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from isthmus.core.errors import InvalidArchive, InvalidData, SchemaMismatch
from isthmus.data import arrow_types
from isthmus.data.column_domain import Domain
from isthmus.data.frames import is_native
from isthmus.data.identifiers import MOST_CATEGORIES, is_identifier, numbers_rows
from isthmus.persistence.config_checks import integer, items, one_of, refuse, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.core.types import CellKind
    from isthmus.data.identifiers import Role

    Float64s = NDArray[np.float64]
    Codes = NDArray[np.intp]

Kind = Literal["number", "boolean", "category", "constant", "identifier", "empty"]
Label = Literal["text", "integer"]

_INTEGER = re.compile("0|-?[1-9][0-9]{0,17}")

_FLOAT32 = float(np.finfo(np.float32).max)

MISSING, UNSEEN = -1, -2
"""Instead of the index of a category: an empty cell, and a value that fit did not see."""


@dataclass(frozen=True)
class TableColumn:
    """The schema of one column.

    Parameters
    ----------
    name : str
        The user's name for it.
    kind : str
        ``"number"`` (including dates), ``"boolean"`` and ``"category"`` are learned; a
        ``"constant"`` is stored and restored; an ``"identifier"`` is passed through, and so is a
        column that was ``"empty"`` in fit.
    type : pyarrow.DataType
        The type of its cells.
    native : str
        The pandas type, if `type` does not imply it, or ``""``.
    label : "text" or "integer"
        Whether its pandas label is text, `name`, or the integer that `name` shows.
    step : int
        All dates or times are multiples of this, in units of `type`.
    categories : tuple of str
        The categories in order, as text; for a constant, its value.
    domain : Domain, optional
        The values that numbers had in fit, in multiples of `step`. None: all that `type` can hold,
        as in older archives.
    """

    name: str
    kind: Kind
    type: pa.DataType
    native: str = ""
    label: Label = "text"
    step: int = 1
    categories: tuple[str, ...] = ()
    domain: Domain | None = None

    @property
    def width(self) -> int:
        """The number of cells that the column has in the network's matrix."""
        return {"number": 1, "boolean": 1, "category": len(self.categories)}.get(self.kind, 0)

    @property
    def cell_kind(self) -> CellKind:
        """The kind of its segment in the matrix."""
        return {"boolean": "binary", "category": "categorical"}.get(self.kind, "numeric")  # type: ignore[return-value]

    @property
    def passed_through(self) -> bool:
        """Whether its cells, of any type, are taken from the input to the output."""
        return self.kind in ("identifier", "empty")

    @property
    def why_not_learned(self) -> str:
        """Why the column is not learned, as part of a sentence; empty if it is."""
        if self.width:
            return ""
        return {"constant": "one value in all rows", "empty": "empty in all rows"}.get(
            self.kind, "identifies rows"
        )

    @property
    def type_to_read(self) -> pa.DataType:
        """The type with which to read its cells from a CSV file."""
        # Identifiers are passed through character by character.
        return pa.string() if self.kind == "identifier" else arrow_types.type_to_read(self.type)

    @property
    def spacing(self) -> float:
        """The distance of neighbouring values of a numeric column, 0 if it is continuous."""
        if arrow_types.precision(self.type) is None:
            return 1.0
        return 1 / self.domain.parts if self.domain is not None and self.domain.parts else 0.0

    def learned(self) -> TableColumn:
        """Return the column as one that is learned, even if it is constant."""
        kind = _learnable(self.type)
        categories = self.categories if kind == "category" else ()
        return replace(self, kind=kind, categories=categories)

    def check(self, cells: pa.ChunkedArray) -> None:
        """Refuse cells of another family than in fit.

        Raises
        ------
        SchemaMismatch
            Text instead of numbers, for example; the message names the column.
        """
        if self.passed_through:
            return
        expected, received = arrow_types.family(self.type), arrow_types.family(cells.type)
        if received != expected and not pt.is_null(cells.type):
            raise SchemaMismatch(
                f"column {self.name!r}",
                expected=f"{expected} ({self.type}), as fit saw",
                received=f"{received or 'values'} ({cells.type})",
                remedy="convert the column to its former type, or fit again",
            )

    def numbers(self, cells: pa.ChunkedArray, first_row: int = 0) -> Float64s:
        """Return the cells of a numeric or boolean column as float64, NaN for a missing one.

        `first_row` is the number of the first cell's row, for messages.

        Raises
        ------
        InvalidData
            A cell is infinite; the message names column and row.
        """
        if pt.is_null(cells.type):
            return np.full(len(cells), np.nan)
        if pt.is_dictionary(cells.type):
            cells = cells.cast(cells.type.value_type)
        if pt.is_temporal(cells.type):
            return self._steps(cells)
        if pt.is_boolean(cells.type):
            cells = cells.cast(pa.uint8())
        values: Float64s = cells.cast(pa.float64(), safe=False).to_numpy()
        infinite = np.flatnonzero(np.isinf(values))
        if infinite.size:
            raise InvalidData(
                f"column {self.name!r}, row {first_row + infinite[0]}",
                expected="a finite number, or an empty cell for a missing one",
                received=f"{values[infinite[0]]} (infinity)",
                remedy="leave the cell empty, or write the correct value",
            )
        return values

    def _steps(self, cells: pa.ChunkedArray) -> Float64s:
        """Return dates or times as multiples of `step`; whole multiples are exact at any size."""
        whole, missing = integers(cells.cast(self.type, safe=False))
        quotient, rest = np.divmod(whole, self.step)
        values = quotient + rest / self.step
        values[missing] = np.nan
        return np.asarray(values)

    def from_numbers(self, values: Float64s) -> pa.Array:
        """Convert numbers to cells within the domain, null for NaN."""
        missing = np.isnan(values)
        mask = missing if missing.any() else None
        values = np.where(missing, 0.0, values)
        if self.domain is not None:
            values = self.domain.nearest(values)
        kind = arrow_types.value_type(self.type)
        if pt.is_boolean(kind):
            return pa.array(values > 0.5, mask=mask)
        low, high = arrow_types.limits(kind)
        if pt.is_floating(kind) or pt.is_decimal(kind):
            values = np.clip(values, low, high)
            if pt.is_floating(kind):
                values = values.astype(kind.to_pandas_dtype())
            return pa.array(values, mask=mask).cast(kind)
        whole = np.clip(np.rint(values), np.ceil(low / self.step), np.floor(high / self.step))
        if pt.is_temporal(kind):
            stored = arrow_types.storage(kind)
            ticks = whole.astype(stored.to_pandas_dtype()) * self.step
            return pa.array(ticks, stored, mask=mask).cast(kind)
        return pa.array(whole.astype(kind.to_pandas_dtype()), mask=mask)

    def parsed(self, cells: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return cells that came as text as numbers, where fit saw numbers and all of them parse.

        Other cells are returned unchanged.
        """
        if arrow_types.family(self.type) != "numbers" or arrow_types.family(cells.type) != "text":
            return cells
        try:
            plain = cells.cast(arrow_types.value_type(cells.type))
            return pc.utf8_trim_whitespace(plain).cast(pa.float64())
        except pa.ArrowInvalid:
            return cells

    def is_missing(self, cells: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Return which cells are empty or NaN."""
        missing: NDArray[np.bool_] = cells.is_null(nan_is_null=True).to_numpy()
        return missing

    def differs(self, cells: pa.ChunkedArray, first_row: int = 0) -> NDArray[np.bool_]:
        """Return which cells of a constant or empty column hold another value than in fit.

        `first_row` is the number of the first cell's row, for messages.

        Raises
        ------
        InvalidData
            A cell is infinite; the message names column and row.
        """
        if self.kind == "empty":
            return ~self.is_missing(cells)
        if arrow_types.family(self.type) == "text":
            return np.asarray(self.codes(cells) == UNSEEN)
        values = self.numbers(cells, first_row)
        return np.asarray((values != self.only_number()) & ~np.isnan(values))

    def only_number(self) -> float:
        """Return the value of a constant column, not of text, as `numbers` does."""
        cells = self.from_codes(np.zeros(1, dtype=np.intp))
        return float(self.numbers(pa.chunked_array([cells]))[0])

    def codes(self, cells: pa.ChunkedArray) -> Codes:
        """Return the index of each cell's category, or `MISSING`, or `UNSEEN`."""
        if pt.is_null(cells.type):
            return np.full(len(cells), MISSING, dtype=np.intp)
        known = pa.array(self.categories, pa.large_string())
        result = np.empty(len(cells), dtype=np.intp)
        start = 0
        for chunk in cells.chunks:
            words, indices = _encoded(chunk)
            places = pc.index_in(words, value_set=known).fill_null(UNSEEN)
            empty = words.is_null().to_numpy(zero_copy_only=False)
            which = np.where(empty, MISSING, places.to_numpy(zero_copy_only=False))
            result[start : start + len(chunk)] = np.append(which, MISSING)[indices]
            start += len(chunk)
        return result

    def unseen_error(self, row: int, cell: str) -> SchemaMismatch:
        """Return the error about the value of a cell that fit did not see."""
        known = ", ".join(map(repr, self.categories[:10])) or "an empty cell"
        more = len(self.categories) - 10
        return SchemaMismatch(
            f"column {self.name!r}, row {row}",
            expected=f"one of {known}" + (f" and {more} more" if more > 0 else ""),
            received=repr(cell),
            remedy="use unknown='warn', or fit again with rows that have this value",
        )

    def from_codes(self, codes: Codes) -> pa.Array:
        """Convert indices of categories to cells, null for −1."""
        values = arrow_types.from_text(self.categories, arrow_types.value_type(self.type))
        missing = codes < 0
        mask = missing if missing.any() else None
        if not pt.is_dictionary(self.type):
            return values.take(pa.array(codes, pa.int64(), mask=mask))
        places = np.where(missing, 0, codes).astype(self.type.index_type.to_pandas_dtype())
        indices = pa.array(places, self.type.index_type, mask=mask)
        return pa.DictionaryArray.from_arrays(indices, values, ordered=self.type.ordered)

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return {
            "name": self.name,
            "kind": self.kind,
            "type": str(self.type),
            "native": self.native,
            "label": self.label,
            "step": self.step,
            "categories": list(self.categories),
            "domain": None if self.domain is None else self.domain.to_config(),
        }

    @classmethod
    def from_config(cls, config: Any) -> TableColumn:
        """Rebuild from the result of `to_config`, which may be untrusted.

        Raises
        ------
        InvalidArchive
            An entry is missing, of a wrong type, or contradicts another.
        """
        column = cls(
            name=text(config, "name"),
            kind=one_of(config, "kind", get_args(Kind)),
            type=arrow_types.type_from_text(text(config, "type")),
            native=text(config, "native"),
            label=one_of(config, "label", get_args(Label)),
            step=integer(config, "step", 1, 10**15),
            categories=tuple(items(config, "categories")),
        )
        if column.kind == "number" and config.get("domain") is not None:
            column = replace(column, domain=Domain.from_config(config["domain"]))
        if column.native and not is_native(column.native):
            refuse("column's pandas type", "a known one", column.native)
        if column.label == "integer" and not _INTEGER.fullmatch(column.name):
            refuse("column's name", "an integer, as its label is one", column.name)
        if column.kind == "empty":
            return replace(column, categories=(), step=1)
        if pt.is_null(column.type):
            refuse("column type", "one of a table's cell types", "null")
        if column.kind not in ("constant", "identifier", _learnable(column.type)):
            refuse("column kind", f"one that {column.type} can have", column.kind)
        column._vet_categories()
        return column

    def _vet_categories(self) -> None:
        least, most = {"constant": (1, 1), "category": (1, MOST_CATEGORIES)}.get(self.kind, (0, 0))
        count = len(self.categories)
        words = all(isinstance(word, str) for word in self.categories)
        if not words or not least <= count <= most or len(set(self.categories)) != count:
            refuse("categories", f"{least} to {most} different words", list(self.categories[:10]))
        index = self.type.index_type if pt.is_dictionary(self.type) else pa.int64()
        if count - 1 > np.iinfo(index.to_pandas_dtype()).max:
            refuse("categories", f"as many as {index} can count", count)
        try:
            arrow_types.from_text(self.categories, arrow_types.value_type(self.type))
        except pa.ArrowException as error:
            raise InvalidArchive(
                "the archive's categories",
                expected=f"values of type {self.type}",
                received=str(error).splitlines()[0],
                remedy="get the file again from its author",
            ) from None


def learn_column(
    name: str,
    cells: pa.ChunkedArray,
    native: str,
    label: Label = "text",
    role: Role | None = None,
) -> TableColumn:
    """Learn the schema of a column; `role` is what the user said of it.

    Raises
    ------
    InvalidData
        The type of the cells cannot be learned, or one is infinite; the message names the column.
    """
    empty = TableColumn(name, "empty", cells.type, native, label)
    if cells.null_count == len(cells):
        return empty
    if arrow_types.family(cells.type) is None:
        raise InvalidData(
            f"column {name!r}",
            expected="numbers, booleans, text, categories, dates or times",
            received=str(cells.type),
            remedy="drop the column, or split it into several columns",
        )
    column = TableColumn(name, _learnable(cells.type), cells.type, native, label)
    if role == "identifier":
        return replace(column, kind="identifier")
    if column.kind == "category":
        return _learn_categories(column, cells, role) or empty
    if pt.is_floating(cells.type):
        values = column.numbers(cells)
        if np.isnan(values).all():
            return empty
        low, high = np.fmin.reduce(values), np.fmax.reduce(values)
        constant = pa.array([low]).cast(cells.type) if low == high else None
    else:
        plain = cells.cast(arrow_types.storage(cells.type)) if pt.is_temporal(cells.type) else cells
        least, most = pc.min_max(plain).values()
        constant = pa.array([least.as_py()], plain.type).cast(cells.type) if least == most else None
        column = replace(column, step=_step(cells))
    if role is None and numbers_rows(cells):
        return replace(column, kind="identifier")
    if constant is not None:
        word = arrow_types.to_text(constant)[0].as_py()
        return replace(column, kind="constant", categories=(word,))
    if column.kind == "number":
        domain = Domain.of(
            column.numbers(cells),
            arrow_types.precision(cells.type),
            atom=arrow_types.family(cells.type) == "numbers",
        )
        column = replace(column, domain=domain)
    return column


def one_hot(codes: Codes, cells: NDArray[np.float32]) -> None:
    """Set the cell (row, code) of `cells` to 1 and the others to 0; all to NaN where code is −1."""
    cells[:] = 0.0
    cells[np.arange(len(codes)), codes] = 1.0
    cells[codes < 0] = np.nan


def require_float32(block: Float64s, fields: Sequence[TableColumn], first_row: int) -> None:
    """Refuse scaled cells beyond float32; `first_row` is the number of the block's first row."""
    large = np.abs(block) > _FLOAT32
    if large.any():
        row, column = np.argwhere(large)[0]
        raise InvalidData(
            f"column {fields[column].name!r}, row {first_row + row}",
            expected=f"a number up to {_FLOAT32:.1e} after scaling",
            received="a larger one",
            remedy="use scale='robust', or check the column's unit",
        )


def integers(cells: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the stored integers of dates or times, 0 if missing, and a mask of missing ones."""
    missing = cells.is_null().to_numpy()
    stored = cells.cast(arrow_types.storage(cells.type)).fill_null(0)
    return stored.to_numpy().astype(np.int64), missing


def _learnable(kind: pa.DataType) -> Kind:
    if pt.is_dictionary(kind) or arrow_types.family(kind) == "text":
        return "category"
    return "boolean" if pt.is_boolean(kind) else "number"


def _learn_categories(
    column: TableColumn, cells: pa.ChunkedArray, role: Role | None
) -> TableColumn | None:
    words: dict[str, None] = {}
    is_dictionary = pt.is_dictionary(cells.type)
    for chunk in (cells.unify_dictionaries() if is_dictionary else cells).chunks:
        known, indices = _encoded(chunk)
        used = known.take(pa.array(np.unique(indices[indices >= 0])))
        words.update(dict.fromkeys(used.drop_null().to_pylist()))
    categories = tuple(words if is_dictionary else sorted(words))
    count = len(categories)
    observed = len(cells) - cells.null_count
    if not categories:
        return None
    if count > MOST_CATEGORIES or (role is None and is_identifier(count, observed)):
        return replace(column, kind="identifier")
    return replace(column, kind="constant" if count == 1 else "category", categories=categories)


def _encoded(chunk: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return a chunk's distinct values as text, and the index of each cell's value or −1."""
    encoded = chunk if pt.is_dictionary(chunk.type) else chunk.dictionary_encode()
    indices = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy()
    return arrow_types.to_text(encoded.dictionary), indices


def _step(cells: pa.ChunkedArray) -> int:
    """Return the longest of day, hour, minute, ... that divides all dates or times."""
    if not pt.is_temporal(cells.type) or pt.is_date32(cells.type):
        return 1
    whole, missing = integers(cells)
    whole = whole[~missing]
    second = arrow_types.per_second(cells.type)
    steps = [arrow_types.DAY * second, 3600 * second, 60 * second]
    steps += [second // 10**power for power in (0, 3, 6) if second >= 10**power]
    return next((step for step in steps if not np.any(whole % step)), 1)
