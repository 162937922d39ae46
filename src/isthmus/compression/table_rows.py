"""The row codec for tables: a block of numeric columns, and Arrow bytes of the others."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.block import ColumnBlock, Layout
from isthmus.compression.coders.byte_cursor import Cursor, length_prefixed, refuse, varint
from isthmus.compression.coders.catalogue import decode, describe
from isthmus.compression.row_codec import CHUNK_BYTES, RowCodec, finite_range, refuse_manifest
from isthmus.data import frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.compression.coders.coder import BlockEncoder

_MOST_ROWS = 1 << 16
"""The most rows in a chunk of a table."""
_TEXT_LIMIT = 256 * 2**20


class TableRows(RowCodec):
    """Rows of a table: numbers, times and booleans as a block, other columns as Arrow bytes.

    Parameters
    ----------
    schema : pyarrow.Schema
        The schema of the table.
    container : "pandas", "polars" or "arrow"
        The type of table to return.
    natives, integers
        See `isthmus.data.frames.from_arrow`.
    """

    def __init__(
        self,
        schema: pa.Schema,
        container: frames.Container,
        natives: dict[str, str],
        integers: frozenset[str],
    ) -> None:
        self.schema, self.container = schema, container
        self._natives, self._integers = natives, integers
        types = {field.name: _number_type(field.type) for field in schema}
        self._types = {name: dtype for name, dtype in types.items() if dtype is not None}
        self._others = [name for name in schema.names if name not in self._types]
        self.names = tuple(self._types)
        self.layout = Layout(tuple(self._types.values()))

    @property
    def chunk_rows(self) -> int:
        """The number of rows in `CHUNK_BYTES`, from 1 to 65,536."""
        return max(1, min(_MOST_ROWS, CHUNK_BYTES // max(self.layout.row_bytes, 1)))

    @property
    def lossy(self) -> tuple[str, ...]:
        """The columns to which an error bound applies: integers and floats."""
        plain_numbers = (pt.is_integer, pt.is_floating)
        return tuple(
            n for n in self.names if any(t(self.schema.field(n).type) for t in plain_numbers)
        )

    def manifest(self) -> dict[str, Any]:
        """Return the Arrow schema, and the properties that it does not contain."""
        schema = self.schema.serialize().to_pybytes()
        found: dict[str, Any] = {
            "schema": base64.b64encode(schema).decode(),
            "container": self.container,
        }
        if self._natives:
            found["natives"] = self._natives
        if self._integers:
            found["integers"] = sorted(self._integers)
        return found

    def encode(
        self, part: pa.Table, bounds: tuple[float, ...], encoder: BlockEncoder
    ) -> tuple[bytes, float]:
        """Return the encoded rows, and the largest error."""
        body, error = b"", 0.0
        gaps = [j for j, name in enumerate(self.names) if part.column(name).null_count]
        if self.names:
            columns = [_numbers(part.column(n), self._types[n]) for n in self.names]
            columns += [np.asarray(part.column(self.names[j]).is_null()) for j in gaps]
            block = ColumnBlock(columns, bounds + (0.0,) * len(gaps), self._with_gaps(len(gaps)))
            body, error = encoder.encode(block)
        head = varint(len(gaps)) + b"".join(map(varint, gaps)) + length_prefixed(body)
        return head + _others_to_bytes(part.select(self._others)), error

    def decode(self, payload: bytes, rows: int, fitted: Sequence[Any]) -> pa.Table:
        """Return the rows as an Arrow table."""
        cursor = Cursor(payload)
        found: dict[str, Any] = {}
        gaps = [cursor.varint(len(self.names) - 1) for _ in range(cursor.varint(len(self.names)))]
        body = cursor.length_prefixed()
        if self.names:
            columns = decode(body, rows, self._with_gaps(len(gaps)), fitted)
            empty = dict(zip(gaps, columns[len(self.names) :], strict=True))
            for j, name in enumerate(self.names):
                found[name] = _to_arrow(columns[j], self.schema.field(name).type, empty.get(j))
        others = _others_from_bytes(cursor, rows)
        if others.column_names != self._others:
            refuse("columns that the manifest does not name")
        found |= {name: others.column(name) for name in self._others}
        try:
            return pa.table([found[name] for name in self.schema.names], schema=self.schema)
        except (pa.ArrowException, ValueError, TypeError) as error:
            refuse(f"columns that do not match the schema ({str(error)[:100]})")

    def join(self, parts: list[pa.Table]) -> Any:
        """Return the parts as a table of the kind that was compressed."""
        table = self.schema.empty_table() if not parts else pa.concat_tables(parts)
        table = table.unify_dictionaries() if len(parts) > 1 else table
        return frames.from_arrow(table, self.container, None, self._natives, self._integers)

    def ranges(self, part: pa.Table) -> NDArray[np.float64]:
        """Return the range of each column of numbers; NaN for other columns."""
        found = []
        for name in self.names:
            values = part.column(name).drop_null()
            known = name in self.lossy and len(values)
            found.append(
                finite_range(_numbers(values, self._types[name])) if known else (np.nan,) * 2
            )
        return np.array(found, dtype=np.float64).reshape(-1, 2).T

    def describe_coder(self, payload: bytes, fitted: Sequence[Any]) -> str:
        """Return the coder's name."""
        cursor = Cursor(payload)
        for _ in range(cursor.varint()):
            cursor.varint()
        return describe(cursor.length_prefixed(), fitted) if self.names else "Arrow"

    def raw_bytes(self, rows: int) -> int:
        """Return the size of that many rows of numbers in bytes."""
        return rows * self.layout.row_bytes

    def _with_gaps(self, gaps: int) -> Layout:
        return Layout(self.layout.dtypes + (np.dtype(bool),) * gaps)


