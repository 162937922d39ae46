"""A saved model as a function of Arrow batches, for data engines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidData, SchemaMismatch
from isthmus.core.name_lists import name_list
from isthmus.data import frames
from isthmus.engines import open_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from isthmus.engines.row_tasks import RowTask


class ArrowFunction:
    """A task of a saved model as a function of a batch of rows; see `arrow_function`.

    It can be pickled: that stores the path and the checksum of the model, not the model. Each
    process opens the file once, when it first calls the function, and any number of threads may
    call it.

    Attributes
    ----------
    path : str
        The model's file.
    task : str
        The name of the task.
    input_columns : tuple of str
        The columns that a batch must have.
    schema : pyarrow.Schema
        The columns of every result, in order, with their types.
    """

    def __init__(self, path: str, digest: str, task: str, keep: pa.Schema) -> None:
        self.path, self.task = path, task
        self._digest, self._keep = digest, keep

    @property
    def input_columns(self) -> tuple[str, ...]:
        """The columns that a batch must have; their order does not matter."""
        return tuple(self._opened().inputs.names)

    @property
    def input_schema(self) -> pa.Schema:
        """The types of `input_columns` as `fit` saw them; others that can be converted also do."""
        return self._opened().inputs

    @property
    def checksum(self) -> str:
        """The SHA-256 of the model's file."""
        return self._digest

    @property
    def schema(self) -> pa.Schema:
        """The columns of every result: those of `keep` in its order, then those of the task."""
        task = self._opened()
        fields = {field.name: field.type for field in self._kept(task)}
        for field in task.results:
            as_given = field.name in task.given and field.name in self._keep.names
            fields[field.name] = self._keep.field(field.name).type if as_given else field.type
        order = [name for name in self._keep.names if name in fields]
        order += [name for name in fields if name not in order]
        return pa.schema([(name, fields[name]) for name in order])

    def __call__(self, batch: Any) -> Any:
        """Apply the task to a batch of rows.

        Parameters
        ----------
        batch : pyarrow Table or RecordBatch, pandas or polars DataFrame
            Any number of rows, which may be 0. A null cell is a missing cell. Columns that are
            neither `input_columns` nor kept are ignored.

        Returns
        -------
        Table, RecordBatch or DataFrame
            Of the type of `batch`, with a row for each of its rows and the columns of `schema`. The
            values do not depend on how rows are divided into batches.

        Raises
        ------
        SchemaMismatch
            A column is missing or of another type.
        InvalidData
            A cell is infinite, or `batch` is no table.
        InvalidArchive
            The model's file is missing here, or is not the one that the function was made for.
        """
        if not frames.is_table(batch):
            raise InvalidData(
                "the batch",
                expected="a pyarrow Table or RecordBatch, or a DataFrame",
                received=type(batch).__name__,
                remedy="set the engine's batch format to pyarrow",
            )
        result = self._of_table(frames.to_arrow(batch))
        if isinstance(batch, pa.RecordBatch):
            return _as_batch(result)
        return frames.from_arrow(result, "arrow", batch, {}, ())

    def batches(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the result for each batch, as Spark's ``mapInArrow`` expects."""
        return map(self, batches)

    def _of_table(self, table: pa.Table) -> pa.Table:
        task, schema = self._opened(), self.schema
        kept = self._kept(task)
        _require(table, task.inputs.names, "that the model needs")
        _require(table, kept.names, "to keep")
        if not table.num_rows:
            return schema.empty_table()
        made = task.apply(table.select(task.inputs.names))
        columns = [
            _cast((table if name in kept.names else made).column(name), schema.field(name))
            for name in schema.names
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    def _kept(self, task: RowTask) -> pa.Schema:
        """Return the columns that are passed on; raises InvalidData if the task gives one, too."""
        kept = [field for field in self._keep if field.name not in task.inputs.names]
        both = [field.name for field in kept if field.name in task.results.names]
        if both:
            raise InvalidData(
                f"column {both[0]!r}",
                expected="a name that the result does not use",
                received="the same name twice",
                remedy="rename the column",
            )
        return pa.schema(kept)

    def _opened(self) -> RowTask:
        return open_models.opened(self.path, self._digest, self.task)

    def __reduce__(self) -> tuple[Any, ...]:
        return ArrowFunction, (self.path, self._digest, self.task, self._keep)

    def __repr__(self) -> str:
        return f"arrow_function({self.path!r}, {self.task!r})"


def arrow_function(
    path: str | os.PathLike[str],
    task: str,
    *,
    keep: pa.Schema | Mapping[str, pa.DataType] | None = None,
) -> ArrowFunction:
    """Return a task of a saved model as a function of Arrow batches, for data engines.

    The function can be pickled and sent to the workers of Ray, Dask or Spark, where each process
    opens the model once. Its result for a row is the same to the last bit wherever the row is, on
    processors of one kind and with the same versions of the libraries.

    Parameters
    ----------
    path : path
        A model that ``save`` wrote. Workers need it in the same place.
    task : str
        ``"encode"``: codes, in columns code0, code1, ... ``"decode"``: rows from such columns.
        ``"reconstruct"``: the same columns without missing cells. ``"detect"``: score, p_value,
        alarm and top_columns of a detector of independent rows. ``"score"``: the anomaly score of
        a detector, or the reconstruction_error of an autoencoder.
    keep : pyarrow.Schema or mapping of str to pyarrow.DataType, optional
        Columns that the model was not trained on and that are passed on unchanged, such as
        identifiers: their names and types, or the schema of the data as a whole. By default, none
        are.

    Returns
    -------
    ArrowFunction
        A function of a pyarrow Table, RecordBatch or a DataFrame that returns the same. Its
        `schema` has the columns of the results, and `input_columns` the names of those that it
        needs. The columns of a model of arrays are x0, x1, ...

    Raises
    ------
    InvalidArchive
        The file is missing or no model.
    InvalidParameter
        There is no such task, or the model cannot do it: it is of another kind, or of pictures or
        series.
    InvalidData
        A kept column has the name of a result.

    Examples
    --------
    >>> import isthmus as ist
    >>> import pyarrow as pa
    >>> rows = pa.table({"a": [0.1, 0.2, 0.3, 0.4] * 9, "b": [1.0, 3.0, 2.0] * 12})
    >>> ist.Autoencoder(latent_dim=1, epochs=1, verbose=0).fit(rows).save("model.isthmus")
    >>> encode = ist.arrow_function("model.isthmus", "encode", keep={"id": pa.int64()})
    >>> encode.schema.names
    ['id', 'code0']
    """
    place = os.path.realpath(path)
    function = ArrowFunction(
        place,
        open_models.checksum(place),
        task,
        pa.schema(keep or {}),
    )
    _ = function.schema  # opens the model and checks the task and the kept columns
    return function


def _require(table: pa.Table, names: list[str], purpose: str) -> None:
    absent = [name for name in names if name not in table.column_names]
    if absent:
        others = [name for name in table.column_names if name not in names]
        raise SchemaMismatch(
            "columns",
            expected=f"all {len(names)} {purpose}",
            received=f"none named {name_list(absent)}",
            remedy=nearest(absent[0], others) or "add the column; its cells may be empty",
        )


def _cast(cells: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if cells.type == field.type:
        return cells
    try:
        return cells.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaMismatch(
            f"column {field.name!r}",
            expected=str(field.type),
            received=f"{cells.type} ({str(error).splitlines()[0][:200]})",
            remedy="give its type in keep, or convert the column",
        ) from None


def _as_batch(table: pa.Table) -> pa.RecordBatch:
    if not table.num_rows:
        empty = [pa.array([], field.type) for field in table.schema]
        return pa.RecordBatch.from_arrays(empty, schema=table.schema)
    (batch,) = table.combine_chunks().to_batches()
    return batch
