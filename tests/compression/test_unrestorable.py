"""What a codec could not restore is refused by name; what is empty comes back empty."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import isthmus as ist

X = np.arange(12.0).reshape(4, 3)
LEVELS = pd.MultiIndex.from_product([["a"], ["x", "y", "z"]])


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (np.ma.masked_greater(X, 5), "a masked array"),
        (np.ma.masked_array(X), "a masked array"),
        (pd.DataFrame(X, columns=LEVELS), "columns with several levels"),
        (pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])}), "the sparse column 'a'"),
    ],
)
@pytest.mark.parametrize("as_batches", [False, True])
def test_what_would_be_lost_is_refused(data, received, as_batches):
    codec = ist.Codec().fit(X)
    with pytest.raises(ist.InvalidData) as caught:
        codec.compress(iter([data]) if as_batches else data)
    assert caught.value.received == received
    with pytest.raises(ist.InvalidData):
        ist.Codec().fit(data)


@pytest.mark.parametrize(
    "empty",
    [
        pd.DataFrame({"a": pd.Series([], dtype=float), "b": pd.Series([], dtype=str)}),
        pl.DataFrame({"a": []}, schema={"a": pl.Int64}),
        pa.table({"a": pa.array([], pa.int64()), "t": pa.array([], pa.timestamp("s"))}),
        np.empty((0, 3)),
        np.empty((0, 4, 4), np.uint8),
    ],
)
def test_no_rows_come_back_as_no_rows(empty):
    codec = ist.Codec().fit(empty)
    again = codec.decompress(codec.compress(empty))
    assert type(again) is type(empty)
    if isinstance(empty, pd.DataFrame):
        pd.testing.assert_frame_equal(again, empty)
    elif isinstance(empty, np.ndarray):
        np.testing.assert_array_equal(again, empty)
        assert again.dtype == empty.dtype
    else:
        assert again.equals(empty)
