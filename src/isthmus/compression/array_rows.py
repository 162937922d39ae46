"""The row codec for arrays, and the choice of the row codec for an input or a manifest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.compression.coders.block import ColumnBlock, Layout
from isthmus.compression.coders.byte_cursor import refuse
from isthmus.compression.coders.catalogue import decode, describe
from isthmus.compression.row_codec import (
    CHUNK_BYTES,
    CHUNK_LIMIT,
    RowCodec,
    finite_range,
    refuse_manifest,
)
from isthmus.compression.table_rows import TableRows, table_from
from isthmus.core.errors import InvalidArchive, InvalidData
from isthmus.data import frames
from isthmus.data.sparse_rows import is_sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.compression.coders.coder import BlockEncoder

_MOST_COLUMNS = 1 << 24
_KINDS = "biuf"


@dataclass(frozen=True)
class ArrayRows(RowCodec):
    """Rows of an array.

    Parameters
    ----------
    dtype : dtype
        The type of the values, including its byte order.
    sample_shape : tuple of int
        The shape of one row.
    """

    dtype: np.dtype[Any]
    sample_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        cells = math.prod(self.sample_shape)
        native = (self.dtype.newbyteorder("="),) * cells
        object.__setattr__(self, "layout", Layout(native, self.sample_shape))
        object.__setattr__(self, "names", ())

    @property
    def chunk_rows(self) -> int:
        """The number of rows in `CHUNK_BYTES`, at least 1."""
        return max(1, CHUNK_BYTES // max(self.layout.row_bytes, 1))

    def manifest(self) -> dict[str, Any]:
        """Return the type and the shape."""
        return {"dtype": self.dtype.str, "row": list(self.sample_shape)}

    def encode(
        self, part: NDArray[Any], bounds: tuple[float, ...], encoder: BlockEncoder
    ) -> tuple[bytes, float]:
        """Return the encoded rows, and the largest error."""
        if not part.size:
            return b"", 0.0
        native = part if self.dtype.isnative else part.byteswap().view(self.layout.dtypes[0])
        flat = native.reshape(len(part), -1)
        return encoder.encode(ColumnBlock(list(flat.T.copy()), bounds, self.layout))

    def decode(self, payload: bytes, rows: int, fitted: Sequence[Any]) -> NDArray[Any]:
        """Return the rows."""
        values = np.empty((rows, *self.sample_shape), dtype=self.dtype)
        if not values.size:
            if payload:
                refuse("bytes for rows without values")
            return values
        columns = decode(memoryview(payload), rows, self.layout, fitted)
        native = np.stack(columns, axis=1).reshape(values.shape)
        return native if self.dtype.isnative else native.byteswap().view(self.dtype)

    def join(self, parts: list[NDArray[Any]]) -> NDArray[Any]:
        """Concatenate the parts."""
        if not parts:
            return np.empty((0, *self.sample_shape), dtype=self.dtype)
        # np.concatenate would change the byte order.
        whole = np.empty((sum(map(len, parts)), *self.sample_shape), dtype=self.dtype)
        at = 0
        for part in parts:
            whole.view(self._bytes())[at : at + len(part)] = part.view(self._bytes())
            at += len(part)
        return whole

    def _bytes(self) -> np.dtype[Any]:
        return np.dtype(f"V{self.dtype.itemsize}")

    def ranges(self, part: NDArray[Any]) -> NDArray[np.float64]:
        """Return the range of each column, or of all cells if the array has over two dimensions."""
        count = math.prod(self.sample_shape)
        columns = part.reshape(len(part), count) if part.ndim <= 2 else part.reshape(-1, 1)
        return np.array([finite_range(column) for column in columns.T]).reshape(-1, 2).T

    def describe_coder(self, payload: bytes, fitted: Sequence[Any]) -> str:
        """Return the coder's name."""
        return describe(memoryview(payload), fitted) if payload else "nothing"

    def raw_bytes(self, rows: int) -> int:
        """Return the size of that many rows in bytes."""
        return rows * self.layout.row_bytes


