import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.core.errors import InvalidParameter
from isthmus.data.hidden_pixels import hidden_pixels
from isthmus.data.schema import infer_schema

KEY = jax.random.key(0)
BOX = 3


def hidden(X, key=KEY, *, series=False):
    """Return the matrix, the inputs with hidden cells, and which cells are hidden."""
    schema = infer_schema(X, series=series, scale="none")
    matrix = schema.to_matrix(X)
    inputs, counted, target = hidden_pixels(schema, series=series)(key, matrix)
    assert target is None
    assert inputs.shape == counted.shape == matrix.shape
    assert inputs.dtype == counted.dtype == np.float32
    return matrix, np.asarray(inputs), np.asarray(counted) == 1


def numbered(n, *shape):
    """Pictures whose cells all differ, so that each value tells where it is from."""
    return np.arange(n * np.prod(shape), dtype=np.float32).reshape(n, *shape)


@settings(max_examples=8, deadline=None)
@given(st.integers(4, 13), st.integers(4, 13), st.sampled_from([None, 1, 3]), st.integers(0, 9))
def test_a_hidden_pixel_has_the_value_of_a_neighbour(height, width, channels, seed):
    shape = (height, width) if channels is None else (height, width, channels)
    clean, inputs, where = hidden(numbered(20, *shape), jax.random.key(seed))
    np.testing.assert_array_equal(inputs[~where], clean[~where])
    assert where.any()
    pixels = where.reshape(20, height, width, -1)
    assert (pixels == pixels[..., :1]).all()  # all channels of a pixel
    source = inputs[where].astype(int)
    own, found = (np.unravel_index(cells, clean.shape) for cells in (np.flatnonzero(where), source))
    distance = [np.abs(a - b) for a, b in zip(own, found, strict=True)]
    assert not distance[0].any()
    assert not any(each.any() for each in distance[3:])
    assert max(distance[1].max(), distance[2].max()) <= 2
    assert (distance[1] + distance[2] > 0).all()


@pytest.mark.parametrize("shape", [(15, 12), (15, 12, 3)])
def test_every_pixel_is_hidden_as_often_and_one_in_each_box(shape):
    _, _, where = hidden(numbered(3_000, *shape))
    pixels = where.reshape(3_000, 15, 12, -1)[..., 0]
    share = pixels.mean(axis=0)
    boxes = pixels.reshape(3_000, 15 // BOX, BOX, 12 // BOX, BOX).sum(axis=(2, 4))
    np.testing.assert_array_equal(boxes, 1)
    np.testing.assert_allclose(share, 1 / BOX**2, atol=5 * np.sqrt(1 / BOX**2 / 3_000))


def test_it_is_keyed():
    X = numbered(5, 8, 8)
    np.testing.assert_array_equal(hidden(X)[1], hidden(X)[1])
    assert (hidden(X)[2] != hidden(X, jax.random.key(1))[2]).any()


def test_the_neighbours_of_a_time_step_are_in_time():
    clean, inputs, where = hidden(numbered(40, 64, 2), series=True)
    assert (where == where[..., :1]).all()
    np.testing.assert_array_equal(where[..., 0].reshape(40, 4, 16).sum(axis=2), 1)
    steps = np.abs(inputs - clean)[where] / 2
    assert set(np.unique(steps)) == {1, 2}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((9,), "rows of 9 numbers, which have no neighbours.*reshape"),
        ((8, 3), r"at least 4 .*shape \(8, 3\)"),
    ],
)
def test_samples_without_neighbours_are_refused(shape, message):
    with pytest.raises(InvalidParameter, match=message):
        hidden(numbered(5, *shape))
