"""Data in parts that are read in batches, as often as needed."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.core.errors import DataWarning, InvalidData, IsthmusError, SchemaMismatch
from isthmus.core.name_lists import name_list
from isthmus.data.formats.image_arrays import form_of, with_form
from isthmus.data.frames import is_table, to_arrow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from isthmus.data.frames import Container

Rows = Any
"""Rows as an array or a pyarrow Table, which has no types of its own."""


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a source, such as a file, a row group or a range of rows.

    Parameters
    ----------
    name : str
        Names it in messages.
    open : callable
        Returns an iterable of its rows from the first one on, in batches of any size: arrays,
        DataFrames, Arrow tables or record batches. Each call begins anew.
    rows : int, optional
        How many rows it has, if that is known without reading it.
    """

    name: str
    open: Callable[[], Iterable[Any]]
    rows: int | None = None


@dataclass(frozen=True, eq=False)
class RowForm:
    """What the rows of a source have in common.

    Attributes
    ----------
    columns : pyarrow.Schema, optional
        Names and types of the columns; None for arrays.
    sample_shape : tuple of int
        Shape of one row.
    dtype : numpy.dtype, optional
        The type of the numbers of arrays; None for tables.
    """

    columns: pa.Schema | None
    sample_shape: tuple[int, ...]
    dtype: np.dtype[Any] | None = None

    @classmethod
    def of(cls, rows: Rows) -> RowForm:
        """Return the form of an array or a table."""
        if isinstance(rows, pa.Table):
            return cls(rows.schema, (rows.num_columns,))
        return cls(None, rows.shape[1:], rows.dtype)

    def fitted(self, rows: Rows) -> Rows:
        """Return rows in this form: columns in order, and of these types.

        Raises
        ------
        SchemaMismatch
            They have other columns, types that cannot be converted without loss, or another shape.
        """
        if self.columns is None:
            return self._fitted_array(rows)
        if not isinstance(rows, pa.Table):
            raise _another("a table", f"an array of shape {rows.shape}")
        if rows.schema.equals(self.columns):
            return rows
        given, known = set(rows.column_names), set(self.columns.names)
        if given != known:
            differing = [*sorted(known - given), *sorted(given - known)]
            raise _another(
                f"the columns {name_list(self.columns.names)}, as in the first part",
                f"{name_list(rows.column_names)}, which differ in {name_list(differing)}",
            )
        columns = []
        for field in self.columns:
            try:
                columns.append(rows.column(field.name).cast(field.type))
            except pa.ArrowException as error:
                raise _another(
                    f"column {field.name!r} of type {field.type}, as in the first part",
                    f"{rows.column(field.name).type} ({str(error).splitlines()[0][:200]})",
                ) from None
        return pa.Table.from_arrays(columns, schema=self.columns)

    def _fitted_array(self, rows: Rows) -> Rows:
        if isinstance(rows, pa.Table):
            raise _another(f"an array of shape (n, {self.sample_shape})", "a table")
        if rows.shape[1:] != self.sample_shape:
            shapes = [f"(n, {', '.join(map(str, s))})" for s in (self.sample_shape, rows.shape[1:])]
            raise _another(f"shape {shapes[0]}, as in the first part", shapes[1])
        if rows.dtype == self.dtype:
            return rows
        if self.dtype is None or not np.can_cast(rows.dtype, self.dtype, "safe"):
            raise _another(f"numbers of type {self.dtype}, as in the first part", str(rows.dtype))
        return rows.astype(self.dtype)


