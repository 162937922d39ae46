"""What is a table, and what only looks like one."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from isthmus.core.errors import InvalidData
from isthmus.data.frames import is_table
from isthmus.data.schema import infer_schema

TABLE = pa.table({"a": [1, 2]})


@pytest.mark.parametrize(
    "X", [TABLE, TABLE.to_batches()[0], TABLE.to_pandas(), pl.DataFrame({"a": [1]})]
)
def test_tables(X):
    assert is_table(X)


@pytest.mark.parametrize("X", [np.eye(2), [[1, 2]], None, "a", 3, object(), {"a": [1]}])
def test_what_is_no_table(X):
    assert not is_table(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pl.LazyFrame({"a": [1]}), r"polars DataFrame, received a LazyFrame.*X\.collect\(\)"),
        (pd.Series([1, 2]), r"expected 2-D.*a pandas Series.*X\.to_frame\(\)"),
        (pl.Series([1, 2]), r"expected 2-D.*a polars Series.*X\.to_frame\(\)"),
        (pa.array([1, 2]), r"expected 2-D.*a pyarrow Int64Array.*pyarrow\.table"),
        (TABLE.column("a"), r"expected 2-D.*a pyarrow ChunkedArray"),
    ],
)
def test_what_almost_is_a_table_is_refused_with_a_remedy(X, message):
    with pytest.raises(InvalidData, match=message):
        is_table(X)
    with pytest.raises(InvalidData, match=message):
        infer_schema(X)
