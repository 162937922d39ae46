"""Which cells of rows are missing, or were never seen, as ONNX nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isthmus.data.table_schema import TableSchema
from isthmus.export import schema_nodes
from isthmus.export.table_nodes import observed_table

if TYPE_CHECKING:
    from isthmus.data.schema import Schema
    from isthmus.export.graph import OnnxGraph


class ObservedNodes(NamedTuple):
    """What `Schema.observe` returns, as names of values."""

    matrix: str
    """(n, *sample_shape), scaled; NaN where a cell is missing."""
    missing: str
    """(n, columns)"""
    unseen: str
    """(n, columns)"""


def observed(graph: OnnxGraph, schema: Schema) -> ObservedNodes:
    """Add an input for each column, learned or not, or for the array."""
    if isinstance(schema, TableSchema):
        return ObservedNodes(*observed_table(graph, schema))
    matrix = schema_nodes.inputs(graph, schema)
    width = graph.constant([-1, schema.n_columns], np.int64)
    missing = graph.add("IsNaN", graph.add("Reshape", matrix, width))
    return ObservedNodes(matrix, missing, graph.add("And", missing, graph.add("Not", missing)))
