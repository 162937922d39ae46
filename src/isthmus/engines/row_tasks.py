"""What a saved model does with a table of rows: the columns that it needs and those that it gives.

A row's result does not depend on the other rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter
from isthmus.data import frames
from isthmus.data.formats.text_options import TextOptions
from isthmus.engines.alarms import ALARM_SCHEMA, alarms
from isthmus.engines.codes import code_names, code_table, codes_in
from isthmus.engines.saved_autoencoders import autoencoder_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RowTask:
    """A task of a model on tables.

    Parameters
    ----------
    inputs : pyarrow.Schema
        The columns that it needs, with the types that `fit` saw.
    results : pyarrow.Schema
        The columns that it gives.
    text : TextOptions
        How to read the inputs from a CSV file.
    given : tuple of str
        Columns of the results whose cells, of any type, are those of the input.
    apply : callable
        Maps a table of the columns `inputs` to one of the columns `results`, whose types may still
        differ.
    """

    inputs: pa.Schema
    results: pa.Schema
    apply: Callable[[pa.Table], pa.Table]
    text: TextOptions
    given: tuple[str, ...] = ()


def row_task(saved: Any, task: str, name: str) -> RowTask:
    """Return a task of a saved model.

    Parameters
    ----------
    saved : object
        What `isthmus.load` returned.
    task : str
        A name in `ROW_TASKS`.
    name : str
        The name of the model's file, for messages.

    Raises
    ------
    InvalidParameter
        There is no such task, or the model cannot do it with single rows of a table.
    """
    return ROW_TASKS[task](saved, name)


def _encode(saved: Any, name: str) -> RowTask:
    model = _autoencoder(saved, name)
    rows = _Rows(model, name)
    results = pa.schema(dict.fromkeys(code_names(model.latent_dim_), pa.float32()))
    return RowTask(
        rows.schema,
        results,
        lambda table: code_table(model.transform(rows.of(table))),
        rows.text,
    )


def _reconstruct(saved: Any, name: str) -> RowTask:
    model = _autoencoder(saved, name)
    rows = _Rows(model, name)
    return RowTask(
        rows.schema,
        rows.schema,
        lambda table: rows.table(model.reconstruct(rows.of(table))),
        rows.text,
        rows.not_learned,
    )


def _decode(saved: Any, name: str) -> RowTask:
    model = _autoencoder(saved, name)
    rows, size = _Rows(model, name), model.latent_dim_
    names = code_names(size)
    return RowTask(
        pa.schema(dict.fromkeys(names, pa.float32())),
        rows.schema,
        lambda table: rows.table(model.inverse_transform(codes_in(table, size))),
        TextOptions(dict.fromkeys(names, pa.float64())),
    )


def _detect(saved: Any, name: str) -> RowTask:
    detector = _detector(saved, name)
    rows = _Rows(detector, name)
    return RowTask(
        rows.schema, ALARM_SCHEMA, lambda table: alarms(detector, rows.of(table)), rows.text
    )


def _score(saved: Any, name: str) -> RowTask:
    if isinstance(saved, AnomalyDetector):
        model, column, method = _detector(saved, name), "score", saved.anomaly_score
    else:
        model, column = _autoencoder(saved, name), "reconstruction_error"
        method = model.reconstruction_error
    rows = _Rows(model, name)

    def scores(table: pa.Table) -> pa.Table:
        found = np.asarray(method(rows.of(table)), dtype=np.float64)
        return pa.table({column: pa.array(found, from_pandas=True)})

    return RowTask(rows.schema, pa.schema({column: pa.float64()}), scores, rows.text)


ROW_TASKS: Catalogue[Callable[[Any, str], RowTask]] = Catalogue(
    "task",
    {
        "encode": _encode,
        "decode": _decode,
        "reconstruct": _reconstruct,
        "detect": _detect,
        "score": _score,
    },
)
"""By name, a function of the loaded model and the name of its file."""


class _Rows:
    """The rows of a model as tables: its own, or columns x0, x1, ... for arrays."""

    def __init__(self, model: Any, name: str) -> None:
        learned = model.schema_
        self._is_table = learned.kind == "table"
        self.text: TextOptions = learned.text_options
        self.not_learned: tuple[str, ...] = ()
        if self._is_table:
            self.schema = pa.schema({field.name: field.type for field in learned.fields})
            self.not_learned = tuple(f.name for f in learned.fields if f.passed_through)
            return
        if len(learned.sample_shape) > 1:
            raise InvalidParameter(
                name,
                expected="a model of tables, or of arrays with rows and columns",
                received=f"a model of samples of shape {learned.sample_shape}",
                remedy="use the model's own methods, or 'isthmus' with a folder of images",
            )
        kind = pa.from_numpy_dtype(learned.dtype)
        names = [f"x{i}" for i in range(math.prod(learned.sample_shape))]
        self.schema = pa.schema(dict.fromkeys(names, kind))

    def of(self, table: pa.Table) -> pa.Table | NDArray[Any]:
        """Return a table's rows as the model accepts them."""
        if self._is_table:
            return table
        columns = [column.cast(pa.float64()).to_numpy() for column in table.columns]
        return np.column_stack(columns)

    def table(self, rows: Any) -> pa.Table:
        """Return rows that the model gave as a table."""
        if self._is_table:
            return frames.to_arrow(rows)
        return pa.table(dict(zip(self.schema.names, np.asarray(rows).T, strict=True)))


def _autoencoder(saved: Any, name: str) -> Any:
    model = autoencoder_in(saved, name)
    if not hasattr(model, "use_fixed_batches"):
        raise InvalidParameter(
            name,
            expected="an autoencoder, or a task that has one",
            received=f"a model of the kind {model.kind!r}",
            remedy="pass the file of an autoencoder",
        )
    model.use_fixed_batches()
    return model


def _detector(saved: Any, name: str) -> Any:
    if not isinstance(saved, AnomalyDetector):
        raise InvalidParameter(
            name,
            expected="a detector",
            received=f"a model of the kind {saved.kind!r}",
            remedy="fit one with 'isthmus fit normal.csv --kind detector'",
        )
    if saved.is_series:
        raise InvalidParameter(
            name,
            expected="a detector of independent rows",
            received="a detector of series, whose rows depend on those before them",
            remedy="use 'isthmus detect' with the file of a whole series",
        )
    saved.autoencoder_.use_fixed_batches()
    return saved
