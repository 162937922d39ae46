"""Converts pandas and polars DataFrames and pyarrow Tables to a pyarrow Table and back.

pandas and polars are imported only if the user passes or gets one of their DataFrames.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from isthmus.core.errors import InvalidData, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Container = Literal["pandas", "polars", "arrow"]

_NATIVE = frozenset(
    [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
    + ["Float32", "Float64", "boolean", "string", "object"]
    + [f"{sign}int{bits}[pyarrow]" for sign in ("", "u") for bits in (8, 16, 32, 64)]
    + ["float[pyarrow]", "double[pyarrow]", "bool[pyarrow]"]
)
"""pandas types that a pyarrow Table does not keep."""


def is_table(X: Any) -> bool:
    """Tell whether `X` is a table rather than an array-like.

    Parameters
    ----------
    X : any
        Tables are pandas and polars DataFrames, and pyarrow Tables and RecordBatches.

    Raises
    ------
    InvalidData
        It is a single column (a Series or a pyarrow Array), or a polars LazyFrame.
    """
    if _container(X) is not None:
        return True
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if polars is not None and isinstance(X, polars.LazyFrame):
        raise InvalidData(
            "X",
            expected="a polars DataFrame",
            received="a LazyFrame",
            remedy="pass X.collect()",
        )
    if isinstance(X, (pa.Array, pa.ChunkedArray)):
        raise _one_column(X, "pass pyarrow.table({'x': X})")
    if any(module and isinstance(X, module.Series) for module in (pandas, polars)):
        raise _one_column(X, "pass X.to_frame()")
    return False


def _one_column(X: Any, remedy: str) -> InvalidData:
    return InvalidData(
        "X",
        expected="a table or a 2-D array",
        received=f"one column, a {type(X).__module__.split('.')[0]} {type(X).__name__}",
        remedy=remedy,
    )


def container_of(X: Any) -> Container:
    """Return what kind of table `X` is; ``"arrow"`` if it is not a table."""
    return _container(X) or "arrow"


def _container(X: Any) -> Container | None:
    if isinstance(X, (pa.Table, pa.RecordBatch)):
        return "arrow"
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        return "pandas"
    if polars is not None and isinstance(X, polars.DataFrame):
        return "polars"
    return None


def native_types(X: Any) -> dict[str, str]:
    """Return, by column, the pandas types that a pyarrow Table does not keep."""
    if _container(X) != "pandas":
        return {}
    types = {str(name): str(dtype) for name, dtype in X.dtypes.items()}
    return {name: dtype for name, dtype in types.items() if dtype in _NATIVE}


def integer_labels(X: Any) -> frozenset[str]:
    """Return, as text, the labels of pandas columns that are integers."""
    if _container(X) != "pandas":
        return frozenset()
    return frozenset(str(name) for name in X.columns if type(name) is int)


def is_native(dtype: str) -> bool:
    """Tell whether `native_types` can return `dtype`."""
    return dtype in _NATIVE


def to_arrow(X: Any) -> pa.Table:
    """Return a DataFrame or Table as a pyarrow Table; pandas' index is ignored.

    Raises
    ------
    InvalidData
        Two columns have the same name, or a column's cells have no common type.
    """
    kind = _container(X)
    if kind == "pandas":
        names = [str(name) for name in X.columns]
        unique_names(names)
        columns = [_pandas_column(X.iloc[:, i], name) for i, name in enumerate(names)]
        return pa.Table.from_arrays(columns, names=names)
    if kind == "polars":
        return _views_to_text(_polars(X))
    table = pa.Table.from_batches([X]) if isinstance(X, pa.RecordBatch) else X
    unique_names(table.column_names)
    return _views_to_text(table)


def unique_names(names: Sequence[str]) -> None:
    """Refuse column names that occur more than once.

    Raises
    ------
    InvalidData
        A name is repeated; the message names it.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidData(
            "columns",
            expected="different names",
            received=f"more than one named {', '.join(map(repr, twice[:5]))}",
            remedy="rename or drop the duplicates",
        )


def _pandas_column(series: Any, name: str) -> pa.Array:
    if hasattr(series, "sparse"):
        series = series.sparse.to_dense()
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidData(
            f"column {name!r}",
            expected="numbers, booleans, text, categories or dates, of one type",
            received=f"{series.dtype} ({reason})",
            remedy="convert the column to one type, such as with .astype(str) or .astype(float)",
        ) from None


