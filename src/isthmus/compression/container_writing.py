"""Rows to a container, chunk by chunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from isthmus.compression.array_rows import rows_of
from isthmus.compression.container import ContainerReader, ContainerWriter
from isthmus.compression.summary import Summary
from isthmus.core.errors import InvalidData
from isthmus.data import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from isthmus.compression.embedded_model import EmbeddedModel
    from isthmus.compression.error_bounds import ErrorBound
    from isthmus.compression.row_codec import RowCodec


def write(
    X: Any,
    file: BinaryIO,
    promise: ErrorBound,
    model: EmbeddedModel | None = None,
    *,
    embed: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Summary:
    """Write rows to an open file.

    Parameters
    ----------
    X : array, DataFrame, Arrow table, or iterator of such
        The rows.
    file : binary file
        Open for writing.
    promise : Promise
        How far numbers may move.
    model : Model, optional
        What has learned from rows like these.
    embed : bool
        Whether the file holds the model, or names it.
    progress : callable, optional
        Told how many rows are done.
    """
    if model is None or not (embed and model.coder.divisible):
        return _written(X, file, promise, model, embed=embed, progress=progress)
    # Which parts of the model are needed is known at the end, but they stand at the beginning.
    with TemporaryFile() as aside:
        summary = _written(X, aside, promise, model, embed=False, progress=progress)
        aside.seek(0)
        held = _copied(ContainerReader(aside, "the compressed rows"), file, model)
    return replace(summary, packed_bytes=file.tell(), model_bytes=held)


def _copied(reader: ContainerReader, file: BinaryIO, model: EmbeddedModel) -> int:
    """Write a container again, with those parts of the model that it needs; return their size."""
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
    promise: ErrorBound,
    model: EmbeddedModel | None,
    *,
    embed: bool,
    progress: Callable[[int], object] | None,
) -> Summary:
    fitted = [] if model is None else [model.coder]
    encoder, ways = promise.encoder(model), Counter[str]()
    writer: ContainerWriter | None = None
    first: RowCodec | None = None
    bounds: tuple[float, ...] = ()
    count, raw, worst = 0, 0, 0.0
    for rows, part in chunks(X):
        if writer is None or first is None:
            first, bounds = rows, promise.bounds(rows)
            manifest = {**rows.manifest(), **promise.stated(bounds)}
            if model is not None:
                manifest["model"] = {"sha256": model.digest, "embedded": embed}
            writer = ContainerWriter(
                file, manifest, model.packed if model is not None and embed else None
            )
        _check_same(first, rows)
        payload, error = first.encode(part, bounds, encoder)
        if len(part):
            writer.add(len(part), payload)
            ways[first.ways(payload, fitted)] += 1
        worst, count, raw = max(worst, error), count + len(part), raw + part.nbytes
        if progress is not None:
            progress(count)
    if writer is None:
        raise InvalidData("X", expected="at least one batch", received="an empty iterator")
    writer.close()
    held = len(model.packed) if model is not None and embed else 0
    return Summary(count, raw, file.tell(), held, worst, ways)


def batches(X: Any) -> Iterator[tuple[RowCodec, Any]]:
    """Yield what rows are, and the rows: all at once, or what an iterator gives."""
    given: Iterable[Any] = X if hasattr(X, "__next__") else [X]
    return map(rows_of, given)


def chunks(X: Any) -> Iterator[tuple[RowCodec, Any]]:
    """Yield what rows are, and those of each chunk."""
    for rows, values in batches(X):
        # Of equal length: a short one at the end would compress less well.
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
            received="others than the first",
            remedy="convert all batches to the types of the first",
        )
