"""The regions of an anomaly map."""

import numpy as np

from isthmus.anomaly.picture_regions import Region, regions

CALIBRATION = np.arange(1.0, 20.0)


def test_connected_pixels_are_one_region():
    shown = np.zeros((9, 9))
    shown[1:3, 1:3] = 5
    shown[3, 3] = 6  # touches at a corner
    shown[7, 6:8] = [30, 4]
    shown[0, 8] = np.nan
    found = regions(shown, 3.0, CALIBRATION)
    assert found == (
        Region(7, 6, 8, 8, 2, (7, 6), 30.0, 1 / 20),
        Region(1, 1, 4, 4, 5, (3, 3), 6.0, 15 / 20),
    )
    assert str(found[1]).startswith("rows 1 to 3, columns 1 to 3, 5 pixels")


def test_there_may_be_none():
    assert regions(np.zeros((3, 3)), 1.0, CALIBRATION) == ()
    assert regions(np.full((3, 3), np.nan), 1.0, CALIBRATION) == ()
