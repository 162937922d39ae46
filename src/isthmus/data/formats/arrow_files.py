"""Arrow IPC files, also called Feather version 2, as files or as streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.types as pt

from isthmus.data.frames import unique_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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


def write(file: BinaryIO, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write tables of one schema, one after the other.

    A file has one dictionary for each column, so with dictionaries all tables are held.
    """
    if any(pt.is_dictionary(kind) for kind in schema.types):
        tables = [pa.concat_tables(tables).unify_dictionaries()]
    with pa.ipc.new_file(file, schema) as writer:
        for table in tables:
            writer.write_table(table)


def _opened(path: Path) -> Any:
    file = pa.memory_map(str(path))
    found = file.read(len(_MAGIC))
    file.seek(0)
    reader = pa.ipc.open_file(file) if found == _MAGIC else pa.ipc.open_stream(file)
    unique_names(reader.schema.names)
    return reader
