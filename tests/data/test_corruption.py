import jax
import numpy as np
import pandas as pd
import pytest

from isthmus.core.errors import InvalidParameter
from isthmus.data.corruption import NOISES
from isthmus.data.schema import infer_schema

RNG = np.random.default_rng(0)
PICTURES = RNG.random((400, 6, 6)).astype(np.float32)
COLUMNS = RNG.normal(size=(400, 5))
TABLE = pd.DataFrame(
    {
        "size": RNG.normal(size=400),
        "kind": RNG.choice(["a", "b", "c"], 400),
        "flag": RNG.random(400) > 0.5,
    }
)
KEY = jax.random.key(0)


def corrupted(name, level, X, key=KEY):
    schema = infer_schema(X)
    matrix = schema.to_matrix(X)
    return matrix, np.asarray(NOISES[name](level, schema)(key, matrix)), schema


@pytest.mark.parametrize("name", sorted(NOISES))
def test_noise_is_keyed_and_nothing_is_changed_without(name):
    clean, noisy, _ = corrupted(name, 0.3, PICTURES)
    assert noisy.shape == clean.shape
    assert noisy.dtype == np.float32
    assert 0 <= noisy.min() <= noisy.max() <= 1
    np.testing.assert_array_equal(noisy, corrupted(name, 0.3, PICTURES)[1])
    assert (noisy != corrupted(name, 0.3, PICTURES, jax.random.key(1))[1]).any()
    np.testing.assert_array_equal(corrupted(name, 0.0, PICTURES)[1], clean)


def test_gaussian_has_its_deviation():
    clean, noisy, _ = corrupted("gaussian", 0.3, COLUMNS)
    np.testing.assert_allclose((noisy - clean).std(), 0.3, rtol=0.1)


def test_gaussian_leaves_categories_alone():
    clean, noisy, schema = corrupted("gaussian", 0.3, TABLE)
    for segment in schema.segments:
        same = (clean == noisy)[:, segment.start : segment.stop].all()
        assert same == (segment.kind != "numeric")


def test_masking_takes_a_share_of_cells():
    clean, noisy, _ = corrupted("masking", 0.3, PICTURES)
    np.testing.assert_allclose((noisy == 0).mean(), 0.3, atol=0.03)
    assert ((noisy == 0) | (noisy == clean)).all()


@pytest.mark.parametrize("shape", [(5, 6, 3), (4, 5, 6, 2)], ids=["colour", "volume"])
def test_masking_takes_pixels_with_all_channels(shape):
    clean, noisy, _ = corrupted("masking", 0.3, 0.5 + 0.5 * RNG.random((100, *shape)))
    changed = (noisy != clean).reshape(-1, shape[-1])
    np.testing.assert_array_equal(changed.all(axis=1), changed.any(axis=1))
    np.testing.assert_allclose(changed.mean(), 0.3, atol=0.03)


def test_masking_takes_sensors_of_series_one_by_one():
    clean, noisy, _ = corrupted("masking", 0.3, 0.5 + 0.5 * RNG.random((100, 20, 3)))
    changed = noisy != clean
    assert (changed.any(axis=-1) & ~changed.all(axis=-1)).any()


def test_masking_takes_categories_whole():
    clean, noisy, schema = corrupted("masking", 0.5, TABLE)
    kind = next(s for s in schema.segments if s.kind == "categorical")
    cells, before = noisy[:, kind.start : kind.stop], clean[:, kind.start : kind.stop]
    gone = (cells == 0).all(axis=1)
    np.testing.assert_allclose(gone.mean(), 0.5, atol=0.1)
    np.testing.assert_array_equal(cells[~gone], before[~gone])


def test_salt_and_pepper_are_the_two_ends():
    clean, noisy, _ = corrupted("salt_pepper", 0.4, PICTURES)
    np.testing.assert_allclose((noisy == 0).mean(), 0.2, atol=0.03)
    np.testing.assert_allclose((noisy == 1).mean(), 0.2, atol=0.03)
    assert ((noisy == clean) | (noisy == 0) | (noisy == 1)).all()


@pytest.mark.parametrize("X", [COLUMNS, TABLE], ids=["numbers", "kinds"])
def test_salt_and_pepper_need_ends(X):
    with pytest.raises(InvalidParameter, match=r"values within \[0, 1\].*Try: use"):
        corrupted("salt_pepper", 0.1, X)