def _refuse_what_is_lost(X: Any) -> None:
    """Raise InvalidData if a part of the data could not be restored."""
    pandas = frames.is_table(X) and frames.container_of(X) == "pandas"
    sparse = [name for name, dtype in X.dtypes.items() if "Sparse" in str(dtype)] if pandas else []
    if isinstance(X, np.ma.MaskedArray):
        lost, remedy = "a masked array", "compress X.data and X.mask separately"
    elif pandas and X.columns.nlevels > 1:
        lost, remedy = "columns with several levels", "join the names: X.columns.map('/'.join)"
    elif is_sparse(X):
        lost = f"a sparse matrix ({type(X).__name__})"
        remedy = "compress X.toarray(), or save X with scipy.sparse.save_npz"
    elif sparse:
        lost, remedy = f"the sparse column {sparse[0]!r}", "pass a DataFrame with dense columns"
    else:
        return
    raise InvalidData("X", expected="data that can be restored", received=lost, remedy=remedy)


def check_type(dtype: np.dtype[Any], what: str, remedy: str) -> None:
    """Raise InvalidData about `what` if arrays of a type cannot be encoded."""
    if not _encodable(dtype):
        raise InvalidData(
            what,
            expected="booleans, integers or floats of at most 8 bytes",
            received=f"an array of {dtype}",
            remedy=remedy,
        )


def _encodable(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in _KINDS and dtype.itemsize <= 8


def rows_of(X: Any) -> tuple[RowCodec, Any]:
    """Return the row codec for `X`, and `X` as an array or Arrow table.

    Raises
    ------
    InvalidData
        `X` is not a table or an array of numbers with rows, or a part of it could not be restored.
    """
    _refuse_what_is_lost(X)
    if frames.is_table(X):
        table = frames.to_arrow(X)
        container = frames.container_of(X)
        rows = TableRows(
            table.schema.remove_metadata(),
            container,
            frames.native_types(X),
            frames.integer_labels(X),
        )
        return rows, table.replace_schema_metadata(None)
    array = X if isinstance(X, np.ndarray) else np.asarray(X)
    check_type(
        array.dtype, "X", "convert it, for example with X.astype(float), or pass a DataFrame"
    )
    if array.ndim < 1:
        raise InvalidData("X", expected="rows", received="a single number", remedy="pass [X]")
    rows_ = ArrayRows(array.dtype, array.shape[1:])
    if rows_.layout.row_bytes > CHUNK_LIMIT:
        raise InvalidData(
            "X",
            expected=f"rows of at most {CHUNK_LIMIT} bytes",
            received=f"rows of {rows_.layout.row_bytes}",
            remedy="split each row into several rows",
        )
    return rows_, array


def rows_from(manifest: dict[str, Any]) -> RowCodec:
    """Return the row codec that the manifest of an untrusted file describes.

    Raises
    ------
    InvalidArchive
        The manifest is invalid.
    """
    try:
        return _array_from(manifest) if "dtype" in manifest else table_from(manifest)
    except (KeyError, TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        if isinstance(error, InvalidArchive):
            raise
        refuse_manifest(str(error)[:100])


def _array_from(manifest: dict[str, Any]) -> ArrayRows:
    row, name = manifest["row"], manifest["dtype"]
    sizes = isinstance(row, list) and all(type(size) is int and size >= 0 for size in row)
    if not (sizes and len(row) < 32 and isinstance(name, str) and len(name) <= 4):
        refuse_manifest("an invalid row shape")
    dtype = np.dtype(name)
    if not _encodable(dtype) or dtype.str != name:
        refuse_manifest(f"values of the type {name!r}")
    if math.prod(row) * dtype.itemsize > CHUNK_LIMIT or math.prod(row) > _MOST_COLUMNS:
        refuse_manifest(f"rows of shape {row}")
    return ArrayRows(dtype, tuple(row))
