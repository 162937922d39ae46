"""Arrow IPC files, also called Feather version 2, as files or as streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from isthmus.data.formats.conversion import as_table
from isthmus.data.frames import unique_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAGIC = b"ARROW1"


def read(path: Path, *_types: object) -> pa.Table:
    """Read a file whole; it stores its types."""
    with _opened(path) as reader:
        return reader.read_all()


def batches(path: Path, _rows: int, *_types: object) -> Iterator[pa.RecordBatch]:
    """Read a file in batches, whose size its writer chose."""
    with _opened(path) as reader:
        if isinstance(reader, pa.RecordBatchStreamReader):
            yield from reader
        else:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


def columns(path: Path) -> pa.Schema:
    """Return the names and types of the columns."""
    with _opened(path) as reader:
        return reader.schema


def write(file: BinaryIO, data: Any) -> None:
    """Write data as a table."""
    table = as_table(data)
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _opened(path: Path) -> Any:
    file = pa.memory_map(str(path))
    found = file.read(len(_MAGIC))
    file.seek(0)
    reader = pa.ipc.open_file(file) if found == _MAGIC else pa.ipc.open_stream(file)
    unique_names(reader.schema.names)
    return reader
