"""Exports an autoencoder, or a part of it, as an ONNX file."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import DataWarning, InvalidParameter
from isthmus.data import frames
from isthmus.data.table_schema import TableSchema
from isthmus.estimators.labels import Classes
from isthmus.export import schema_nodes
from isthmus.export.check_rows import check_rows, codes, feeds
from isthmus.export.error_nodes import row_errors, without_padding
from isthmus.export.graph import OnnxGraph
from isthmus.export.network_nodes import network_nodes
from isthmus.export.onnx_file import Check, CheckedGraph, write_onnx
from isthmus.export.parity import Expected
from isthmus.export.table_nodes import PREFIX, texts

if TYPE_CHECKING:
    import os

    from isthmus.data.table_columns import TableColumn

FORMATS = ("onnx", "keras", "numpy")
PARTS = ("reconstruct", "encode", "decode", "predict")


def export(estimator: Any, path: str | os.PathLike[str], part: str) -> None:
    """Write a part of a fitted estimator; see `BaseAutoencoder.export`."""
    _check_part(estimator, part)
    graph = OnnxGraph()
    build = {
        "encode": _encode,
        "decode": _decode,
        "reconstruct": _reconstruct,
        "predict": _predict,
    }[part]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of values that fit did not see
        inputs, expected = build(graph, estimator)
    description = {"kind": estimator.kind, "part": part}
    schema = estimator.schema_.to_config()
    write_onnx(path, CheckedGraph(graph, schema, [Check(inputs, expected)]), description)


def check_format(to: str, part: str) -> None:
    """Check the format to export to, and that only ONNX files are of a part."""
    if to not in FORMATS:
        raise InvalidParameter(
            "to", expected=f"one of {', '.join(map(repr, FORMATS))}", received=repr(to)
        )
    if to != "onnx" and part != PARTS[0]:
        raise InvalidParameter(
            "part",
            expected=f"none with to={to!r}, which writes all of them",
            received=repr(part),
            remedy="leave it out, or use to='onnx'",
        )


def _check_part(estimator: Any, part: str) -> None:
    known = PARTS if hasattr(estimator, "predict") else PARTS[:-1]
    if part not in known:
        raise InvalidParameter(
            "part",
            expected=f"one of {', '.join(map(repr, known))}",
            received=repr(part),
            remedy="'predict' is for models that learned labels",
        )


_Checks = tuple[dict[str, Any], dict[str, Expected]]


def _encode(graph: OnnxGraph, estimator: Any) -> _Checks:
    _, code = _encoded(graph, estimator)
    graph.output("code", code, np.float32, (estimator.latent_dim_,))
    X = check_rows(estimator.schema_)
    return feeds(estimator.schema_, X), {"code": Expected(estimator.transform(X))}


def _decode(graph: OnnxGraph, estimator: Any) -> _Checks:
    width = estimator.latent_dim_
    code = graph.input("code", np.float32, (width,))
    (made,) = network_nodes(graph, estimator.decoder_, [code])
    schema_nodes.outputs(graph, estimator.schema_, made)
    Z = codes(width, estimator.transform(check_rows(estimator.schema_)))
    return {"code": Z}, expected_rows(estimator, estimator.inverse_transform(Z))


def _reconstruct(graph: OnnxGraph, estimator: Any) -> _Checks:
    schema = estimator.schema_
    matrix, code = _encoded(graph, estimator)
    graph.output("code", code, np.float32, (estimator.latent_dim_,))
    (made,) = network_nodes(graph, estimator.decoder_, [code])
    shown = made
    if estimator._architecture is not None and estimator._architecture.variable_length:
        shown = without_padding(graph, made, matrix)
    schema_nodes.outputs(graph, schema, shown)
    errors = row_errors(graph, schema, matrix, made)
    graph.output("reconstruction_error", errors, np.float64, ())
    X = check_rows(schema)
    expected = {
        "code": Expected(estimator.transform(X)),
        **expected_rows(estimator, estimator.reconstruct(X)),
        "reconstruction_error": Expected(estimator.reconstruction_error(X)),
    }
    return feeds(schema, X), expected


def _predict(graph: OnnxGraph, estimator: Any) -> _Checks:
    _, code = _encoded(graph, estimator)
    (response,) = network_nodes(graph, estimator.head_, [code])
    labelling = estimator._labelling
    X = check_rows(estimator.schema_)
    if not isinstance(labelling, Classes):
        values = graph.cast(response, np.float64)
        values = graph.add("Mul", values, graph.constant(labelling.scale, np.float64))
        values = graph.add("Add", values, graph.constant(labelling.mean, np.float64))
        graph.output("prediction", values, np.float64, (labelling.outputs,))
        return feeds(estimator.schema_, X), {
            "prediction": Expected(estimator.predict(X), unit=labelling.scale)
        }
    graph.output("probabilities", response, np.float32, (labelling.outputs,))
    best = graph.add("ArgMax", response, axis=1, keepdims=0)
    if labelling.values.dtype.kind == "U":
        graph.output("label", texts(graph, best, tuple(labelling.values.tolist())), str, ())
    else:
        label = graph.add("Gather", graph.constant(labelling.values), best)
        graph.output("label", label, labelling.values.dtype, ())
    return feeds(estimator.schema_, X), {
        "probabilities": Expected(estimator.predict_proba(X)),
        "label": Expected(estimator.predict(X)),
    }


def _encoded(graph: OnnxGraph, estimator: Any) -> tuple[str, str]:
    """Add inputs and encoder; return the scaled matrix and the code."""
    matrix = schema_nodes.inputs(graph, estimator.schema_)
    (code,) = network_nodes(graph, estimator.encoder_, [schema_nodes.filled(graph, matrix)])
    return matrix, code


def expected_rows(estimator: Any, rows: Any) -> dict[str, Expected]:
    """Return what the outputs of `schema_nodes.outputs` should be for reconstructed rows."""
    schema = estimator.schema_
    scale = schema.scaling.scale
    if not isinstance(schema, TableSchema):
        if scale.size == schema.n_columns:
            scale = scale.reshape(schema.sample_shape)
        return {schema_nodes.RECONSTRUCTION: Expected(rows, unit=scale)}
    cells = feeds(schema, frames.to_arrow(rows))
    numbers = [field for field in schema.learned if field.kind == "number"]
    scales = dict(zip([f.name for f in numbers], np.broadcast_to(scale, len(numbers)), strict=True))
    return {
        PREFIX + field.name: _expected_column(field, cells[field.name], scales.get(field.name))
        for field in schema.learned
    }


def _expected_column(field: TableColumn, cells: Any, scale: float | None) -> Expected:
    if field.kind == "boolean":
        return Expected(cells > 0.5)
    if scale is None:
        return Expected(cells)
    margin = 0.0 if field.domain is None or field.domain.atom is None else field.domain.atom.margin
    return Expected(cells, field.step * scale, field.step * (field.spacing + margin))
