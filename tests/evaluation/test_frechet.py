import keras
import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.ndimage import gaussian_filter

import isthmus as ist
from isthmus.core.errors import InvalidData, InvalidParameter

RNG = np.random.default_rng(0)


def flat(samples):
    return samples.reshape(len(samples), -1)


def test_it_is_the_formula():
    a = RNG.normal(size=(60, 4)) @ RNG.normal(size=(4, 4))
    b = RNG.normal(size=(50, 4)) + 0.5
    c, d = (np.cov(each, rowvar=False) for each in (a, b))
    expected = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    expected += np.trace(c + d - 2 * sqrtm(c @ d).real)
    np.testing.assert_allclose(ist.frechet_distance(a, b, flat), expected, rtol=1e-4)
    np.testing.assert_allclose(ist.frechet_distance(b, a, flat), expected, rtol=1e-4)
    assert ist.frechet_distance(a, a, flat) < 1e-6


def test_one_feature_is_enough():
    a, b = np.array([[-1.0], [1], [-1], [1]]), np.full((4, 1), 3.0)
    np.testing.assert_allclose(ist.frechet_distance(a, b, flat), 9 + 4 / 3)


@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "colour"])
def test_worse_images_are_further_away(channels):
    shape = (200, 12, 12, *channels)
    smooth = gaussian_filter(RNG.normal(size=shape), (0, 2, 2, 0)[: len(shape)])
    real, own = smooth[:100], smooth[100:]
    among = ist.frechet_distance(real, own)
    for worse in (
        [own + scale * smooth.std() * RNG.normal(size=own.shape) for scale in (0.5, 1.5)],
        [gaussian_filter(own, (0, s, s, 0)[: len(shape)]) for s in (1, 3)],
        [own[:each].repeat(100 // each, axis=0) for each in (20, 2)],
        [own + scale * smooth.std() for scale in (0.5, 1.5)],
    ):
        little, much = (ist.frechet_distance(real, each) for each in worse)
        assert among < little < much


def test_units_do_not_matter():
    images = RNG.random((60, 8, 8))
    fractions = ist.frechet_distance(images[:30], images[30:])
    in_bytes = ist.frechet_distance(255 * images[:30], 255 * images[30:])
    np.testing.assert_allclose(in_bytes, fractions, rtol=1e-3)


def test_features_of_a_keras_model():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    a, b = RNG.normal(size=(2, 30, 6)).astype(np.float32)
    weights = model.get_weights()
    expected = ist.frechet_distance(a, b, lambda rows: rows @ weights[0] + weights[1])
    np.testing.assert_allclose(ist.frechet_distance(a, b, model), expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("real", "made", "features", "error", "message"),
    [
        (np.zeros((3, 4, 4)), np.zeros((3, 4, 5)), None, InvalidData, "shape of `real`"),
        (np.zeros((1, 4, 4)), np.zeros((3, 4, 4)), None, InvalidData, "two or more"),
        (np.zeros((3, 4)), np.full((3, 4), np.nan), flat, InvalidData, "finite"),
        (np.zeros((3, 4)), np.zeros((3, 4)), None, InvalidParameter, "not images"),
        (np.zeros((3, 4)), np.zeros((3, 4)), np.sum, InvalidParameter, "one row"),
        (np.zeros((3, 4)), np.zeros((3, 4)), lambda x: x / 0, InvalidData, "features"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*encountered in divide")
def test_what_cannot_be_compared(real, made, features, error, message):
    with pytest.raises(error, match=message):
        ist.frechet_distance(real, made, features)
