"""Tables and arrays as values of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

if TYPE_CHECKING:
    from numpy.typing import NDArray


def plain_table(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table as objects; missing and infinite cells become null."""
    columns = [_plain(column) for column in table.columns]
    rows: list[dict[str, Any]] = pa.Table.from_arrays(columns, table.column_names).to_pylist()
    return rows


def plain_array(array: NDArray[Any]) -> list[Any]:
    """Return an array as nested lists; NaN and infinities become null."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        listed: list[Any] = array.tolist()
        return listed
    cells = array.astype(object)
    cells[~np.isfinite(array)] = None
    plain: list[Any] = cells.tolist()
    return plain


def _plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = cells.type
    if pt.is_dictionary(kind):
        return _plain(cells.cast(kind.value_type))
    if pt.is_decimal(kind) or pt.is_float16(kind):
        return _plain(cells.cast(pa.float64() if pt.is_decimal(kind) else pa.float32()))
    if pt.is_floating(kind):
        return pc.if_else(pc.is_finite(cells), cells, None)
    if pt.is_duration(kind):
        return cells.cast(pa.int64())
    return cells.cast(pa.string()) if pt.is_temporal(kind) else cells
