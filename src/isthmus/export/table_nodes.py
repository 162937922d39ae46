"""Columns of a table as ONNX inputs and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.types as pt

from isthmus.data import arrow_types
from isthmus.data.table_columns import MISSING, UNSEEN
from isthmus.export.scaling_nodes import number, scaled, unscaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isthmus.core.types import Segment
    from isthmus.data.column_domain import Domain
    from isthmus.data.table_columns import TableColumn
    from isthmus.data.table_schema import TableSchema
    from isthmus.export.graph import OnnxGraph

PREFIX = "reconstruction."
"""Outputs may not have the names of inputs."""
MISSING_TICK = np.iinfo(np.int64).min
"""A missing date or time, as in NumPy's datetime64."""


class _LearnedColumn(NamedTuple):
    """A learned column."""

    field: TableColumn
    segment: Segment
    """Its cells in the matrix."""
    number: int
    """The number of numeric columns before it."""


def input_dtype(field: TableColumn) -> Any:
    """Return the NumPy type of a column's input, or str."""
    kind = arrow_types.value_type(field.type)
    if field.kind == "category" or arrow_types.family(kind) == "text":
        return str
    if pt.is_temporal(kind):
        return np.int64
    return np.float32 if pt.is_boolean(kind) else np.float64


def table_inputs(graph: OnnxGraph, schema: TableSchema) -> str:
    """Add an input (n, 1) for each learned column; return the float32 matrix (n, width).

    Missing cells are NaN; of text "", and of dates and times the smallest integer. Text that `fit`
    did not see counts as missing.
    """
    return _matrix(graph, schema, [_input(graph, field) for field in schema.learned])


def observed_table(graph: OnnxGraph, schema: TableSchema) -> tuple[str, str, str]:
    """Add an input (n, 1) for each column, learned or not.

    Returns
    -------
    tuple of str
        The matrix as from `table_inputs`, and which cells are missing, and hold a value that `fit`
        did not see, (n, columns) each.
    """
    given = {field.name: _input(graph, field) for field in schema.fields}
    matrix = _matrix(graph, schema, [given[field.name] for field in schema.learned])
    missing = [_is_missing(graph, field, given[field.name]) for field in schema.fields]
    unseen = [
        _is_unseen(graph, field, given[field.name], empty)
        for field, empty in zip(schema.fields, missing, strict=True)
    ]
    return matrix, _joined(graph, missing), _joined(graph, unseen)


def table_outputs(graph: OnnxGraph, schema: TableSchema, matrix: str) -> None:
    """Add an output (n, 1) for each learned column of a float32 matrix (n, width)."""
    for field, segment, place in _columns(schema):
        cells = graph.columns(matrix, segment.start, segment.stop)
        if field.kind == "category":
            best = graph.add("ArgMax", cells, axis=1, keepdims=1)
            graph.output(PREFIX + field.name, texts(graph, best, field.categories), str, (1,))
        elif field.kind == "boolean":
            half = graph.constant(0.5, np.float32)
            graph.output(PREFIX + field.name, graph.add("Greater", cells, half), bool, (1,))
        else:
            values = graph.cast(cells, np.float64)
            values = unscaled(graph, values, schema.scaling, slice(place, place + 1))
            if field.domain is not None:
                values = _nearest(graph, field.domain, values)
            _number_output(graph, field, values)


def texts(graph: OnnxGraph, numbers: str, values: tuple[str, ...]) -> str:
    """Return the text for each number."""
    return graph.add("Gather", graph.constant(np.array(values, object)), numbers)


def _number_output(graph: OnnxGraph, field: TableColumn, values: str) -> None:
    kind = arrow_types.value_type(field.type)
    name = PREFIX + field.name
    if pt.is_float32(kind):
        graph.output(name, graph.cast(values, np.float32), np.float32, (1,))
    elif pt.is_floating(kind) or pt.is_decimal(kind):
        graph.output(name, values, np.float64, (1,))
    else:
        whole = graph.add(
            "Cast", graph.add("Round", _within(graph, kind, field.step, values)), to=7
        )
        step = graph.constant(field.step, np.int64)
        graph.output(name, graph.add("Mul", whole, step), np.int64, (1,))


def _within(graph: OnnxGraph, kind: Any, step: int, values: str) -> str:
    low, high = arrow_types.limits(kind)
    high = min(high, float(2**63 - 1024))  # the output is int64
    bounds = (number(graph, bound) for bound in (np.ceil(low / step), np.floor(high / step)))
    return graph.add("Clip", values, *bounds)


