"""Pictures hold the very pixels they were given."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from isthmus.report.image_data import LARGEST, data_uri, heat_uri, mosaic


def opened(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


@pytest.mark.parametrize(
    ("shape", "mode"),
    [((5, 7), "L"), ((5, 7, 1), "L"), ((5, 7, 2), "L"), ((5, 7, 3), "RGB"), ((5, 7, 4), "RGBA")],
)
def test_small_images_are_exact(shape, mode):
    image = np.random.default_rng(0).integers(0, 256, shape)
    picture = opened(data_uri((image / 255).astype(np.float32)))
    assert (picture.mode, picture.size) == (mode, (7, 5))
    expected = image.mean(axis=2) if shape[2:] in ((1,), (2,)) else image
    assert np.abs(np.asarray(picture) - expected).max() <= 0.5


def test_values_outside_the_range_and_gaps_are_shown():
    picture = np.asarray(opened(data_uri(np.array([[-1.0, 2.0, np.nan]], np.float32))))
    assert picture.tolist() == [[0, 255, 128]]


def test_large_images_are_shrunk_unless_they_must_be_exact():
    image = np.zeros((300, 200, 3), np.float32)
    assert opened(data_uri(image)).size == (round(200 * LARGEST / 300), LARGEST)
    assert opened(data_uri(image, exact=True)).size == (200, 300)


def test_heat_grows_brighter():
    picture = np.asarray(opened(heat_uri(np.array([[0.0, 0.5, 1.0]], np.float32), 1.0)))
    assert (np.diff(picture.sum(axis=2)[0].astype(int)) > 0).all()
    opened(heat_uri(np.zeros((2, 2), np.float32), 0.0))


def test_a_mosaic_is_filled_row_by_row():
    images = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((4, 2, 3), np.float32)
    joined = mosaic(images, 2)
    assert joined.shape == (4, 6)
    assert joined[::2, ::3].tolist() == [[0, 1], [2, 3]]
