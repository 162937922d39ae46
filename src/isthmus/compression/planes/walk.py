"""The planes of an array in the order of coding, with what is known before each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isthmus.compression.planes.geometry import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from isthmus.compression.planes.geometry import Grid

    Integers = NDArray[np.int64]
    Errors = NDArray[np.float32]

_FEWEST_ROWS = 16
_BANDS = 4


@dataclass(frozen=True)
class Visit:
    """Planes that are coded together.

    Parameters
    ----------
    groups, rows : slice
    channel : int
        The planes are ``cube[groups, rows, :, channel]``.
    frame : Frame
    known : list of int64 arrays of shape `frame.padded_shape`
        Planes that are known before.
    known_errors : list of float32 arrays of the same shape
        The sizes of the errors of their predictions.
    """

    groups: slice
    rows: slice
    channel: int
    frame: Frame
    known: list[Integers]
    known_errors: list[Errors]


class Walk:
    """Visits all planes of an array.

    Parameters
    ----------
    cube : int64 array of shape `grid.shape`
        The array. A decoder fills in the planes that it visits.
    grid : Grid
    outside : int
        The value outside the array.
    """

    def __init__(self, cube: Integers, grid: Grid, outside: int) -> None:
        self._cube, self._grid, self._outside = cube, grid, outside
        self._errors: dict[tuple[int, int], Errors] = {}

    def __iter__(self) -> Iterator[Visit]:
        for groups, rows in self._grid.tiles():
            frame = Frame(*self._cube[groups, rows, :, 0].shape)
            for channel in range(self._grid.channels):
                before = self._before(groups, rows, channel)
                known = [self._cube[groups, rows, :, each] for each in range(channel)] + before
                errors = [self._errors[rows.start, each] for each in range(channel)]
                if before:
                    empty = np.zeros(frame.padded_shape, dtype=np.float32)
                    errors.append(self._errors.get((rows.start, channel), empty))
                padded = [frame.padded(each, self._outside) for each in known]
                yield Visit(groups, rows, channel, frame, padded, errors)

    def keep(self, visit: Visit, errors: Errors) -> None:
        """Keep the sizes of the errors in the planes of a visit, with margins of zeros."""
        self._errors[visit.rows.start, visit.channel] = errors

    def _before(self, groups: slice, rows: slice, channel: int) -> list[Integers]:
        """Return the planes of the group before; none if the grid is not stacked."""
        if not self._grid.stacked:
            return []
        if groups.start:
            return [self._cube[groups.start - 1 : groups.stop - 1, rows, :, channel]]
        return [np.zeros_like(self._cube[groups, rows, :, channel])]


def excerpt(
    cube: Integers, grid: Grid, cells: int, outside: int, channel: int
) -> tuple[Integers, Visit]:
    """Return about so many values of a channel, (planes, height, width), and their visit."""
    plane = grid.height * grid.width
    height = grid.height if plane <= cells else max(_FEWEST_ROWS, cells // (_BANDS * grid.width))
    height = min(height, grid.height)
    count = max(1, min(cells // (height * grid.width), grid.groups * grid.height // height))
    groups = np.linspace(0, grid.groups - 1, count).astype(int)
    # Multiples of the golden ratio lie evenly in an interval for any count.
    tops = (np.arange(count) * 2654435761 % 2**32 / 2**32 * (grid.height - height + 1)).astype(int)
    rows = tops[:, None] + np.arange(height)

    def part(of: Integers) -> Integers:
        return of[groups[:, None], rows, :]

    known = [part(cube[..., each]) for each in range(channel)]
    if grid.stacked:
        shifted = np.concatenate([np.zeros_like(cube[:1, ..., channel]), cube[:-1, ..., channel]])
        known.append(part(shifted))
    frame = Frame(count, height, grid.width)
    padded = [frame.padded(each, outside) for each in known]
    errors = [np.zeros(frame.padded_shape, dtype=np.float32)] * len(known)
    visit = Visit(slice(0, count), slice(0, height), channel, frame, padded, errors)
    return part(cube[..., channel]), visit
