"""Inferring a schema, and rebuilding one from a possibly hostile configuration."""

import copy
import json
import random
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.data.formats.text_options import Convention, with_convention
from isthmus.data.schema import Schema, infer_schema, schema_from_config

TABLE = pa.table(
    {
        "n": [1, 2, 3],
        "f": [0.5, 0.25, 0.1],
        "b": [True, False, True],
        "c": pa.array(["x", "y", "x"]).dictionary_encode(),
        "d": pa.array([0, 86400, 0], pa.timestamp("s", tz="UTC")),
        "k": [7, 7, 7],
    }
)
WRITTEN = Convention(missing=("k.A.", "-999"), delimiter="^")
CONFIGS = {
    "table": infer_schema(with_convention(TABLE, WRITTEN)).to_config(),
    "array": infer_schema(np.arange(12.0).reshape(3, 4)).to_config(),
    "images": infer_schema(np.arange(24.0).reshape(3, 4, 2)).to_config(),
}


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (np.eye(3), "array"),
        ([[1, 2], [3, 5]], "array"),
        (TABLE, "table"),
        (TABLE.to_batches()[0], "table"),
        (pd.DataFrame({"a": [1, 2]}), "table"),
        (pl.DataFrame({"a": [1, 2]}), "table"),
    ],
)
def test_the_kind_of_data_chooses_the_schema(X, kind):
    schema = infer_schema(X)
    assert isinstance(schema, Schema)
    assert schema.kind == kind


@pytest.mark.parametrize("scale", ["automatic", None, 3, ["auto"]])
def test_an_unknown_scale_is_refused(scale):
    with pytest.raises(InvalidParameter, match=r"scale: expected one of 'auto'.*Try: "):
        infer_schema(np.eye(3), scale=scale)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_config_is_exact_through_json(config):
    assert schema_from_config(json.loads(json.dumps(config))).to_config() == config


def changed(name, path, value):
    config = copy.deepcopy(CONFIGS[name])
    place = config
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return config


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        "table",
        {},
        {"kind": "table"},
        {"kind": "pickle"},
        {"kind": ["table"]},
        changed("array", ["sample_shape"], [0]),
        changed("array", ["sample_shape"], [-4]),
        changed("array", ["sample_shape"], [4.0]),
        changed("array", ["sample_shape"], [True]),
        changed("array", ["sample_shape"], []),
        changed("array", ["sample_shape"], [2**20, 2**20]),
        changed("array", ["sample_shape"], [10**30]),
        changed("images", ["sample_shape"], [2**12, 2**12 + 1]),
        changed("images", ["sample_shape"], [1] * 5),
        changed("array", ["sample_shape"], [5]),
        changed("array", ["sample_shape"], {"0": 4}),
        changed("array", ["dtype"], "object"),
        changed("array", ["values"], "mixed"),
        changed("images", ["scaling"], None),
        changed("images", ["scaling", "scale"], [0.0]),
        changed("table", ["columns"], []),
        changed("table", ["columns"], CONFIGS["table"]["columns"][-1:]),
        changed("table", ["columns"], CONFIGS["table"]["columns"] * 2),
        changed("table", ["container"], "os"),
        changed("table", ["scaling", "center"], [0.0, 0.0]),
        changed("table", ["columns", 0, "name"], 3),
        changed("table", ["columns", 0, "kind"], "category"),
        changed("table", ["columns", 0, "kind"], "boolean"),
        changed("table", ["columns", 0, "type"], "list<item: int64>"),
        changed("table", ["columns", 0, "type"], "decimal128(99, 2)"),
        changed("table", ["columns", 0, "type"], 64),
        changed("table", ["columns", 0, "step"], 0),
        changed("table", ["columns", 0, "native"], "sparse"),
        changed("table", ["columns", 0, "categories"], ["1"]),
        changed("table", ["columns", 3, "categories"], []),
        changed("table", ["columns", 3, "categories"], ["x", "x"]),
        changed("table", ["columns", 3, "categories"], ["x", 1]),
        changed("table", ["columns", 3, "categories"], [f"{i}" for i in range(1001)]),
        changed(
            "table", ["columns", 3, "type"], "dictionary<values=int8, indices=int8, ordered=0>"
        ),
        changed("table", ["columns", 4, "type"], "timestamp[s, tz=No/Where]"),
        changed("table", ["columns", 4, "type"], "timestamp[s, tz=../../etc/passwd]"),
        changed("table", ["columns", 5, "categories"], ["seven"]),
        changed("table", ["columns", 5, "categories"], ["7", "8"]),
        changed("table", ["convention", "missing", 0], "\ud800"),
        changed("table", ["convention", "delimiter"], "\n"),
    ],
)
def test_a_hostile_config_is_refused(config):
    with pytest.raises(InvalidArchive):
        schema_from_config(config)


def test_the_bound_on_a_strangers_sample_is_named_and_reaching_it_is_cheap():
    with pytest.raises(InvalidArchive, match="16777216 cells at most"):
        schema_from_config(changed("images", ["sample_shape"], [2**12, 2**12 + 1]))
    config = changed("images", ["sample_shape"], [2**12, 2**12])
    tracemalloc.start()
    try:
        assert schema_from_config(config).n_columns == 2**24
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_tables_count_their_columns():
    schema = infer_schema(TABLE)
    assert schema.n_columns == len(schema.columns) == 6


VALUES = [None, True, -1, 0, 1e308, 10**400, "", "x", "string", [], [1], {}, float("nan")]


def places(config, path=()):
    """Yield the path of every entry of a configuration."""
    for key, value in config.items() if isinstance(config, dict) else enumerate(config):
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


@pytest.mark.parametrize("name", CONFIGS)
def test_any_change_is_refused_or_gives_a_schema_that_works(name):
    choose = random.Random(0)
    for path in places(CONFIGS[name]):
        for value in choose.sample(VALUES, 5):
            try:
                schema = schema_from_config(changed(name, path, value))
            except InvalidArchive:
                continue
            schema.from_matrix(np.zeros((2, *schema.sample_shape), np.float32))
            assert schema_from_config(schema.to_config()).to_config() == schema.to_config()
