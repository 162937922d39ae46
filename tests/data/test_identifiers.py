"""Columns that name or number the rows are passed through; quantities are learned."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import isthmus as ist
from isthmus.core.errors import DataWarning
from isthmus.data.identifiers import with_roles
from isthmus.data.schema import infer_schema, schema_from_config

ROWS = 200
RNG = np.random.default_rng(0)


def kind(values, name="c"):
    frame = pd.DataFrame({name: values, "x": np.linspace(0.0, 1.0, len(values))})
    return infer_schema(frame).fields[0].kind


IDENTIFIERS = {
    "row number": np.arange(ROWS),
    "row number from 1, shuffled": RNG.permutation(ROWS) + 1,
    "row number of a sample": RNG.choice(5 * ROWS, ROWS, replace=False),
    "nine tenths of the row numbers": np.delete(np.arange(ROWS), slice(0, ROWS, 10)),
    "order number": 100_000 + np.arange(ROWS) * 7,
    "card number": RNG.integers(4 * 10**15, 6 * 10**15, ROWS),
    "beyond float64": 2**62 + RNG.integers(0, 2**40, ROWS),
    "unsigned": np.arange(ROWS, dtype=np.uint8),
    "with gaps": pd.array([None, *range(1, ROWS)], dtype="Int64"),
}
QUANTITIES = {
    "counts": RNG.poisson(20, ROWS),
    "populations": np.unique(np.exp(RNG.normal(10, 2, ROWS)).astype(int)),
    "measured": RNG.normal(size=ROWS),
    "whole floats": np.arange(ROWS, dtype=float),
    "prices in cents": RNG.integers(99, 99_999, ROWS),
    "seconds since 1970": 1_700_000_000 + np.cumsum(RNG.integers(1, 90, ROWS)),
    "milliseconds since 1970": 10**12 + np.cumsum(RNG.integers(1, 90_000, ROWS)),
    "few rows": np.array([5, 1, 3, 2]),
    "years": RNG.integers(1950, 2025, ROWS),
    "postcodes that repeat": RNG.integers(10_000, 10_050, ROWS),
}


@pytest.mark.parametrize("values", IDENTIFIERS.values(), ids=IDENTIFIERS)
def test_identifiers_are_passed_through(values):
    with pytest.warns(DataWarning, match="The integers of 'c' are all different"):
        assert kind(values) == "identifier"


@pytest.mark.parametrize("values", QUANTITIES.values(), ids=QUANTITIES)
def test_quantities_are_learned(values):
    assert kind(values) == "number"


@pytest.mark.parametrize("make", [pd.DataFrame, pa.table])
def test_identifiers_come_back_unchanged(make):
    cards = RNG.integers(4 * 10**15, 6 * 10**15, ROWS)
    table = make({"card": cards, "x": RNG.normal(size=ROWS), "y": RNG.normal(size=ROWS)})
    with pytest.warns(DataWarning, match="'card'"):
        model = ist.Autoencoder(1, epochs=2, random_state=0).fit(table)
    again = model.reconstruct(table)
    assert np.array_equal(np.asarray(again["card"]), cards)
    assert model.schema_.not_learned == "card (identifies rows)"


def test_floats_are_learned_whatever_they_are():
    frame = pd.DataFrame({"n": np.arange(ROWS).astype(float), "x": RNG.normal(size=ROWS)})
    assert infer_schema(frame).fields[0].kind == "number"


def test_roles_decide():
    table = pa.table({"a": np.arange(ROWS), "b": RNG.poisson(3, ROWS), "c": RNG.normal(size=ROWS)})
    schema = infer_schema(with_roles(table, {"a": "learn", "b": "identifier"}))
    assert [field.kind for field in schema.fields] == ["number", "identifier", "number"]
    words = pa.table({"w": [f"w{i}" for i in range(60)], "x": np.arange(60.0)})
    schema = infer_schema(with_roles(words, {"w": "learn"}))
    assert len(schema.fields[0].categories) == 60


def test_an_archive_stores_the_identifiers():
    table = pa.table({"a": np.arange(ROWS), "c": RNG.normal(size=ROWS)})
    with pytest.warns(DataWarning):
        schema = infer_schema(table)
    again = schema_from_config(schema.to_config())
    assert [field.kind for field in again.fields] == ["identifier", "number"]
    assert again.text_options.types == {"a": pa.string(), "c": pa.float64()}
