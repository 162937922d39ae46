"""The anomalous regions of a picture: connected pixels of its map above a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import find_objects, label

from isthmus.anomaly import conformal

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEIGHBOURS = np.ones((3, 3), dtype=np.int64)


@dataclass(frozen=True)
class Region:
    """A region of a picture that raises an alarm.

    Parameters
    ----------
    top, left, bottom, right : int
        Its bounding box, in pixels; `bottom` and `right` are the first ones outside.
    area : int
        Number of pixels.
    peak : (int, int)
        Row and column of the highest value of the map.
    score : float
        That value.
    p_value : float
        At most alpha with probability at most alpha for *any* region of a normal picture: it is the
        p-value of a picture with this score.
    """

    top: int
    left: int
    bottom: int
    right: int
    area: int
    peak: tuple[int, int]
    score: float
    p_value: float

    def __str__(self) -> str:
        return (
            f"rows {self.top} to {self.bottom - 1}, columns {self.left} to {self.right - 1}, "
            f"{self.area} pixels, score {self.score:.3g} at {self.peak}, p = {self.p_value:.2g}"
        )


def regions(
    anomaly_map: NDArray[np.float64], threshold: float, calibration: NDArray[np.float64]
) -> tuple[Region, ...]:
    """Return the regions of one map, (h, w), above a threshold, the highest first.

    Pixels that touch at a corner are connected; NaN is in no region.
    """
    known = np.nan_to_num(anomaly_map, nan=-np.inf)
    numbered, _ = label(known > threshold, structure=_NEIGHBOURS)
    found = []
    for number, box in enumerate(find_objects(numbered), start=1):
        inside = numbered[box] == number
        values = np.where(inside, known[box], -np.inf)
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        top, left = box[0].start, box[1].start
        score = float(values.max())
        p_value = float(conformal.p_values(np.array([score]), calibration)[0])
        peak = (int(row) + top, int(column) + left)
        area = int(inside.sum())
        found.append(Region(top, left, box[0].stop, box[1].stop, area, peak, score, p_value))
    return tuple(sorted(found, key=lambda region: -region.score))
