"""Parquet files.

They are read without pyarrow's read-ahead buffer, which can take as much memory as the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.data.frames import unique_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_GROUP_BUFFER = 1 << 18
"""Bytes that are read ahead in each column; several row groups are read at the same time."""
_WRITTEN_GROUP = 1 << 25
"""Bytes of rows that are gathered before they are written."""


def read(path: Path, *_types: object) -> pa.Table:
    """Read a file whole; it stores its types."""
    with _opened(path) as file:
        return file.read()


def batches(path: Path, rows: int, *_types: object) -> Iterator[pa.RecordBatch]:
    """Read a file in batches of at most `rows` rows."""
    with _opened(path) as file:
        yield from file.iter_batches(batch_size=rows)


def footer(path: Path) -> pq.FileMetaData:
    """Return the metadata of a file: its columns and its row groups."""
    with _opened(path) as file:
        return file.metadata


def group_batches(
    path: Path, rows: int, group: int, metadata: pq.FileMetaData
) -> Iterator[pa.RecordBatch]:
    """Read a row group in batches of at most `rows` rows; `metadata` is the result of `footer`."""
    with pq.ParquetFile(
        path, metadata=metadata, pre_buffer=False, buffer_size=_GROUP_BUFFER
    ) as file:
        yield from file.iter_batches(batch_size=rows, row_groups=[group])


def write(file: BinaryIO, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write tables of one schema, one after the other."""
    with pq.ParquetWriter(file, schema) as writer:
        for table in _large(tables):
            writer.write_table(table)


def _large(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Join tables to large ones: each becomes a row group at least."""
    held: list[pa.Table] = []
    size = 0
    for table in tables:
        held.append(table)
        size += table.nbytes
        if size >= _WRITTEN_GROUP:
            yield pa.concat_tables(held)
            held, size = [], 0
    if held:
        yield pa.concat_tables(held)


def _opened(path: Path) -> pq.ParquetFile:
    file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    unique_names(file.schema_arrow.names)
    return file
