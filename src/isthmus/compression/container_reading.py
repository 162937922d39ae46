"""Opening containers, and decoding their chunks to rows."""

from __future__ import annotations

import io
import os
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.compression import embedded_model
from isthmus.compression.array_rows import rows_from
from isthmus.compression.container import ContainerReader
from isthmus.compression.summary import Summary
from isthmus.core.errors import InvalidArchive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isthmus.compression.embedded_model import EmbeddedModel
    from isthmus.compression.row_codec import RowCodec


_MEMORY = 2**30
_MOST_PER_BYTE = 1000


def rows_and_coders(
    reader: ContainerReader, own: EmbeddedModel | None
) -> tuple[RowCodec, list[Any]]:
    """Return the row codec of a file, and a list with the learned coder that it needs, if any.

    Parameters
    ----------
    reader : ContainerReader
    own : EmbeddedModel, optional
        Used for files that identify a model without embedding it.
    """
    rows = rows_from(reader.manifest)
    stated = reader.manifest.get("model")
    if stated is None:
        return rows, []
    digest = stated.get("sha256") if isinstance(stated, dict) else None
    if reader.model is not None:
        content = embedded_model.unpack(reader.model)
        if embedded_model.digest(content) != digest:
            raise InvalidArchive(
                "the embedded model",
                expected="the bytes that were written",
                received="bytes that do not match their checksum",
                remedy="copy or download the file again",
            )
        return rows, [embedded_model.from_bytes(content)]
    if own is not None and own.digest == digest:
        return rows, [own.coder]
    raise InvalidArchive(
        "the compressed data",
        expected=f"the codec that wrote them, whose model has the hash {str(digest)[:16]}...",
        received="none" if own is None else "another model",
        remedy="load that codec from its saved file, and decompress with it",
    )


def read_whole(blob: bytes, own: EmbeddedModel | None) -> Any:
    """Return the rows of a whole file in memory.

    Raises
    ------
    InvalidArchive
        The file is damaged, not a container, or too large once decompressed.
    """
    reader = ContainerReader(io.BytesIO(blob), "the compressed bytes")
    rows, fitted = rows_and_coders(reader, own)
    if reader.truncation:
        raise truncation_error(reader)
    size = summary_of(reader, rows).raw_bytes
    if size > max(_MEMORY, _MOST_PER_BYTE * reader.size):
        raise InvalidArchive(
            "the compressed bytes",
            expected=f"at most {_MOST_PER_BYTE} times their own size, or 1 GiB",
            received=f"{size:,} bytes once decompressed",
            remedy="read them chunk by chunk: decompress_from(path)",
        )
    parts = [read_chunk(reader, rows, fitted, number) for number in range(len(reader.chunks))]
    return rows.join(parts)


def summary_of(
    reader: ContainerReader, rows: RowCodec, coders: Counter[str] | None = None
) -> Summary:
    """Return the sizes that a file states."""
    count = sum(chunk.rows for chunk in reader.chunks)
    model = len(reader.model or b"")
    return Summary(count, rows.raw_bytes(count), reader.size, model, None, coders or Counter())


@contextmanager
def open_container(path: str | os.PathLike[str]) -> Iterator[ContainerReader]:
    """Open a container that ``compress_to`` wrote; raises InvalidArchive."""
    shown = repr(os.fspath(path))
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InvalidArchive(
            shown,
            expected="a file that compress_to() wrote",
            received=error.strerror or str(error),
            remedy="check the path",
        ) from None
    with file:
        yield ContainerReader(file, shown)


def read_chunk(reader: ContainerReader, rows: RowCodec, fitted: list[Any], number: int) -> Any:
    """Return the rows of one chunk; raises InvalidArchive."""
    chunk = reader.chunks[number]
    payload = reader.read(chunk)
    try:
        rows.check_chunk(chunk.rows)
        return rows.decode(payload, chunk.rows, fitted)
    except InvalidArchive as error:
        raise error.about(str(chunk)) from error


def truncation_error(reader: ContainerReader) -> InvalidArchive:
    """Return the error for an incomplete file."""
    return InvalidArchive(
        "the compressed data",
        expected="a whole file",
        received=reader.truncation,
        remedy="copy or download the file again; decompress_from(..., skip_damaged=True) reads "
        "the undamaged chunks",
    )
