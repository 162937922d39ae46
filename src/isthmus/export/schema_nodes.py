"""The user's data as ONNX inputs and outputs: schemas as nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.data.array_schema import ArraySchema
from isthmus.data.table_schema import TableSchema
from isthmus.export.scaling_nodes import scaled, unscaled
from isthmus.export.table_nodes import PREFIX, table_inputs, table_outputs

if TYPE_CHECKING:
    from isthmus.data.schema import Schema
    from isthmus.export.graph import OnnxGraph
    from isthmus.export.operators import OperatorGraph

ARRAY = "X"
RECONSTRUCTION = PREFIX.rstrip(".")


def inputs(graph: OnnxGraph, schema: Schema) -> str:
    """Add the inputs for the user's data; return the scaled matrix, NaN where a cell is missing.

    A table has an input (n, 1) for each column that is learned (`table_inputs`), an array the input
    ``"X"`` (n, *sample_shape) of the schema's type.
    """
    if isinstance(schema, TableSchema):
        return table_inputs(graph, schema)
    cells = graph.input(ARRAY, _array(schema).dtype, schema.sample_shape)
    made = _flat(graph, graph.cast(cells, np.float64), schema)
    made = graph.cast(scaled(graph, made, _array(schema).scaling), np.float32)
    made = _reshaped(graph, made, schema.sample_shape)
    return _where_absent(graph, schema, made, np.float32)


def outputs(graph: OnnxGraph, schema: Schema, matrix: str) -> None:
    """Add the outputs for scaled rows in original units: ``"reconstruction"``, or one by column."""
    if isinstance(schema, TableSchema):
        return table_outputs(graph, schema, matrix)
    made = _flat(graph, graph.cast(matrix, np.float64), schema)
    made = _reshaped(graph, unscaled(graph, made, _array(schema).scaling), schema.sample_shape)
    kind = np.dtype(_array(schema).dtype)
    largest = (graph.constant(sign * float(np.finfo(kind).max), np.float64) for sign in (-1, 1))
    made = _where_absent(graph, schema, graph.add("Clip", made, *largest), np.float64)
    made = graph.cast(made, kind)
    return graph.output(RECONSTRUCTION, made, kind, schema.sample_shape)


def filled(graph: OperatorGraph, matrix: str) -> str:
    """Replace missing cells by 0, as networks receive them."""
    zero = graph.constant(0.0, np.float32)
    return graph.add("Where", graph.add("IsNaN", matrix), zero, matrix)


def _array(schema: Schema) -> ArraySchema:
    if isinstance(schema, ArraySchema):
        return schema
    raise AssertionError("there is no other kind of schema")


def _flat(graph: OnnxGraph, cells: str, schema: Schema) -> str:
    """Flatten samples as far as the scaling needs it: by column, or by channel."""
    size = _array(schema).scaling.center.size
    if size in (1, schema.sample_shape[-1]):
        return cells
    return _reshaped(graph, cells, (schema.n_columns,))


def _reshaped(graph: OnnxGraph, cells: str, shape: tuple[int, ...]) -> str:
    return graph.add("Reshape", cells, graph.constant([-1, *shape], np.int64))


def _where_absent(graph: OnnxGraph, schema: Schema, cells: str, dtype: type[np.floating]) -> str:
    """Make cells missing that were missing in every row of `fit`."""
    if schema.absent is None:
        return cells
    absent = graph.constant(schema.absent.reshape(schema.sample_shape))
    return graph.add("Where", absent, graph.constant(np.nan, dtype), cells)
