"""What a sample of rows may lack: the extremes of each column, and rare categories."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from isthmus.core import processes
from isthmus.core.errors import InvalidData
from isthmus.data import arrow_types
from isthmus.data import scaling as scalings
from isthmus.data.array_schema import cell_name
from isthmus.data.identifiers import MOST_CATEGORIES
from isthmus.data.sources.row_exchange import shared_tables
from isthmus.data.sources.source import joined

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TableExtremes:
    """The smallest and the largest value of each column of a stream, and its categories.

    Parameters
    ----------
    columns : pyarrow.Schema
        Names and types of the columns.

    Attributes
    ----------
    missing : bool
        Whether a cell is missing.
    """

    def __init__(self, columns: pa.Schema) -> None:
        self.missing = False
        self._columns = columns
        self._found = [_ColumnValues(field) for field in columns]

    def add(self, table: pa.Table, first_row: int) -> None:
        """Look at rows; raises InvalidData if a number is infinite."""
        for found, cells in zip(self._found, table.columns, strict=True):
            found.add(cells, first_row)
            self.missing = self.missing or _has_missing(cells)

    def share(self) -> None:
        """Add what the other processes have found in their rows."""
        names = [f"{place}" for place in range(len(self._found))]
        own = [pa.array([found.state()], found.kind_of_state) for found in self._found]
        everywhere = shared_tables(pa.table([*own, [self.missing]], [*names, "missing"]))
        self._found = [_ColumnValues(field) for field in self._columns]
        for table in everywhere:
            self.missing = self.missing or table["missing"][0].as_py()
            for found, name in zip(self._found, names, strict=True):
                found.join(table[name][0].as_py())

    def added_to(self, sample: pa.Table) -> pa.Table:
        """Return a sample with a few more rows, which have the values that it lacks.

        Other cells of these rows are missing. The smallest values come first and the largest last,
        so that a column in order stays so.
        """
        parts = zip(self._found, sample.columns, strict=True)
        lacking = [found.lacking(cells) for found, cells in parts]
        before, after = ([each[side] for each in lacking] for side in (0, 1))
        tables = [self._padded(before), sample, self._padded(after)]
        return pa.concat_tables([table for table in tables if len(table)]).combine_chunks()

    def _padded(self, columns: list[list[Any]]) -> pa.Table:
        rows = max(map(len, columns), default=0)
        cells = []
        for values, field in zip(columns, self._columns, strict=True):
            plain = arrow_types.value_type(field.type)
            array = pa.array([*values, *[None] * (rows - len(values))], plain)
            cells.append(
                array.dictionary_encode().cast(field.type) if plain != field.type else array
            )
        return pa.Table.from_arrays(cells, schema=self._columns)


def _has_missing(cells: pa.ChunkedArray) -> bool:
    if cells.null_count or not pt.is_floating(cells.type):
        return bool(cells.null_count)
    return any(np.isnan(chunk.to_numpy()).any() for chunk in cells.chunks)


class _ColumnValues:
    """The extremes, or the distinct values, of one column."""

    def __init__(self, field: pa.Field) -> None:
        self._name, self._type = field.name, field.type
        family = arrow_types.family(field.type)
        self._words: dict[Any, None] | None = {}
        self._is_text = family == "text" or pt.is_dictionary(field.type)
        self._ordered = family is not None and not self._is_text
        self._low: Any = None
        self._high: Any = None

    def add(self, cells: pa.ChunkedArray, first_row: int) -> None:
        if self._ordered:
            self._add_extremes(cells, first_row)
        elif self._is_text and self._words is not None:
            present = cells.cast(arrow_types.value_type(self._type)).unique().drop_null()
            self._add_words(present.to_pylist())

    @property
    def kind_of_state(self) -> pa.DataType:
        """The type of `state`."""
        ordered = _stored(self._type)
        words = pa.list_(arrow_types.value_type(self._type))
        return pa.struct([("low", ordered), ("high", ordered), ("words", words)])

    def state(self) -> dict[str, Any]:
        """Return what was found, for other processes."""
        words = None if self._words is None else list(self._words)
        return {"low": self._low, "high": self._high, "words": words}

    def join(self, other: dict[str, Any]) -> None:
        """Add the state of another process, whose rows come after these."""
        if other["low"] is not None:
            self._add_bounds(other["low"], other["high"])
        if other["words"] is None:
            self._words = None
        else:
            self._add_words(other["words"])

    def _add_words(self, words: list[Any]) -> None:
        if self._words is None:
            return
        self._words.update(dict.fromkeys(words))
        if len(self._words) > 2 * MOST_CATEGORIES:  # more than enough to be identifiers
            self._words = None

    def _add_bounds(self, low: Any, high: Any) -> None:
        self._low = low if self._low is None else min(self._low, low)
        self._high = high if self._high is None else max(self._high, high)

    def _add_extremes(self, cells: pa.ChunkedArray, first_row: int) -> None:
        low, high = _extremes(cells)
        if low is None:
            return
        for bound in (low, high):
            if isinstance(bound, float) and math.isinf(bound):
                row = first_row + pc.index(cells, pa.scalar(bound, cells.type)).as_py()
                raise InvalidData(
                    f"column {self._name!r}, row {row}",
                    expected="a finite number, or an empty cell for a missing one",
                    received=f"{bound} (infinity)",
                    remedy="leave the cell empty, or write the correct value",
                )
        self._add_bounds(low, high)

    def lacking(self, cells: pa.ChunkedArray) -> tuple[list[Any], list[Any]]:
        """Return the values that are not among `cells`: the smallest, and all others."""
        if self._ordered and self._low is not None:
            low, high = _extremes(cells)
            stored = _stored(self._type)
            first = [] if low == self._low else [self._low]
            last = [] if high == self._high else [self._high]
            return [_restored(v, stored, self._type) for v in first], [
                _restored(v, stored, self._type) for v in last
            ]
        if self._is_text and self._words:
            plain = cells.cast(arrow_types.value_type(self._type))
            known = set(plain.unique().to_pylist())
            return [], [word for word in self._words if word not in known]
        return [], []


def _extremes(cells: pa.ChunkedArray) -> tuple[Any, Any]:
    """Return the smallest and the largest value; None and None if all are missing."""
    if pt.is_null(cells.type):
        return None, None
    kind = _stored(cells.type)
    low, high = pc.min_max(cells if kind == cells.type else cells.cast(kind)).values()
    low, high = low.as_py(), high.as_py()
    return (None, None) if low is None or low != low else (low, high)  # NaN if all are


def _stored(kind: pa.DataType) -> pa.DataType:
    """Return the type by which values are compared: integers for dates and booleans."""
    if pt.is_temporal(kind):
        return arrow_types.storage(kind)
    if pt.is_boolean(kind):
        return pa.uint8()
    return pa.float32() if pt.is_float16(kind) else kind


def _restored(value: Any, stored: pa.DataType, kind: pa.DataType) -> Any:
    if stored == kind:
        return value
    return pa.array([value], stored).cast(kind)[0]


class ArrayExtremes:
    """The smallest and the largest value of each cell of a stream of arrays.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one row.

    Attributes
    ----------
    missing : bool
        Whether a cell is missing.
    """

    def __init__(self, sample_shape: tuple[int, ...]) -> None:
        self.missing = False
        self._shape = sample_shape
        self._low = np.full(math.prod(sample_shape), np.nan)
        self._high = self._low.copy()

    def add(self, rows: NDArray[Any], first_row: int) -> None:
        """Look at rows; raises InvalidData if a number is infinite."""
        flat = rows.reshape(len(rows), -1)
        low = np.fmin.reduce(flat, axis=0).astype(np.float64)
        high = np.fmax.reduce(flat, axis=0).astype(np.float64)
        if np.isinf(low).any() or np.isinf(high).any():
            raise scalings.infinity_error(flat, self._name, first_row, flat)
        self._low, self._high = np.fmin(self._low, low), np.fmax(self._high, high)
        self.missing = self.missing or (flat.dtype.kind == "f" and bool(np.isnan(flat).any()))

    def share(self) -> None:
        """Add what the other processes have found in their rows."""
        ends = processes.gathered([*self._low, *self._high, self.missing])
        low, high = ends[:, : self._low.size], ends[:, self._low.size : -1]
        self._low, self._high = np.fmin.reduce(low), np.fmax.reduce(high)
        self.missing = bool(ends[:, -1].any())

    def added_to(self, sample: NDArray[Any]) -> NDArray[Any]:
        """Return a sample with two more rows: the smallest and the largest value of each cell."""
        ends = np.stack([self._low, self._high])
        rows = ends.astype(sample.dtype).reshape(2, *self._shape).view(type(sample))
        return np.asanyarray(joined([sample, rows]))

    def _name(self, column: int) -> str:
        return cell_name(column, self._shape)