def _columns(schema: TableSchema) -> Iterator[_LearnedColumn]:
    count = 0
    for field, segment in zip(schema.learned, schema.segments, strict=True):
        yield _LearnedColumn(field, segment, count)
        count += field.kind == "number"


def _input(graph: OnnxGraph, field: TableColumn) -> str:
    """Add the input of a column: numbers, NaN where missing, or codes of text.

    A code is the number of a category, `MISSING` or `UNSEEN`.
    """
    cells = graph.input(field.name, input_dtype(field), (1,))
    if input_dtype(field) is str:
        codes = {"": MISSING, **{word: code for code, word in enumerate(field.categories)}}
        return graph.add(
            "LabelEncoder",
            cells,
            domain="ai.onnx.ml",
            keys_strings=list(codes),
            values_int64s=list(codes.values()),
            default_int64=UNSEEN,
        )
    return _steps(graph, field, cells) if input_dtype(field) is np.int64 else cells


def _matrix(graph: OnnxGraph, schema: TableSchema, given: Sequence[str]) -> str:
    parts = []
    for (field, _, place), cells in zip(_columns(schema), given, strict=True):
        if field.kind == "category":
            parts.append(_one_hot(graph, field, cells))
        elif field.kind == "number":
            values = scaled(graph, cells, schema.scaling, slice(place, place + 1))
            parts.append(graph.cast(values, np.float32))
        else:
            parts.append(cells)
    return _joined(graph, parts)


def _joined(graph: OnnxGraph, parts: Sequence[str]) -> str:
    return graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _one_hot(graph: OnnxGraph, field: TableColumn, codes: str) -> str:
    numbers = graph.constant([range(len(field.categories))], np.int64)
    hot = graph.cast(graph.add("Equal", codes, numbers), np.float32)
    known = graph.add("GreaterOrEqual", codes, graph.constant(0, np.int64))
    return graph.add("Where", known, hot, graph.constant(np.nan, np.float32))


def _is_missing(graph: OnnxGraph, field: TableColumn, cells: str) -> str:
    if input_dtype(field) is str:
        return graph.add("Equal", cells, graph.constant(MISSING, np.int64))
    return graph.add("IsNaN", cells)


def _is_unseen(graph: OnnxGraph, field: TableColumn, cells: str, missing: str) -> str:
    """Return which cells hold another value than in `fit`, of text or of a column that had one."""
    observed = graph.add("Not", missing)
    if field.kind == "empty":
        return observed
    if field.kind == "constant" and input_dtype(field) is not str:
        only = graph.constant(field.only_number(), input_dtype(field))
        differs = graph.add("Not", graph.add("Equal", cells, only))
        return graph.add("And", observed, differs)
    if field.kind in ("category", "constant"):
        return graph.add("Equal", cells, graph.constant(UNSEEN, np.int64))
    return graph.add("And", observed, missing)  # nowhere


def _steps(graph: OnnxGraph, field: TableColumn, ticks: str) -> str:
    """Return dates or times as multiples of the step, as `TableColumn.numbers` does."""
    step = graph.constant(field.step, np.int64)
    rest = graph.add("Mod", ticks, step)
    whole = graph.cast(graph.add("Div", graph.add("Sub", ticks, rest), step), np.float64)
    rest = graph.cast(rest, np.float64)
    values = graph.add("Add", whole, graph.add("Div", rest, number(graph, float(field.step))))
    missing = graph.add("Equal", ticks, graph.constant(MISSING_TICK, np.int64))
    return graph.add("Where", missing, number(graph, np.nan), values)


def _nearest(graph: OnnxGraph, domain: Domain, values: str) -> str:
    """Return the nearest values of the domain, as `Domain.nearest` does."""
    limits = [number(graph, limit) for limit in (domain.low, domain.high)]
    inside = found = graph.add("Clip", values, *limits)
    if domain.parts:
        parts = number(graph, float(domain.parts))
        whole = graph.add("Round", graph.add("Mul", inside, parts))
        found = graph.add("Clip", graph.add("Div", whole, parts), *limits)
    if domain.atom is not None:
        value = number(graph, domain.atom.value)
        away = graph.add("Abs", graph.add("Sub", inside, value))
        is_atom = graph.add("LessOrEqual", away, number(graph, domain.atom.margin))
        found = graph.add("Where", is_atom, value, found)
    return found
