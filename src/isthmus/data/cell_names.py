"""Names of the cells of a sample, for tables, messages and reports."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANNELS = {
    2: ("grey", "alpha"),
    3: ("red", "green", "blue"),
    4: ("red", "green", "blue", "alpha"),
}


def cell_names(shape: tuple[int, ...], *, colours: bool = False) -> tuple[str, ...]:
    """Return the names of a sample's cells in C order.

    Parameters
    ----------
    shape : tuple of int
        The shape of a sample.
    colours : bool
        Whether two to four channels are those of an image, whose names are colours.

    Returns
    -------
    tuple of str
        ``"x5"`` in a sample of one dimension, ``"row 3 column 17"`` in one of two, and ``"row 3
        column 17 red"`` or ``"row 3 column 17 channel 0"`` in one of three. In a volume, of four
        dimensions, ``"plane 2"`` comes before.
    """
    if len(shape) == 1:
        return tuple(f"x{i}" for i in range(shape[0]))
    if len(shape) == 4:
        names = cell_names(shape[1:])
        return tuple(f"plane {i} {name}" for i in range(shape[0]) for name in names)
    places = [f"row {i} column {j}" for i in range(shape[0]) for j in range(shape[1])]
    if len(shape) == 2 or shape[2:] == (1,):
        return tuple(places)
    numbered = tuple(f"channel {i}" for i in range(shape[2]))
    channels = _CHANNELS.get(shape[2], numbered) if colours else numbered
    return tuple(f"{place} {name}" for place, name in itertools.product(places, channels))


def cell_places(shape: tuple[int, ...]) -> dict[str, NDArray[np.intp]]:
    """Return where the cells of a sample are, in C order and counted from 0.

    Parameters
    ----------
    shape : tuple of int
        The shape of a sample of two to four dimensions.

    Returns
    -------
    dict of str to ndarray of shape (cells,)
        ``"pixel_row"``, ``"pixel_column"`` and, with three dimensions, ``"channel"``; in a volume,
        ``"plane"`` comes first.
    """
    names = (*(("plane",) if len(shape) == 4 else ()), "pixel_row", "pixel_column", "channel")
    places = np.unravel_index(np.arange(math.prod(shape)), shape)
    return dict(zip(names, places, strict=False))
