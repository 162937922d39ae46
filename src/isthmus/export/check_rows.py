"""Rows on which an exported graph is compared with Python, and its inputs for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from isthmus.core.randomness import generator_for
from isthmus.data import arrow_types, frames
from isthmus.data.table_columns import integers
from isthmus.data.table_schema import TableSchema
from isthmus.export.schema_nodes import ARRAY
from isthmus.export.table_nodes import MISSING_TICK, input_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.data.table_columns import TableColumn

ROWS = 64
_FAR = 8
"""Rows of far values, of which the first is missing as a whole."""
_MISSING = 0.05
_UNSEEN = "a value that fit never saw"


def check_rows(schema: Schema, count: int = ROWS) -> Any:
    """Return random rows in the user's units: usual ones, far ones, missing and unseen cells.

    All cells of the first row are missing.
    """
    rng = generator_for(0, "rows to check an export")
    matrix = _random_matrix(schema, rng, count)
    matrix[0] = np.nan
    rows = schema.unbounded().from_matrix(matrix.astype(np.float32))
    if not isinstance(schema, TableSchema):
        return rows
    return _with_events(schema, frames.to_arrow(rows), rng)


def feeds(schema: Schema, X: Any, *, every: bool = False) -> dict[str, Any]:
    """Return the inputs of an exported graph for rows of the user's data.

    With `every`, those of columns of a table that are not learned are included.
    """
    if not isinstance(schema, TableSchema):
        return {ARRAY: np.asarray(X)}
    table = frames.to_arrow(X)
    fields = schema.fields if every else schema.learned
    return {field.name: _cells(field, table.column(field.name)) for field in fields}


def _random_matrix(schema: Schema, rng: np.random.Generator, count: int) -> Any:
    shape = (count, *schema.sample_shape)
    if schema.values == "unit":
        matrix = rng.random(shape)
        matrix[:_FAR] = 6 * matrix[:_FAR] - 2.5
    else:
        matrix = rng.standard_normal(shape)
        matrix[:_FAR] *= 20
    for segment in schema.segments:
        part = matrix[:, segment.start : segment.stop]
        if segment.kind == "binary":
            part[:] = rng.random(part.shape) < 0.5
        elif segment.kind == "categorical":
            part[:] = np.eye(part.shape[1])[rng.integers(part.shape[1], size=count)]
        part[rng.random(count) < _MISSING] = np.nan
    if not schema.segments:
        matrix[rng.random(shape) < _MISSING] = np.nan
    return matrix


def _with_events(schema: TableSchema, table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Fill columns that are passed through, and put in some values that `fit` did not see."""
    for place, field in enumerate(schema.fields):
        some = rng.random(len(table)) < (0.9 if field.passed_through else _MISSING)
        varied = field.width and field.kind != "category"
        if field.passed_through or (schema.unknown == "warn" and not varied):
            cells = _others(field, table.column(place), some)
            table = table.set_column(place, field.name, cells)
    return table


def _others(field: TableColumn, cells: pa.ChunkedArray, some: NDArray[np.bool_]) -> Any:
    """Return the cells of a column of text or numbers, some of them replaced by other values."""
    kind = arrow_types.value_type(field.type)
    if arrow_types.family(kind) == "text":
        plain = cells.cast(pa.string())
        return pc.if_else(pa.array(some), _UNSEEN, plain)
    if not (pt.is_integer(kind) or pt.is_floating(kind)) or pt.is_dictionary(field.type):
        return cells
    return pc.if_else(pa.array(some), pa.scalar(1, kind), cells)


def codes(width: int, some: Floats) -> Floats:
    """Return codes to decode: those of rows, and zeros."""
    return np.concatenate([some, np.zeros((1, width), np.float32)])


def _cells(field: TableColumn, cells: Any) -> Any:
    kind = input_dtype(field)
    if kind is str:
        index = field.codes(cells)
        known = np.array([*field.categories, _UNSEEN, ""], object)  # by -2 and -1, too
        return known[index][:, None]
    if kind is np.int64:
        ticks, missing = integers(cells)
        return np.where(missing, MISSING_TICK, ticks)[:, None]
    return field.numbers(cells).astype(kind)[:, None]