def _polars(X: Any) -> pa.Table:
    objects = [name for name, dtype in X.schema.items() if str(dtype) == "Object"]
    if objects:
        raise InvalidData(
            f"column {objects[0]!r}",
            expected="numbers, booleans, text, categories or dates",
            received="the polars type Object",
            remedy="cast the column to one of these, or drop it",
        )
    return X.to_arrow()


def _views_to_text(table: pa.Table) -> pa.Table:
    """Cast string views, which few pyarrow functions support, to strings."""
    for i, field in enumerate(table.schema):
        if field.type == pa.string_view():
            table = table.set_column(i, field.name, table.column(i).cast(pa.large_string()))
    return table


def from_arrow(
    table: pa.Table,
    container: Container,
    like: Any,
    natives: Mapping[str, str],
    integers: Collection[str],
) -> Any:
    """Return `table` in the user's container.

    Parameters
    ----------
    table : pyarrow.Table
        The values.
    container : "pandas", "polars" or "arrow"
        What to return if `like` is not a table.
    like : DataFrame, Table or anything else
        Determines the container, pandas' index and column labels, and column types.
    natives : mapping of str to str
        pandas types by column, if `like` has none.
    integers : collection of str
        Columns whose pandas label is an integer, if `like` has none.

    Raises
    ------
    MissingExtra
        pandas or polars is needed and not installed.
    """
    kind = _container(like) or container
    try:
        if kind == "pandas":
            if _container(like) == "pandas":
                return _to_pandas(table, like, natives, _labels(like))
            return _to_pandas(table, None, natives, {name: int(name) for name in integers})
        if kind == "polars":
            return _to_polars(table, like if _container(like) == "polars" else None)
    except ImportError as error:
        raise MissingExtra(
            kind,
            expected=f"{kind}, because the model was fitted on such a DataFrame",
            received=str(error),
            remedy=f"pip install {kind}, or pass the data as a pyarrow Table",
        ) from None
    return table


def _labels(frame: Any) -> dict[str, Any]:
    return {str(label): label for label in frame.columns}


def _to_pandas(
    table: pa.Table, like: Any, natives: Mapping[str, str], labels: Mapping[str, Any]
) -> Any:
    import pandas as pd

    frame = table.to_pandas()
    wanted = {}
    for name in table.column_names:
        have = frame[name].dtype
        dtype = _pandas_type(have, like, labels.get(name), natives.get(name, ""))
        if table.column(name).null_count and _needs_every_cell(dtype):
            continue
        # pandas treats "string" and its str type as equal, and categories of one name too.
        if dtype is not None and (dtype != have or str(dtype) != str(have)):
            wanted[name] = dtype
    frame = frame.astype(wanted)
    if labels:
        frame.columns = pd.Index([labels.get(name, name) for name in table.column_names])
    if like is not None and len(like) == len(frame):
        frame.index = like.index
    return frame


def _needs_every_cell(dtype: Any) -> bool:
    """Tell whether a pandas type is one of NumPy's that has no missing value."""
    return isinstance(dtype, np.dtype) and dtype.kind in "biu"


def _pandas_type(have: Any, like: Any, label: Any, native: str) -> Any:
    """Return the type a column should be cast to, or None to leave it as it is."""
    if like is None or label is None:
        return native or None
    dtype = like[label].dtype
    if str(dtype) == "object":
        return native or None
    if hasattr(have, "categories"):
        # A cast to categories that lack one of these would silently empty its cells.
        known = hasattr(dtype, "categories") and set(have.categories) <= set(dtype.categories)
        return dtype if known else None
    return None if hasattr(dtype, "categories") else dtype


def _to_polars(table: pa.Table, like: Any) -> Any:
    import polars as pl

    frame = pl.from_arrow(table)
    if like is None:
        return frame
    types = {
        name: dtype
        for name, dtype in like.schema.items()
        if name in frame.columns and dtype != frame.schema[name] and _castable(frame[name], dtype)
    }
    return frame.cast(types)


def _castable(series: Any, dtype: Any) -> bool:
    if str(dtype) == "Null":
        return False
    categories = getattr(dtype, "categories", None)
    if not str(dtype).startswith("Enum") or categories is None:
        return True
    return set(series.cast(str).drop_nulls().unique()) <= set(categories)
