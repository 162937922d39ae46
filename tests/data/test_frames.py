"""Tables, and data that only look like tables."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from isthmus.core.errors import InvalidArchive, InvalidData
from isthmus.data.frames import is_table
from isthmus.data.schema import infer_schema, schema_from_config

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
        (pd.Series([1, 2]), r"expected a table.*a pandas Series.*X\.to_frame\(\)"),
        (pl.Series([1, 2]), r"expected a table.*a polars Series.*X\.to_frame\(\)"),
        (pa.array([1, 2]), r"expected a table.*a pyarrow Int64Array.*pyarrow\.table"),
        (TABLE.column("a"), r"expected a table.*a pyarrow ChunkedArray"),
    ],
)
def test_what_almost_is_a_table_is_refused_with_a_remedy(X, message):
    with pytest.raises(InvalidData, match=message):
        is_table(X)
    with pytest.raises(InvalidData, match=message):
        infer_schema(X)


def test_labels_and_types_of_pandas_come_back_without_the_data():
    frame = pd.DataFrame({0: [1.0, 2.0, 4.0], 7: [3.0, 1.0, 2.0], "w": [0.5, 1.5, 2.5]})
    frame["n"] = pd.array([1, 2, None], dtype="int64[pyarrow]")
    config = json.loads(json.dumps(infer_schema(frame).to_config()))
    schema = schema_from_config(config)
    back = schema.from_matrix(schema.to_matrix(frame))
    assert list(back.columns) == [0, 7, "w", "n"]
    pd.testing.assert_series_equal(back.dtypes, frame.dtypes)
    config["columns"][2]["label"] = "integer"
    with pytest.raises(InvalidArchive, match="column's name"):
        schema_from_config(config)


@pytest.mark.parametrize("like", [True, False])
def test_predictions_that_are_nan_are_missing_cells_also_of_whole_numbers(like):
    X = pd.DataFrame({"count": [1, 2, 3], "width": [0.5, 1.5, 2.5], "open": [True, False, True]})
    schema = infer_schema(X)
    matrix = schema.to_matrix(X)
    matrix[1] = np.nan
    back = schema.from_matrix(matrix, X if like else None)
    assert back["count"].isna().tolist() == [False, True, False]
    assert back["count"][[0, 2]].tolist() == [1, 3]
    assert back["open"].isna().tolist() == [False, True, False]
