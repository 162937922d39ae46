"""The grid of points on a picture, and the patches around them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.anomaly.picture_grid import SIZES, PictureGrid, halved, is_picture_shape

SIDES = st.integers(8, 40)


@given(height=SIDES, width=SIDES, bands=st.integers(1, 3))
def test_there_is_a_patch_of_each_size_at_each_point(height, width, bands):
    grid = PictureGrid.of((height, width, bands))
    pictures = np.random.default_rng(0).normal(size=(2, height, width, bands))
    for size in grid.sizes:
        patches = grid.patches(pictures, size)
        assert patches.shape == (2, *grid.shape, size.side**2 * bands)
    assert grid.to_pixels(np.zeros((2, *grid.shape))).shape == (2, height, width)


@pytest.mark.parametrize("size", SIZES)
def test_a_patch_is_around_its_point(size):
    grid = PictureGrid.of((64, 64))
    picture = np.zeros((1, 64, 64, 1))
    picture[0, 32:34, 32:34] = 1
    lit = grid.patches(picture, size).max(axis=3)[0]
    row, column = np.argwhere(lit > 0).mean(axis=0)
    assert abs(row - 16) <= 0.5
    assert abs(column - 16) <= 0.5


def test_patches_at_the_edge_are_inside_the_picture():
    picture = np.arange(16.0 * 16).reshape(1, 16, 16, 1)
    patches = PictureGrid.of((16, 16)).patches(picture, SIZES[0])
    np.testing.assert_array_equal(patches[0, 0, 0].reshape(4, 4), picture[0, :4, :4, 0])
    np.testing.assert_array_equal(patches[0, -1, -1].reshape(4, 4), picture[0, -4:, -4:, 0])


def test_large_pictures_have_no_more_points():
    assert PictureGrid.of((512, 300, 3)).shape == (128, 75)
    assert PictureGrid.of((64, 64)).shape == (32, 32)
    assert PictureGrid.of((64, 64)).stride == 2


def test_small_pictures_have_no_large_patches():
    assert PictureGrid.of((8, 30)).sizes == SIZES[:2]
    assert PictureGrid.of((64, 64, 3)).sizes == SIZES


def test_share_of_a_mask():
    grid = PictureGrid.of((9, 9))
    mask = np.zeros((1, 9, 9), dtype=bool)
    mask[0, 2, 2] = True
    share = grid.share_of(mask)
    assert share.shape == (1, 5, 5)
    assert share[0, 1, 1] == 0.25
    assert share.sum() == 0.25


@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_halved_keeps_a_constant(height, width):
    small = halved(np.full((1, height, width, 2), 3.0, dtype=np.float32))
    assert small.shape == (1, -(-height // 2), -(-width // 2), 2)
    assert (small == 3).all()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((8, 8), True), ((7, 8), False), ((8, 8, 32), True), ((8, 8, 33), False), ((64,), False)],
)
def test_picture_shapes(shape, expected):
    assert is_picture_shape(shape) is expected
