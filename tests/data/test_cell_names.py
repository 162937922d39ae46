"""Names of cells of images and of other samples."""

import math

import numpy as np
import pytest

from isthmus.data.cell_names import cell_names, cell_places


@pytest.mark.parametrize("shape", [(7,), (3, 4), (3, 4, 1), (3, 4, 3), (2, 2, 16)])
@pytest.mark.parametrize("colours", [True, False])
def test_every_cell_has_a_name_of_its_own(shape, colours):
    names = cell_names(shape, colours=colours)
    assert len(set(names)) == len(names) == math.prod(shape)
    assert not any("," in name for name in names)  # they are listed with commas


def test_names_say_where_a_cell_is():
    assert cell_names((3,)) == ("x0", "x1", "x2")
    assert cell_names((2, 3))[4] == "row 1 column 1"
    assert cell_names((2, 2, 3), colours=True)[4] == "row 0 column 1 green"
    assert cell_names((2, 2, 3))[4] == "row 0 column 1 channel 1"
    assert cell_names((1, 1, 5), colours=True)[4] == "row 0 column 0 channel 4"


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2)])
def test_places_are_those_of_the_flattened_sample(shape):
    places = cell_places(shape)
    assert list(places) == ["pixel_row", "pixel_column", "channel"][: len(shape)]
    sample = np.arange(math.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(sample[tuple(places.values())], sample.ravel())
