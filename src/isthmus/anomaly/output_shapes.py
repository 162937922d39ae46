"""Returns one value per cell in the container and shape of the user's data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isthmus.data import frames
from isthmus.data.sparse_rows import without_sparsity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.data.schema import Schema


class Repaired(NamedTuple):
    """Rows with a few cells changed so that they look normal."""

    X: Any
    """The rows as passed, except for the changed cells."""
    changed: Any
    """In X's shape: True for changed cells."""
    before: NDArray[np.float64]
    """(n,), anomaly scores before the repair."""
    after: NDArray[np.float64]
    """(n,), anomaly scores after it."""


def places(schema: Schema) -> list[int]:
    """Return the position of each learned column among the schema's columns."""
    at = {name: place for place, name in enumerate(schema.columns)}
    return [at[name] for name in names(schema)]


def names(schema: Schema) -> Sequence[str]:
    """Return the names of the learned columns, in the order of the matrix."""
    return [segment.name for segment in schema.segments] or schema.columns


def shaped(values: NDArray[Any], schema: Schema, like: Any) -> Any:
    """Return a value for each cell in the container and shape of `like`.

    Parameters
    ----------
    values : array of shape (n, columns)
        Numbers or booleans, for all columns of the schema.
    schema : Schema
        The columns and the shape of a row.
    like : array, DataFrame or Arrow table
        The rows that the values belong to.
    """
    if not schema.segments:
        return values.reshape(len(values), *schema.sample_shape)
    if not frames.is_table(like):
        return values
    columns = dict(zip(schema.columns, values.T, strict=True))
    container = frames.container_of(like)
    table = frames.from_arrow(pa.table(columns), container, None, {}, ())
    if container == "pandas":
        labels = {str(label): label for label in like.columns}
        table.columns, table.index = [labels[name] for name in schema.columns], like.index
    return table


def merged(changed: NDArray[np.bool_], new: Any, old: Any, schema: Schema) -> Any:
    """Return `old` with the cells of `new` where `changed`, (n, columns), says so."""
    if not frames.is_table(old):
        return np.where(shaped(changed, schema, old), new, without_sparsity(old))
    before, after = frames.to_arrow(old), frames.to_arrow(new)
    for name, rows in zip(schema.columns, changed.T, strict=True):
        if rows.any():
            place = before.column_names.index(name)
            cells = after.column(name).cast(before.column(name).type)
            mixed = pc.if_else(pa.array(rows), cells, before.column(name))
            before = before.set_column(place, name, mixed)
    return frames.from_arrow(before, frames.container_of(old), old, {}, ())
