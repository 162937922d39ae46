"""The signature of a model in MLflow's terms, from the schema of its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from isthmus.data import arrow_types
from isthmus.data.table_schema import TableSchema

if TYPE_CHECKING:
    from isthmus.data.table_columns import TableColumn
    from isthmus.mlflow.prediction import MLflowModel

_TYPES = {"text": "string", "dates": "datetime"}
"""MLflow's types, by the family of a column's cells."""


def signature(predictor: MLflowModel, example: Any) -> Any:
    """Return the signature: the columns or shape of rows, results by default, and parameters.

    None if MLflow has no type for a column, such as a time of day.
    """
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import ParamSchema, ParamSpec

    inputs = _inputs(predictor.saved)
    if inputs is None:
        return None
    outputs = None
    if example is not None:
        outputs = infer_signature(model_output=predictor.predict(example)).outputs
    params = [
        ParamSpec(name, "string" if isinstance(default, str) else "long", default)
        for name, default in predictor.choices.items()
    ]
    return ModelSignature(inputs, outputs, ParamSchema(params))


def input_example(predictor: MLflowModel) -> Any:
    """Return a row from the centre of each column, as a DataFrame or an array; None of series."""
    rows = predictor.methods[predictor.default].rows
    if rows is None:
        return None
    made = rows.from_json([rows.example()])
    if isinstance(made, pa.Table):
        return made.to_pandas()
    return made.astype(_schema(predictor.saved).dtype)


def _inputs(saved: Any) -> Any:
    from mlflow.types import ColSpec, Schema, TensorSpec

    sensors = getattr(saved, "sensors_", None)
    if sensors is not None:
        return None  # a series may have an index or columns of times, by any name
    schema = _schema(saved)
    if not isinstance(schema, TableSchema):
        return Schema([TensorSpec(np.dtype(schema.dtype), (-1, *schema.sample_shape))])
    kinds = [_kind(field) for field in schema.fields]
    if None in kinds:
        return None
    return Schema(
        [
            ColSpec(kind, field.name, required=not field.passed_through)
            for kind, field in zip(kinds, schema.fields, strict=True)
        ]
    )


def _schema(saved: Any) -> Any:
    own = getattr(saved, "schema_", None)
    return saved.autoencoder_.schema_ if own is None else own


def _kind(field: TableColumn) -> Any:
    """Return MLflow's type of a column, None if there is none.

    Whole numbers and truth values have any type, because pandas stores them in another one if a
    cell is missing, and so do pandas' categories: MLflow would refuse such columns.
    """
    from mlflow.types.schema import AnyType

    kind = arrow_types.value_type(field.type)
    if pt.is_null(kind) or pt.is_dictionary(field.type):
        return AnyType()
    if pt.is_floating(kind):
        return "double"
    if arrow_types.family(kind) in ("numbers", "booleans"):
        return AnyType()
    return _TYPES.get(str(arrow_types.family(kind)))
