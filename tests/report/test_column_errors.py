"""Errors by column have the names of their columns, whatever columns are not learned."""

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.core.errors import DataWarning
from isthmus.evaluation.comparison import compare
from isthmus.report.column_errors import column_errors, worst_rows


def test_columns_that_are_not_learned_do_not_shift_names():
    random = np.random.default_rng(0)
    size = random.normal(size=400)
    frame = pd.DataFrame(
        {
            "site": "Bern",
            "row": np.arange(400),
            "kind": np.where(size > 0, "a", "b"),
            "size": size,
            "twin": size,
            "noise": 5 * random.normal(size=400),
        }
    )
    with pytest.warns(DataWarning, match="'row' are all different"):
        model = ist.Autoencoder(1, epochs=30, random_state=0, verbose=0).fit(frame[:300])
    contest = compare(model, frame[300:], X_train=frame[:300])
    found = column_errors(contest, model.schema_).rows
    assert {each.name for each in found} == {"kind", "size", "twin", "noise"}
    assert found[0].name == "noise"
    for row in worst_rows(contest, model.schema_, frame[300:]):
        for cell in row.cells:
            value = frame[cell.column].iloc[300 + int(row.number)]
            shown = cell.value.replace("−", "-")
            assert shown == value or float(shown) == pytest.approx(value, rel=0.01)
