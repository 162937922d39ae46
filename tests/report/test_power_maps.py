"""Pictures of where in an image faults are detected."""

import numpy as np
import pytest
from test_image_data import opened

from isthmus.data.schema import infer_schema
from isthmus.report.power_maps import power_maps

RNG = np.random.default_rng(0)


def powers(schema, step, faults=("spike 3",)):
    """Faults are detected in the lower half only."""
    names = schema.columns[::step]
    return {name: dict.fromkeys(faults, float(int(name.split()[1]) >= 6)) for name in names}


@pytest.mark.parametrize("shape", [(12, 9), (12, 9, 3), (12, 9, 16)])
@pytest.mark.parametrize("step", [1, 5])
def test_bright_where_faults_are_detected(shape, step):
    schema = infer_schema(RNG.random((3, *shape)))
    found = power_maps(powers(schema, step), ["spike 3"], schema)
    assert found is not None
    (picture,) = found.pictures
    drawn = np.asarray(opened(picture.uri).convert("L")).astype(int)
    assert drawn.shape == (12, 9)
    assert drawn[8:].min() > drawn[:4].max()
    assert picture.caption.startswith("spike 3: ")
    assert f"of {schema.n_columns:,} are tested" in found.note
    assert "row 0 column 0" in found.note


def test_large_images_have_small_pictures():
    schema = infer_schema(RNG.random((2, 300, 200)))
    found = power_maps(powers(schema, 101), ["spike 3", "swap"][:1], schema)
    assert found is not None
    assert max(opened(found.pictures[0].uri).size) == 48


@pytest.mark.parametrize("rows", [RNG.normal(size=(5, 30)), RNG.random((3, 3, 3))])
def test_tables_and_tiny_images_have_no_pictures(rows):
    schema = infer_schema(rows)
    assert power_maps({name: {"swap": 1.0} for name in schema.columns}, ["swap"], schema) is None