def table_from(manifest: dict[str, Any]) -> TableRows:
    """Return the row codec that the manifest of an untrusted table describes."""
    container, natives = manifest["container"], manifest.get("natives", {})
    integers = manifest.get("integers", [])
    content = pa.py_buffer(base64.b64decode(manifest["schema"], validate=True))
    try:
        schema = pa.ipc.read_schema(content)
    except OSError as error:
        raise ValueError(str(error)) from None
    names = set(schema.names)
    if len(names) != len(schema.names) or container not in ("pandas", "polars", "arrow"):
        refuse_manifest("invalid columns")
    if not (isinstance(natives, dict) and set(natives) <= names):
        refuse_manifest("types of unknown columns")
    if not all(isinstance(t, str) and frames.is_native(t) for t in natives.values()):
        refuse_manifest("unknown types")
    whole = isinstance(integers, list) and all(isinstance(i, str) for i in integers)
    if not (whole and set(integers) <= names and all(str(int(i)) == i for i in integers)):
        refuse_manifest("invalid column names")
    return TableRows(schema, container, natives, frozenset(integers))


def _number_type(kind: pa.DataType) -> np.dtype[Any] | None:
    """Return the NumPy type in which a column is coded, None if it is left to Arrow."""
    if pt.is_boolean(kind):
        return np.dtype(bool)
    if pt.is_integer(kind) or pt.is_floating(kind):
        dtype: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
        return dtype
    if pt.is_timestamp(kind) or pt.is_duration(kind) or pt.is_time64(kind) or pt.is_date64(kind):
        return np.dtype(np.int64)
    if pt.is_date32(kind) or pt.is_time32(kind):
        return np.dtype(np.int32)
    return None


def _numbers(column: pa.ChunkedArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a column's values; missing ones repeat the previous value."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    if not pt.is_boolean(array.type):
        array = array.view(pa.from_numpy_dtype(dtype))
    if array.null_count:
        array = pc.fill_null_forward(array).fill_null(pa.scalar(0).cast(array.type))
    return np.ascontiguousarray(array.to_numpy(zero_copy_only=False))


def _to_arrow(values: NDArray[Any], kind: pa.DataType, empty: NDArray[Any] | None) -> pa.Array:
    array = pa.array(values, mask=empty)
    return array if pt.is_boolean(kind) else array.view(kind)


def _others_to_bytes(table: pa.Table) -> bytes:
    if not table.num_columns:
        return b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.combine_chunks().to_batches():
            writer.write_batch(batch)
    content = sink.getvalue().to_pybytes()
    number, packed = general_compressors.smallest(content)
    return varint(len(content)) + bytes([number]) + packed


def _others_from_bytes(cursor: Cursor, rows: int) -> pa.Table:
    if not cursor.remaining:
        return pa.table({})
    size, number = cursor.varint(_TEXT_LIMIT), cursor.read(1)[0]
    content = general_compressors.unpack(number, cursor.rest(), size)
    try:
        table = pa.ipc.open_stream(content).read_all()
        table.validate(full=True)
    except (pa.ArrowException, ValueError, OSError) as error:
        refuse(f"columns that Arrow cannot read ({str(error)[:100]})")
    if table.num_rows != rows:
        refuse(f"{table.num_rows} rows, expected {rows}")
    return table
