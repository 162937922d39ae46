"""Objects of other libraries as sources; none of these libraries is imported here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidData
from isthmus.data.frames import is_table
from isthmus.data.sources.files import ranges
from isthmus.data.sources.source import BatchSource, Part, RowForm, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

_BATCH = 1 << 14
"""Rows that are read at a time."""
_BUFFER = 1 << 18
"""Bytes that are read ahead in each column of a Parquet file."""


def source_of(X: Any) -> BatchSource | None:
    """Return an object that yields batches of rows as a source; None if it is none.

    Parameters
    ----------
    X : object
        A pyarrow Dataset, a Hugging Face Dataset or IterableDataset, a polars LazyFrame, a DuckDB
        relation, a Zarr array, a memory-mapped NumPy array, a function that returns an iterator of
        batches, or an iterable of batches that can be iterated over several times.
    """
    if isinstance(X, BatchSource):
        return X
    if isinstance(X, np.memmap):
        return _of_array(X)
    kind = type(X)
    library, name = kind.__module__.split(".")[0].strip("_"), kind.__name__
    named: dict[tuple[str, str], Callable[[Any], BatchSource]] = {
        ("polars", "LazyFrame"): _of_lazy_frame,
        ("duckdb", "DuckDBPyRelation"): _of_relation,
        ("datasets", "Dataset"): _of_hugging_face,
        ("datasets", "IterableDataset"): _of_hugging_face_stream,
        ("zarr", "Array"): _of_array,
    }
    if (library, name) in named:
        return named[library, name](X)
    if library == "pyarrow" and hasattr(X, "get_fragments"):
        return of_dataset(X)
    if _is_batches(X):
        again = X if callable(X) else X.__iter__
        return BatchSource("X", (Part("X", partial(_begun, again)),))
    return None


def _is_batches(X: Any) -> bool:
    """Whether `X` is a function, or an iterable that is no container of single rows."""
    if isinstance(X, (type, Iterator)) or hasattr(X, "__array__") or hasattr(X, "shape"):
        return False
    if hasattr(X, "__getitem__") or is_table(X):
        return False
    return callable(X) or hasattr(X, "__iter__")


def _begun(again: Callable[[], Any]) -> Iterable[Any]:
    batches = again()
    if hasattr(batches, "__iter__") and not isinstance(batches, (str, bytes, dict)):
        return batches  # type: ignore[no-any-return]
    raise InvalidData(
        "X",
        expected="a function that returns an iterator of batches of rows",
        received=f"a function that returned {type(batches).__name__}",
        remedy="yield arrays (n, columns) or DataFrames",
    )


def _of_array(X: Any) -> BatchSource:
    form = RowForm(None, tuple(X.shape[1:]), np.dtype(X.dtype))
    name = str(getattr(X, "filename", None) or "X")
    chunks = getattr(X, "chunks", None)
    parts = ranges(name, X.shape[0], lambda start, stop: X[start:stop], chunks[0] if chunks else 1)
    return BatchSource(name, tuple(parts), form)


def _of_lazy_frame(X: Any) -> BatchSource:
    if not hasattr(X, "collect_batches"):
        raise InvalidData(
            "X",
            expected="a LazyFrame of polars 1.34 or newer, which is collected in batches",
            received="one of an older polars",
            remedy="upgrade polars, or pass X.collect()",
        )

    def batches() -> Iterator[Any]:
        return iter(X.collect_batches(chunk_size=_BATCH, maintain_order=True))

    return BatchSource("the LazyFrame", (Part("the LazyFrame", batches),), container="polars")


def _of_relation(X: Any) -> BatchSource:
    def batches() -> Iterator[Any]:
        return iter(X.to_arrow_reader(_BATCH))

    return BatchSource("the relation", (Part("the relation", batches),))


def _of_hugging_face(X: Any) -> BatchSource:
    rows = X.with_format("arrow")
    parts = ranges("the Dataset", len(rows), lambda start, stop: rows[start:stop])
    return BatchSource("the Dataset", tuple(parts))


def _of_hugging_face_stream(X: Any) -> BatchSource:
    def batches() -> Iterator[Any]:
        return iter(X.with_format("arrow").iter(batch_size=_BATCH))

    name = "the IterableDataset"
    return BatchSource(name, (Part(name, batches),))


def of_dataset(X: Any) -> BatchSource:
    """Return a pyarrow Dataset as a source; each row group of its Parquet files is a part."""
    name = "the Dataset"
    columns = X.schema.remove_metadata()
    form = RowForm(columns, (len(columns),))
    try:
        fragments = list(X.get_fragments())
    except ValueError:  # it is filtered
        parts = [Part(name, lambda: X.to_batches(batch_size=_BATCH))]
    else:
        parts = [part for fragment in fragments for part in _of_fragment(fragment, X.schema)]
    return BatchSource(name, tuple(parts), form)


def _of_fragment(fragment: Any, schema: pa.Schema) -> Iterator[Part]:
    name = str(getattr(fragment, "path", "rows in memory"))
    if not hasattr(fragment, "row_groups"):
        counted = name == "rows in memory" or name.endswith((".arrow", ".feather"))
        yield Part(
            name,
            lambda: fragment.to_batches(schema=schema, batch_size=_BATCH),
            fragment.count_rows() if counted else None,
        )
        return
    from pyarrow import dataset

    options = dataset.ParquetFragmentScanOptions(
        use_buffered_stream=True, buffer_size=_BUFFER, pre_buffer=False
    )
    for part in fragment.split_by_row_group():
        (group,) = part.row_groups
        read = partial(
            part.to_batches,
            schema=schema,
            batch_size=_BATCH,
            batch_readahead=1,
            fragment_readahead=1,
            fragment_scan_options=options,
        )
        yield Part(f"{name}, row group {group.id}", read, group.num_rows)


def read_at_most(source: BatchSource, most_bytes: int) -> Any:
    """Return the rows of a source if their matrix has at most so many bytes; else None."""
    held, count = [], 0
    for batch in source.stream(_BATCH):
        held.append(batch)
        count += 4 * len(batch) * math.prod(source.form.sample_shape)
        if count > most_bytes:
            return None
    return _in_container(source, held)


def _in_container(source: BatchSource, held: list[Any]) -> Any:
    rows = joined(held)
    if source.container == "polars":
        import polars as pl

        return pl.from_arrow(rows)
    return rows
