"""Writing rows to a container, chunk by chunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from isthmus.compression.container import ContainerReader, ContainerWriter
from isthmus.compression.row_batches import batches
from isthmus.compression.summary import Summary
from isthmus.core.errors import InvalidData
from isthmus.data import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isthmus.compression.embedded_model import EmbeddedModel
    from isthmus.compression.error_bounds import ErrorBound
    from isthmus.compression.row_codec import RowCodec


def write(
    X: Any,
    file: BinaryIO,
    error_bound: ErrorBound,
    model: EmbeddedModel | None = None,
    *,
    embed: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Summary:
    """Write rows to an open file.

    Parameters
    ----------
    X : array, DataFrame, Arrow table, iterator of these, path or source
        The rows.
    file : binary file
        Open for writing.
    error_bound : ErrorBound
        The error bound or rate.
    model : EmbeddedModel, optional
        Fitted to rows like these.
    embed : bool
        Whether the file embeds the model, or only identifies it.
    progress : callable, optional
        Called with the number of rows done.
    """
    if model is None or not (embed and model.coder.divisible):
        return _written(X, file, error_bound, model, embed=embed, progress=progress)
    # The model precedes the chunks, but which of its parts they need is known only at the end.
    with TemporaryFile() as aside:
        summary = _written(X, aside, error_bound, model, embed=False, progress=progress)
        aside.seek(0)
        held = _copied(ContainerReader(aside, "the compressed rows"), file, model)
    return replace(summary, packed_bytes=file.tell(), model_bytes=held)


def _copied(reader: ContainerReader, file: BinaryIO, model: EmbeddedModel) -> int:
    """Copy a container with the parts of the model that it needs; return their size."""
    needed = model.needed_for(reader.read(chunk) for chunk in reader.chunks)
    content = needed.packed
    manifest = {**reader.manifest, "model": {"sha256": needed.digest, "embedded": True}}
    writer = ContainerWriter(file, manifest, content)
    for chunk in reader.chunks:
        writer.add(chunk.rows, reader.read(chunk))
    writer.close()
    return len(content)


def _written(
    X: Any,
    file: BinaryIO,
    error_bound: ErrorBound,
    model: EmbeddedModel | None,
    *,
    embed: bool,
    progress: Callable[[int], object] | None,
) -> Summary:
    fitted = [] if model is None else [model.coder]
    encoder, coders = error_bound.encoder(model), Counter[str]()
    writer: ContainerWriter | None = None
    first: RowCodec | None = None
    bounds: tuple[float, ...] = ()
    count, raw, worst = 0, 0, 0.0
    for rows, part in chunks(X):
        if writer is None or first is None:
            first, bounds = rows, error_bound.bounds(rows)
            manifest = {**rows.manifest(), **error_bound.manifest_entries(bounds)}
            if model is not None:
                manifest["model"] = {"sha256": model.digest, "embedded": embed}
            writer = ContainerWriter(
                file, manifest, model.packed if model is not None and embed else None
            )
        _check_same(first, rows)
        if len(part):
            payload, error = first.encode(part, bounds, encoder)
            writer.add(len(part), payload)
            coders[first.describe_coder(payload, fitted)] += 1
            worst, count, raw = max(worst, error), count + len(part), raw + part.nbytes
        if progress is not None:
            progress(count)
    if writer is None:
        raise InvalidData("X", expected="at least one batch", received="an empty iterator")
    writer.close()
    held = len(model.packed) if model is not None and embed else 0
    return Summary(count, raw, file.tell(), held, worst, coders)


def chunks(X: Any) -> Iterator[tuple[RowCodec, Any]]:
    """Yield the row codec and the rows of each chunk."""
    for rows, values in batches(X):
        # Use chunks of equal length: a short one at the end would compress less well.
        count = max(-(-len(values) // rows.chunk_rows), 1)
        each = max(-(-len(values) // count), 1)
        for start in range(0, max(len(values), 1), each):
            if frames.is_table(values):
                yield rows, values.slice(start, each)
            else:
                yield rows, np.ascontiguousarray(values[start : start + each])


def _check_same(first: RowCodec, rows: RowCodec) -> None:
    if first.manifest() != rows.manifest():
        raise InvalidData(
            "X",
            expected="batches of the same columns and types",
            received="columns or types that differ from those of the first batch",
            remedy="convert all batches to the types of the first",
        )
