"""Converts data for writing, to a table or to an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from isthmus.core.errors import InvalidData
from isthmus.data.frames import is_table, to_arrow

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_table(data: Any) -> pa.Table:
    """Return data as a table; an array gets columns x0, x1, ...; raises InvalidData."""
    if is_table(data):
        return to_arrow(data)
    if data.ndim not in (1, 2) or data.dtype.kind not in "biufUM":
        raise InvalidData(
            "data",
            expected="a table, or an array of 1 or 2 dimensions",
            received=f"shape {data.shape} of {data.dtype}",
            remedy="flatten each sample, or write an .npy file",
        )
    columns = data.reshape(len(data), -1).T
    return pa.table({f"x{i}": np.ascontiguousarray(column) for i, column in enumerate(columns)})


def as_array(data: Any) -> NDArray[Any]:
    """Return data as an array of numbers, text or dates; raises InvalidData."""
    if is_table(data):
        table = to_arrow(data)
        plain = (pt.is_integer, pt.is_floating, pt.is_boolean)
        others = [f.name for f in table.schema if not any(test(f.type) for test in plain)]
        if others:
            raise InvalidData(
                f"column {others[0]!r}",
                expected="numbers, because an array holds nothing else",
                received=str(table.schema.field(others[0]).type),
                remedy="write a .csv or .parquet file",
            )
        data = np.column_stack([column.to_numpy() for column in table.columns])
    if data.dtype.kind not in "biufSUM":
        raise InvalidData(
            "data",
            expected="an array of numbers",
            received=str(data.dtype),
            remedy="convert it, for example with array.astype(float)",
        )
    array: NDArray[Any] = data
    return array
