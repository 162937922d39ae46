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
    given = graph.input(ARRAY, _array(schema).dtype, schema.sample_shape)
    return scaled_samples(graph, schema, given)


def outputs(graph: OnnxGraph, schema: Schema, matrix: str) -> None:
    """Add the outputs for scaled rows in original units: ``"reconstruction"``, or one by column."""
    if isinstance(schema, TableSchema):
        return table_outputs(graph, schema, matrix)
    kind = np.dtype(_array(schema).dtype)
    made = unscaled_samples(graph, schema, matrix)
    return graph.output(RECONSTRUCTION, made, kind, schema.sample_shape)


def scaled_samples(graph: OperatorGraph, schema: Schema, given: str) -> str:
    """Return samples of an array, (n, *sample_shape), scaled; NaN where a cell is missing."""
    made = _flat(graph, graph.cast(given, np.float64), schema)
    made = graph.cast(scaled(graph, made, _array(schema).scaling), np.float32)
    made = graph.reshaped(made, schema.sample_shape)
    return _where_absent(graph, schema, made, np.float32)


def unscaled_samples(graph: OperatorGraph, schema: Schema, matrix: str) -> str:
    """Return scaled samples of an array, (n, *sample_shape), in original units and type."""
    made = _flat(graph, graph.cast(matrix, np.float64), schema)
    made = graph.reshaped(unscaled(graph, made, _array(schema).scaling), schema.sample_shape)
    kind = np.dtype(_array(schema).dtype)
    largest = (graph.constant(sign * float(np.finfo(kind).max), np.float64) for sign in (-1, 1))
    made = _where_absent(graph, schema, graph.add("Clip", made, *largest), np.float64)
    return graph.cast(made, kind)


def filled(graph: OperatorGraph, matrix: str) -> str:
    """Replace missing cells by 0, as networks receive them."""
    zero = graph.constant(0.0, np.float32)
    return graph.add("Where", graph.add("IsNaN", matrix), zero, matrix)


def _array(schema: Schema) -> ArraySchema:
    if isinstance(schema, ArraySchema):
        return schema
    raise AssertionError("there is no other kind of schema")


def _flat(graph: OperatorGraph, cells: str, schema: Schema) -> str:
    """Flatten samples as far as the scaling needs it: by column, or by channel."""
    size = _array(schema).scaling.center.size
    if size in (1, schema.sample_shape[-1]):
        return cells
    return graph.reshaped(cells, (schema.n_columns,))


def _where_absent(
    graph: OperatorGraph, schema: Schema, cells: str, dtype: type[np.floating]
) -> str:
    """Make cells missing that were missing in every row of `fit`."""
    if schema.absent is None:
        return cells
    absent = graph.constant(schema.absent.reshape(schema.sample_shape))
    return graph.add("Where", absent, graph.constant(np.nan, dtype), cells)
