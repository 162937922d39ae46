"""The rows of a model of tables: read from JSON, Arrow and arrays, and described in JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidData, SchemaMismatch
from isthmus.core.name_lists import name_list
from isthmus.data import arrow_types, frames
from isthmus.serve.json_cells import plain_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.data.table_columns import TableColumn
    from isthmus.data.table_schema import TableSchema

_SHOWN = 20
"""Categories that the description of a column lists."""


class TableReader:
    """Reads rows with the columns of a model of tables.

    All rows get the same types, so that those of several requests can be joined. Columns that the
    model does not learn from, such as identifiers, may be absent.

    Parameters
    ----------
    schema : TableSchema
        What the model learned about its columns.
    """

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._fields = {field.name: field for field in schema.fields}
        self.types = pa.schema({name: _accepted(field) for name, field in self._fields.items()})

    def from_json(self, rows: Sequence[Any]) -> pa.Table:
        """Return rows that are objects with a value, or null, for each column."""
        known, needed = self._fields.keys(), self._needed
        for place, row in enumerate(rows):
            if not isinstance(row, dict):
                raise SchemaMismatch(
                    f"row {place}",
                    expected="an object with the columns as keys",
                    received=type(row).__name__,
                    remedy='write {"rows": [{"column": value, ...}, ...]}',
                )
            if row.keys() != known:
                self._check_names(list(row), needed, f"row {place}")
        cells = {
            name: _cells_of_json(
                field, [row.get(name) for row in rows], self.types.field(name).type
            )
            for name, field in self._fields.items()
        }
        return pa.table(cells, schema=self.types)

    def from_arrow(self, table: pa.Table) -> pa.Table:
        """Return rows of a table whose types can be converted; the order of columns is free."""
        frames.unique_names(table.column_names)
        self._check_names(table.column_names, self._needed, "columns")
        columns = [
            self._converted(field, table, self.types.field(name).type)
            for name, field in self._fields.items()
        ]
        return pa.Table.from_arrays(columns, schema=self.types)

    def from_array(self, array: NDArray[Any]) -> pa.Table:
        """Return rows of an array of shape (n, columns), if all columns are numbers."""
        other = [f.name for f in self._schema.fields if f.kind != "number"]
        if other or array.ndim != 2 or array.shape[1] != len(self._fields):
            raise SchemaMismatch(
                "the array",
                expected=f"a table with the columns {name_list(list(self._fields))}"
                if other
                else f"shape (n, {len(self._fields)}), with the columns in the order of fit",
                received=f"shape {array.shape}",
                remedy="send JSON or Arrow, which have names and text" if other else "",
            )
        cells = {
            name: pa.array(np.ascontiguousarray(column, dtype=np.float64), from_pandas=True)
            for name, column in zip(self._fields, array.T, strict=True)
        }
        return self.from_arrow(pa.table(cells))

    def example(self) -> Any:
        """Return a row as JSON: the centre of each column's scale, and the first category."""
        centre = np.zeros((1, *self._schema.sample_shape), dtype=np.float32)
        # Cells that are passed through come from a row, in which they are missing.
        empty = pa.table({field.name: pa.nulls(1, field.type) for field in self.types})
        table = self._schema.from_matrix(centre, like=empty)
        return plain_table(frames.to_arrow(table))[0]

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a row."""
        return {
            "type": "object",
            "properties": {name: _described(field) for name, field in self._fields.items()},
            "required": self._needed,
            "additionalProperties": False,
        }

    @property
    def _needed(self) -> list[str]:
        return [name for name, field in self._fields.items() if not field.passed_through]

    def _check_names(self, names: list[str], needed: list[str], subject: str) -> None:
        absent = [name for name in needed if name not in names]
        if absent:
            raise SchemaMismatch(
                subject,
                expected=f"all {len(needed)} columns that the model needs",
                received=f"none named {name_list(absent)}",
                remedy=nearest(absent[0], [name for name in names if name not in needed])
                or "add the column; its cells may be null",
            )
        new = [name for name in names if name not in self._fields]
        if new:
            raise SchemaMismatch(
                subject,
                expected=f"the columns {name_list(list(self._fields))}",
                received=f"others named {name_list(new)}",
                remedy="leave them out",
            )

    def _converted(self, field: TableColumn, table: pa.Table, kind: pa.DataType) -> Any:
        if field.name not in table.column_names:
            return pa.nulls(table.num_rows, kind)
        cells = field.parsed(table.column(field.name))
        field.check(cells)
        try:
            return cells.cast(kind, safe=not pt.is_temporal(kind))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise _unfit(field.name, kind, str(error)) from None


def _accepted(field: TableColumn) -> pa.DataType:
    """Return the type in which a column is passed to the model."""
    if pt.is_null(field.type):
        return pa.string()
    if field.passed_through:
        return arrow_types.value_type(field.type)
    return field.type_to_read


def _cells_of_json(field: TableColumn, values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        if pt.is_temporal(kind) and not pt.is_duration(kind):
            return pa.array(values, pa.string()).cast(kind)
        return pa.array(values, kind)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise _unfit(field.name, kind, str(error)) from None


def _unfit(name: str, kind: pa.DataType, reason: str) -> InvalidData:
    return InvalidData(
        f"column {name!r}",
        expected=f"cells of type {kind}, or null",
        received=reason.splitlines()[0][:200] if reason else "another type",
        remedy="see the schema of the model in /openapi.json",
    )


def _described(field: TableColumn) -> dict[str, Any]:
    """Return the JSON Schema of a cell."""
    family = "text" if pt.is_null(field.type) else arrow_types.family(field.type)
    kind = {"numbers": "number", "booleans": "boolean", "durations": "integer"}.get(
        str(family), "string"
    )
    described: dict[str, Any] = {"type": [kind, "null"]}
    if str(family).startswith("dates"):
        described["format"] = "date" if pt.is_date(field.type) else "date-time"
    if field.kind == "category" and family == "text":
        described["examples"] = list(field.categories[:_SHOWN])
    if field.why_not_learned:
        described["description"] = f"Not learned: {field.why_not_learned}."
    return described
