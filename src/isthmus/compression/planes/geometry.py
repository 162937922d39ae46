"""The planes of an array: which values are neighbours, and in which order they are coded.

An array is divided into planes of height x width. Each plane is coded in diagonals: the values
with the same x + 2 y do not depend on each other, and those to the left, above, and above to the
right of a value are known before it. The channels of a picture are coded one after the other, so
that all of an earlier channel is known. In a stack, the slice before is known, too.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from isthmus.compression.coders.block import Layout

    Integers = NDArray[np.int64]

ABOVE, LEFT, RIGHT, BELOW = 2, 3, 2, 1
"""The margins of a padded plane, as far as its neighbours reach."""
MOST_CHANNELS = 4
TILE = 1 << 20
"""About the most values of planes that are coded together."""
_LEAST_HEIGHT, _LEAST_WIDTH = 4, 3
_MOST_WIDTH = 1 << 17

Offset = tuple[int, int]
"""Rows down and columns to the right."""


@dataclass(frozen=True)
class Grid:
    """An array as groups of planes.

    Parameters
    ----------
    groups, height, width, channels : int
        Each group consists of one plane for each channel.
    stacked : bool
        Whether a plane is predicted from that of the group before.
    """

    groups: int
    height: int
    width: int
    channels: int
    stacked: bool = False

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Groups, height, width, channels."""
        return self.groups, self.height, self.width, self.channels

    @property
    def worthwhile(self) -> bool:
        """Whether planes are large enough to have neighbours, and narrow enough for memory."""
        wide = _LEAST_WIDTH <= self.width <= _MOST_WIDTH
        return wide and self.height >= _LEAST_HEIGHT

    def tiles(self) -> Iterator[tuple[slice, slice]]:
        """Yield the groups and rows of planes that are coded together."""
        together = 1 if self.stacked else max(1, TILE // (self.height * self.width))
        rows = min(self.height, max(_LEAST_HEIGHT, TILE // self.width))
        for group in range(0, self.groups, together):
            for row in range(0, self.height, rows):
                yield slice(group, group + together), slice(row, row + rows)


def grid_of(rows: int, layout: Layout, *, stacked: bool) -> Grid:
    """Return the grid of a block of rows: the last two axes, of which channels do not count."""
    shape = (rows, *layout.sample_shape)
    channels = shape[-1] if len(shape) > 2 and shape[-1] <= MOST_CHANNELS else 1
    if channels > 1:
        shape = shape[:-1]
    *outer, height, width = shape if len(shape) > 1 else (*shape, 1)
    return Grid(math.prod(outer), height, width, channels, stacked and math.prod(outer) > 1)


@dataclass(frozen=True)
class Frame:
    """The positions of planes in a padded, flat array.

    Parameters
    ----------
    planes, height, width : int
        How many planes are coded together, and their size.
    """

    planes: int
    height: int
    width: int

    @property
    def padded_shape(self) -> tuple[int, int, int]:
        """The shape with margins."""
        return self.planes, ABOVE + self.height + BELOW, LEFT + self.width + RIGHT

    @functools.lru_cache(maxsize=64)  # noqa: B019 - frames are few and small
    def steps(self, offsets: tuple[Offset, ...]) -> Integers:
        """Return how far away in the flat array the neighbours at these offsets are."""
        down, right = np.array(offsets).T
        found: Integers = (down * self.padded_shape[2] + right)[:, None]
        return found

    def inner(self, padded: NDArray[Any], offset: Offset = (0, 0)) -> NDArray[Any]:
        """Return a view of the neighbours at an offset, (..., planes, height, width)."""
        top, left = ABOVE + offset[0], LEFT + offset[1]
        return padded[..., top : top + self.height, left : left + self.width]

    def with_zeros(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return values, (..., planes, height, width), with margins of zeros."""
        outer = values.shape[:-3]
        found = np.zeros((*outer, *self.padded_shape), dtype=values.dtype)
        self.inner(found)[:] = values
        return found

    def diagonals(self) -> list[Integers]:
        """Return the flat positions of all values, by diagonal, in the order of coding."""
        _, rows, columns = self.padded_shape
        y, x = np.arange(self.height)[:, None], np.arange(self.width)
        place = (ABOVE + y) * columns + LEFT + x
        plane = np.arange(self.planes)[:, None, None] * (rows * columns)
        number = np.broadcast_to(x + 2 * y, (self.planes, self.height, self.width)).ravel()
        order = np.argsort(number, kind="stable")
        counts = np.bincount(number)
        return np.split((plane + place).ravel()[order], np.cumsum(counts)[:-1])

    def without_margins(self, places: Integers) -> Integers:
        """Return flat positions in an array without margins, given those in one with margins."""
        _, rows, columns = self.padded_shape
        plane, place = np.divmod(places, rows * columns)
        y, x = np.divmod(place, columns)
        return (plane * self.height + y - ABOVE) * self.width + x - LEFT

    def padded(self, values: Integers, outside: int) -> Integers:
        """Return planes with margins: `outside` above, and the nearest known value elsewhere."""
        found = np.full(self.padded_shape, outside, dtype=np.int64)
        self.inner(found)[:] = values
        found[:, ABOVE + 1 : ABOVE + self.height, :LEFT] = values[:, :-1, :1]
        found[:, ABOVE : ABOVE + self.height, LEFT + self.width :] = values[:, :, -1:]
        found[:, ABOVE + self.height :] = found[:, ABOVE + self.height - 1, None]
        return found

    def fill_margins(self, flat: Integers, places: Integers) -> None:
        """Set the margins that values at these places determine, as `padded` does."""
        columns = self.padded_shape[2]
        x = places % columns - LEFT
        first = places[x == 0]
        for column in range(LEFT):
            flat[first + columns - LEFT + column] = flat[first]
        last = places[x == self.width - 1]
        for column in range(RIGHT):
            flat[last + 1 + column] = flat[last]
