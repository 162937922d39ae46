"""The rows of models of tables."""

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.data.schema import infer_schema
from isthmus.serve.table_reader import TableReader


def test_the_example_of_a_table_with_identifiers() -> None:
    frame = pd.DataFrame({"plate": [f"X{n}" for n in range(30)], "speed": np.arange(30.0) ** 2})
    with pytest.warns(ist.DataWarning, match="plate"):
        reader = TableReader(infer_schema(frame))
    example = reader.example()
    assert example["plate"] is None
    assert 0 <= example["speed"] <= 900
    assert reader.from_json([example]).num_rows == 1
