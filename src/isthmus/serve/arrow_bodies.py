"""Arrow IPC streams from clients, which may be damaged or hostile."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.ipc

from isthmus.serve.failures import RequestRefused

if TYPE_CHECKING:
    from isthmus.serve.limits import Limits

_HEADER, _DICTIONARY_ROWS, _LENGTH, _COMPRESSION = 2, 1, 0, 3
"""Fields of the tables Message, DictionaryBatch and RecordBatch in Arrow's Message.fbs."""


def read_arrow(body: bytes, limits: Limits) -> pa.Table:
    """Return the table in an Arrow IPC stream.

    Compressed buffers are refused before they are read, because a small one may become large. So
    are batches with more rows than allowed, which need not take any bytes.

    Raises
    ------
    RequestRefused
        It is no stream, is damaged, or has too many rows.
    """
    try:
        _check_messages(body, limits)
        with pa.ipc.open_stream(body) as reader:
            table = reader.read_all()
        table.validate(full=True)
    # struct.error: a flatbuffer that points outside of itself.
    except (pa.ArrowException, struct.error, ValueError, KeyError, OSError, MemoryError) as error:
        raise RequestRefused(
            "the body",
            expected="an Arrow IPC stream",
            received=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
            remedy="write it with pyarrow.ipc.new_stream",
        ) from None
    return table


def write_arrow(table: pa.Table) -> bytes:
    """Return a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _check_messages(body: bytes, limits: Limits) -> None:
    rows = 0
    for message in pa.ipc.MessageReader.open_stream(body):
        if message.type not in ("record batch", "dictionary"):
            continue
        data = message.metadata.to_pybytes()
        batch = _child(data, _root(data), _HEADER)
        if message.type == "dictionary":
            batch = _child(data, batch, _DICTIONARY_ROWS)
        _check_batch(data, batch, limits)
        rows += _length(data, batch) if message.type == "record batch" else 0
    if rows > limits.rows:
        raise too_many_rows(rows, limits)


def _check_batch(data: bytes, batch: int, limits: Limits) -> None:
    if _field(data, batch, _COMPRESSION):
        raise RequestRefused(
            "the body",
            expected="an Arrow IPC stream without compression",
            received="compressed buffers",
            remedy="write it with pyarrow.ipc.IpcWriteOptions(compression=None)",
        )
    if not 0 <= _length(data, batch) <= max(limits.rows, limits.bytes):
        raise too_many_rows(_length(data, batch), limits)


def too_many_rows(rows: int, limits: Limits) -> RequestRefused:
    """Return the refusal of a request with too many rows."""
    return RequestRefused(
        "the body",
        expected=f"at most {limits.rows} rows",
        received=str(rows),
        remedy="send the rows in several requests",
        status=413,
    )


def _length(data: bytes, batch: int) -> int:
    place = _field(data, batch, _LENGTH)
    return int(struct.unpack_from("<q", data, place)[0]) if place else 0


def _root(data: bytes) -> int:
    """Return where the root table of a flatbuffer begins."""
    return int(struct.unpack_from("<I", data, 0)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Return where a field of a table begins, 0 if it is absent.

    A table begins with the distance back to its vtable: the size of the vtable, that of the table,
    and an offset for each field (https://flatbuffers.dev/internals/).
    """
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if vtable < 0:
        raise ValueError("a table without a description")
    (size,) = struct.unpack_from("<H", data, vtable)
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", data, vtable + at)[0] if at + 2 <= size else 0
    return table + int(offset) if offset else 0


def _child(data: bytes, table: int, number: int) -> int:
    """Return where the table that a field refers to begins."""
    place = _field(data, table, number)
    if not place:
        raise ValueError("a message without content")
    return place + int(struct.unpack_from("<I", data, place)[0])
