"""Batches on another scale than the fitted data, and batches that only seem to be."""

import warnings

import numpy as np
import pytest

from isthmus.core.errors import DataWarning
from isthmus.data.schema import infer_schema

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (50, 8, 8)).astype(np.uint8)
FLAT = np.r_[PIXELS.reshape(50, 64), np.full((1, 64), 255)].astype(float)
UNIT = RNG.random((50, 8, 8))
DEEP = np.stack([np.zeros((8, 8)), np.full((8, 8), 65535.0)])


@pytest.mark.parametrize(
    ("fitted", "batch", "message"),
    [
        (PIXELS, UNIT, r"from 0 to 255.*received .* to 0\.99.*Try: pass X \* 255"),
        (PIXELS, UNIT.astype(np.float32), "another scale"),
        (PIXELS, np.where(UNIT < 0.3, np.nan, UNIT), "another scale"),
        (PIXELS, 2 * UNIT - 1, r"pass \(X \+ 1\) \* 127\.5"),
        (PIXELS, UNIT > 0.5, "another scale"),
        (PIXELS, (UNIT > 0.5).astype(np.uint8), "another scale"),
        (FLAT, UNIT.reshape(50, 64), "another scale"),
        (FLAT, UNIT.reshape(50, 64) > 0.5, "another scale"),
        (DEEP, UNIT, r"pass X \* 65535"),
        (UNIT, PIXELS, r"from 0 to 1.*received 0 to 255.*Try: pass X / 255"),
        (UNIT, PIXELS.astype(np.float32), "another scale"),
        (UNIT.reshape(50, 64), FLAT, "another scale"),
        (UNIT, 65535 * UNIT, "scale X like the data"),
        (2 * UNIT - 1, PIXELS, "another scale"),
    ],
)
def test_another_scale_is_noticed(fitted, batch, message):
    with pytest.warns(DataWarning, match=message):
        infer_schema(fitted).to_matrix(batch)


def one_bright_cell(samples):
    samples = samples.copy()
    samples[3].flat[5] = 300
    return samples


@pytest.mark.parametrize(
    ("fitted", "batch"),
    [
        pytest.param(PIXELS, PIXELS // 100, id="dark pictures"),
        pytest.param(PIXELS, PIXELS // 100 / 1.0, id="dark pictures of floats"),
        pytest.param(PIXELS, 0 * PIXELS, id="black pictures"),
        pytest.param(PIXELS, 0.4 * UNIT, id="almost black pictures"),
        pytest.param(PIXELS, UNIT[:1], id="a single picture proves nothing"),
        pytest.param(PIXELS, np.full((3, 8, 8), np.nan), id="nothing observed"),
        pytest.param(FLAT, FLAT // 128, id="small counts"),
        pytest.param(100 * UNIT, 0.9 * UNIT, id="a range that is not a full scale"),
        pytest.param(UNIT, UNIT * 1.5, id="a little beyond"),
        pytest.param(UNIT, one_bright_cell(UNIT), id="an outlier"),
        pytest.param(UNIT, PIXELS[:1], id="a single bright picture"),
        pytest.param(PIXELS // 128, PIXELS // 128, id="masks"),
        pytest.param(FLAT - 300, FLAT, id="standardised columns"),
    ],
)
def test_ordinary_batches_pass_in_silence(fitted, batch):
    schema = infer_schema(fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schema.to_matrix(batch)
        schema.to_matrix(fitted)


def test_the_warning_leaves_the_values_alone():
    schema = infer_schema(PIXELS)
    with pytest.warns(DataWarning):
        matrix = schema.to_matrix(UNIT)
    np.testing.assert_allclose(matrix, UNIT / 255, rtol=1e-6)
