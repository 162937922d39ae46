"""Rows that the processes of one training tell each other."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.core import processes
from isthmus.data.formats.image_arrays import form_of, with_form

if TYPE_CHECKING:
    from isthmus.data.sources.source import Rows


def shared_rows(rows: list[Rows]) -> list[Rows]:
    """Return the rows of all processes, in the order of the processes.

    Parameters
    ----------
    rows : list
        The array or the table of this process; empty if it has none.
    """
    form = form_of(rows[0]) if rows and isinstance(rows[0], np.ndarray) else None
    received = processes.gathered_bytes(_written(rows[0]) if rows else b"")
    return [with_form(_read(each), form) for each in received if each]


def shared_tables(table: pa.Table) -> list[pa.Table]:
    """Return the table of each process."""
    return [_read(each) for each in processes.gathered_bytes(_written(table))]


def _written(rows: Rows) -> bytes:
    file = io.BytesIO()
    if isinstance(rows, pa.Table):
        file.write(b"T")
        with pa.ipc.new_stream(file, rows.schema) as writer:
            writer.write_table(rows)
    else:
        file.write(b"A")
        np.lib.format.write_array(file, np.ascontiguousarray(rows), allow_pickle=False)
    return file.getvalue()


def _read(written: bytes) -> Any:
    if written[:1] == b"T":
        with pa.ipc.open_stream(written[1:]) as reader:
            return reader.read_all()
    return np.lib.format.read_array(io.BytesIO(written[1:]), allow_pickle=False)
