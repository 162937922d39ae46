"""Exports an autoencoder as two Keras models, from original units to codes and back."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from isthmus._version import __version__
from isthmus.core.errors import DataWarning
from isthmus.data import arrow_types, frames
from isthmus.data.table_schema import TableSchema
from isthmus.estimators.exporting import expected_rows
from isthmus.export import keras_units
from isthmus.export.check_rows import check_rows, codes, feeds
from isthmus.export.keras_files import KerasFile, write_keras
from isthmus.export.parity import Expected
from isthmus.export.plain_keras import PlainNetwork
from isthmus.export.table_nodes import PREFIX
from isthmus.networks.initializers import without_values

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from isthmus.core.types import Floats
    from isthmus.data.array_schema import ArraySchema
    from isthmus.data.schema import Schema


def export_keras(estimator: Any, folder: str | os.PathLike[str]) -> None:
    """Write ``encoder.keras`` and ``decoder.keras``; see `BaseAutoencoder.export`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of values that fit did not see
        files = {"encoder": _encoder(estimator), "decoder": _decoder(estimator)}
    write_keras(folder, files, description(estimator))


def description(estimator: Any) -> dict[str, Any]:
    """Return what model.json says beside exported models."""
    schema = estimator.schema_
    made = {
        "isthmus": __version__,
        "keras": keras.__version__,
        "kind": estimator.kind,
        "latent_dim": int(estimator.latent_dim_),
        "sample_shape": list(schema.sample_shape),
    }
    if isinstance(schema, TableSchema):
        made["columns"] = [field.name for field in schema.learned]
    return made


def _encoder(estimator: Any) -> KerasFile:
    schema = estimator.schema_

    def built(network: PlainNetwork) -> keras.Model:
        X = keras.Input(schema.sample_shape, name="X")
        code = network.outputs(estimator.encoder_, [keras_units.scaled(schema, X)])
        return keras.Model(X, code, name="encoder")

    rows = _rounded(schema, check_rows(schema))
    expected = Expected(estimator.transform(rows))
    return KerasFile(_model(built), _matrix(schema, rows), lambda Z: {"the code": (Z, expected)})


def _decoder(estimator: Any) -> KerasFile:
    schema = estimator.schema_

    def built(network: PlainNetwork) -> keras.Model:
        code = keras.Input((estimator.latent_dim_,), name="code")
        (made,) = network.outputs(estimator.decoder_, [code])
        return keras.Model(code, keras_units.unscaled(schema, made), name="decoder")

    Z = codes(estimator.latent_dim_, estimator.transform(check_rows(schema)))
    expected = expected_rows(estimator, estimator.inverse_transform(Z))
    return KerasFile(_model(built), Z, lambda X: _by_column(schema, X, expected))


def _model(built: Callable[[PlainNetwork], keras.Model]) -> keras.Model:
    """Return a model that is built first, and then gets its weights."""
    network = PlainNetwork()
    model = without_values(lambda: built(network))
    network.copy_weights()
    return model


def _by_column(
    schema: Schema, X: Any, expected: Mapping[str, Expected]
) -> dict[str, tuple[Any, Expected]]:
    """Return the decoder's outputs with what they should be, for each column of a table."""
    if not isinstance(schema, TableSchema):
        return {name: (X, there) for name, there in expected.items()}
    pairs = {}
    for place, field in enumerate(schema.learned):
        cells = X[:, place]
        here = cells > 0.5 if field.kind == "boolean" else cells
        pairs[f"column {field.name!r}"] = (here, expected[PREFIX + field.name])
    return pairs


def _matrix(schema: Schema, X: Any) -> Floats:
    """Return rows as the encoder takes them: (n, *sample_shape), in original units."""
    columns = feeds(schema, X)
    if not isinstance(schema, TableSchema):
        (array,) = columns.values()
        return np.asarray(array, np.float32)
    return np.concatenate(list(columns.values()), axis=1).astype(np.float32)


def _rounded(schema: ArraySchema | TableSchema, X: Any) -> Any:
    """Return rows whose fractions are float32 numbers, as Keras models receive them."""
    with np.errstate(over="ignore"):
        if not isinstance(schema, TableSchema):
            return np.asarray(X).astype(np.float32).astype(schema.dtype)
        table = frames.to_arrow(X)
        for place, field in enumerate(schema.fields):
            kind = arrow_types.value_type(field.type)
            if field.width and pt.is_floating(kind):
                cells = field.numbers(table.column(field.name)).astype(np.float32)
                some = pa.array(cells.astype(np.float64), mask=np.isnan(cells))
                table = table.set_column(place, field.name, some.cast(kind))
    return table