@dataclass(frozen=True, eq=False)
class BatchSource:
    """Rows in parts, which are read in batches, and read again for each pass.

    Parameters
    ----------
    name : str
        Names it in messages.
    parts : tuple of Part
        At least one.
    given_form : RowForm, optional
        What the rows have in common, if that is known without reading them.
    container : "pandas", "polars" or "arrow"
        What tables are converted back to.
    bytes_in_memory : int, optional
        An estimate of the size of its rows as float32, if they cannot be counted before they are
        read.
    """

    name: str
    parts: tuple[Part, ...]
    given_form: RowForm | None = None
    container: Container = "arrow"
    bytes_in_memory: int | None = None

    @cached_property
    def form(self) -> RowForm:
        """What the rows have in common; reads the first batch if it must."""
        if self.given_form is not None:
            return self.given_form
        for part in self.parts:
            for batch in part.open():
                if len(rows := as_rows(batch)):
                    return RowForm.of(rows)
        raise _no_rows(self.name)

    @cached_property
    def rows(self) -> int | None:
        """Number of rows; None if it is not known before they are read."""
        counts = [part.rows for part in self.parts]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def matrix_bytes(self) -> int | None:
        """Size of the rows as a float32 matrix with a cell per column; None if unknown."""
        if self.rows is None:
            return self.bytes_in_memory
        return 4 * self.rows * math.prod(self.form.sample_shape)

    def batches(self, rows: int, part: int, start: int = 0) -> Iterator[Rows]:
        """Read a part in batches of `rows` rows; the last one may have fewer.

        Parameters
        ----------
        rows : int
            Rows of a batch.
        part : int
            Number of the part.
        start : int
            The first row to return. Rows before it are read and dropped.

        Raises
        ------
        UnreadableFile, SchemaMismatch, InvalidData
            The part cannot be read, or has other columns than the others; the message names it.
        """
        yield from _batches(self.parts[part], rows, start, self.form)

    def stream(self, rows: int) -> Iterator[Rows]:
        """Read all rows in order, in batches of `rows` rows, each within one part.

        Raises
        ------
        InvalidData
            There are no rows.

        Warns
        -----
        DataWarning
            A part has no rows.
        """
        counts = []
        for place in range(len(self.parts)):
            count = 0
            for batch in self.batches(rows, place):
                count += len(batch)
                yield batch
            counts.append(count)
        self.check_counts(counts)

    def check_counts(self, counts: Sequence[int]) -> None:
        """Warn of parts without rows; raise InvalidData if there is no row at all."""
        empty = [p.name for p, count in zip(self.parts, counts, strict=True) if not count]
        if len(empty) == len(self.parts):
            raise _no_rows(self.name)
        if empty:
            warnings.warn(f"There are no rows in {name_list(empty)}.", DataWarning, stacklevel=3)

    def read(self) -> Rows:
        """Read all rows into memory."""
        return joined(list(self.stream(1 << 16)))


def joined(batches: list[Any]) -> Any:
    """Return batches of arrays or tables as one."""
    if isinstance(batches[0], pa.Table):
        return pa.concat_tables(batches)
    form = form_of(batches[0])
    return with_form(np.concatenate(batches), form)


def as_rows(batch: Any) -> Rows:
    """Return a batch as an array or as a table.

    Raises
    ------
    InvalidData
        It is neither, or its numbers have fewer than 2 dimensions.
    """
    if is_table(batch):
        return to_arrow(batch)
    array: NDArray[Any] = batch if isinstance(batch, np.ndarray) else np.asarray(batch)
    if array.ndim < 2 or array.dtype.kind not in "biuf":
        raise InvalidData(
            "a batch",
            expected="rows: a table, or an array of numbers with at least 2 dimensions",
            received=f"{type(batch).__name__} of shape {array.shape}, {array.dtype}",
            remedy="yield several rows at a time, as arrays (n, columns) or DataFrames",
        )
    return array


def _batches(part: Part, rows: int, start: int = 0, form: RowForm | None = None) -> Iterator[Rows]:
    """Yield the rows of a part from `start` on, in batches of `rows` rows."""

    def fitted() -> Iterator[Rows]:
        for batch in part.open():
            found = as_rows(batch)
            yield found if form is None else form.fitted(found)

    try:
        yield from _regrouped(fitted(), rows, start)
    except IsthmusError as error:
        raise error.about(part.name) from None


def _regrouped(batches: Iterable[Rows], rows: int, start: int) -> Iterator[Rows]:
    held: list[Rows] = []
    count = 0
    for batch in batches:
        skipped = min(start, len(batch))
        start -= skipped
        if len(batch) == skipped:
            continue
        held.append(batch[skipped:] if skipped else batch)
        count += len(held[-1])
        while count >= rows:
            table = held[0] if len(held) == 1 else joined(held)
            yield table[:rows]
            held = [table[rows:]] if count > rows else []
            count -= rows
    if count:
        yield joined(held)


def _another(expected: str, received: str) -> SchemaMismatch:
    return SchemaMismatch(
        "rows",
        expected=expected,
        received=received,
        remedy="make all parts alike, or leave this one out",
    )


def _no_rows(name: str) -> InvalidData:
    return InvalidData(
        name, expected="at least one row", received="none", remedy="check how it was written"
    )
