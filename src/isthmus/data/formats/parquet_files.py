"""Parquet files.

They are read without pyarrow's read-ahead buffer, which can take as much memory as the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.data.formats.conversion import as_table
from isthmus.data.frames import unique_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read(path: Path, *_types: object) -> pa.Table:
    """Read a file whole; it stores its types."""
    with _opened(path) as file:
        return file.read()


def batches(path: Path, rows: int, *_types: object) -> Iterator[pa.RecordBatch]:
    """Read a file in batches of at most `rows` rows."""
    with _opened(path) as file:
        yield from file.iter_batches(batch_size=rows)


def write(file: BinaryIO, data: Any) -> None:
    """Write data as a table."""
    pq.write_table(as_table(data), file)


def _opened(path: Path) -> pq.ParquetFile:
    file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    unique_names(file.schema_arrow.names)
    return file
