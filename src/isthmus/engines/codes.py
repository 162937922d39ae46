"""Codes as columns of a table, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.core.errors import InvalidData, SchemaMismatch

if TYPE_CHECKING:
    from isthmus.core.types import Floats


def code_names(size: int) -> list[str]:
    """Return the names of the columns of codes: code0, code1, ..."""
    return [f"code{i}" for i in range(size)]


def code_table(codes: Floats) -> pa.Table:
    """Return codes, (n, size), as a table."""
    return pa.table(dict(zip(code_names(codes.shape[1]), codes.T, strict=True)))


def codes_in(batch: Any, size: int) -> np.ndarray:
    """Return codes in a table or an array as an array of shape (n, size).

    Raises
    ------
    SchemaMismatch
        There are fewer or more columns.
    InvalidData
        A cell is empty, infinite or text.
    """
    if not isinstance(batch, np.ndarray):
        names = code_names(size)
        if set(names) <= set(batch.column_names):
            batch = batch.select(names)
        batch = np.column_stack([column.to_numpy() for column in batch.columns])
    codes: np.ndarray = batch
    if codes.ndim != 2 or codes.shape[1] != size:
        raise SchemaMismatch(
            "codes",
            expected=f"{size} numbers per row, in columns code0 to code{size - 1}",
            received=f"an array of shape {codes.shape}",
            remedy="pass a file that 'isthmus encode' wrote with the same model",
        )
    if codes.dtype.kind not in "fiu" or not np.isfinite(codes).all():
        raise InvalidData(
            "codes",
            expected="numbers in every cell",
            received="text" if codes.dtype.kind not in "fiu" else "an empty or infinite cell",
            remedy="pass a file that 'isthmus encode' wrote, unchanged",
        )
    return codes
