"""The samples of a model of arrays: rows of numbers, images or series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.core.errors import InvalidData, SchemaMismatch
from isthmus.serve.json_cells import plain_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.data.schema import Schema


class SampleReader:
    """Reads samples of one shape.

    Parameters
    ----------
    shape : tuple of int
        The shape of a sample.
    name : str
        The beginning of the names of columns in Arrow: ``"x"`` for x0, x1, ...
    example : array of that shape
    """

    def __init__(self, shape: tuple[int, ...], name: str, example: NDArray[Any]) -> None:
        self.shape = shape
        self._example = example
        self.columns = column_names(name, shape[0]) if len(shape) == 1 else ()

    @classmethod
    def of(cls, schema: Schema) -> SampleReader:
        """Return the rows that a model of arrays learned from."""
        centre = np.zeros((1, *schema.sample_shape), dtype=np.float32)
        return cls(schema.sample_shape, "x", np.asarray(schema.from_matrix(centre))[0])

    @classmethod
    def of_codes(cls, size: int) -> SampleReader:
        """Return the codes of a model as rows."""
        return cls((size,), "code", np.zeros(size))

    def from_json(self, rows: Sequence[Any]) -> NDArray[Any]:
        """Return samples that are nested lists of numbers, with null for a missing one."""
        try:
            array = np.array(rows, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidData(
                "rows",
                expected=f"numbers or null, in lists of shape {self.shape}",
                received=str(error)[:200],
                remedy='write {"rows": [[...], ...]}, one list for each row',
            ) from None
        return self.from_array(array)

    def from_arrow(self, table: pa.Table) -> NDArray[Any]:
        """Return rows of a table with the columns by name, or as many columns in order."""
        if not self.columns:
            raise SchemaMismatch(
                "the body",
                expected=f"samples of shape {self.shape}",
                received="an Arrow table, which has rows and columns",
                remedy="send NPY or JSON",
            )
        if set(self.columns) <= set(table.column_names):
            table = table.select(list(self.columns))
        try:
            cells = [column.cast(pa.float64()).to_numpy() for column in table.columns]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidData(
                "the table",
                expected="columns of numbers",
                received=str(error).splitlines()[0][:200],
            ) from None
        return self.from_array(np.column_stack(cells) if cells else np.empty((table.num_rows, 0)))

    def from_array(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array after checking that it has samples of the model's shape."""
        # A grey image may have an axis for its only channel.
        if array.shape[1:] == (*self.shape, 1):
            array = array[..., 0]
        if array.ndim < 2 or array.shape[1:] != self.shape or array.dtype.kind not in "biuf":
            raise SchemaMismatch(
                "rows",
                expected=f"numbers of shape (n, {', '.join(map(str, self.shape))})",
                received=f"{array.dtype} of shape {array.shape}",
                remedy="see the schema of the model in /openapi.json",
            )
        # One type, so that the rows of several requests can be joined.
        return np.ascontiguousarray(array, dtype=np.float64)

    def example(self) -> Any:
        """Return a sample as JSON: the centre of the scale of each cell."""
        return plain_array(self._example)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a sample."""
        schema: dict[str, Any] = {"type": ["number", "null"]}
        for size in reversed(self.shape):
            schema = {"type": "array", "items": schema, "minItems": size, "maxItems": size}
        return schema


def column_names(name: str, size: int) -> tuple[str, ...]:
    """Return x0, x1, ... for the name ``"x"``."""
    return tuple(f"{name}{i}" for i in range(size))
