"""The grid of points on a picture at which its patches are compared.

Patches of all sizes are centred on the same points, so that what is measured on one size can be
compared with what is measured on another. The larger patches are taken from the picture at half its
resolution, as in an image pyramid (Burt and Adelson, 1983). Near the edge of a picture, the nearest
patch inside it is taken: a mirrored picture would show a defect at its edge twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_FINEST = 2
"""Pixels between two points of a small picture."""
_MOST_POINTS = 128
"""Along a side; the points of larger pictures are further apart."""
_MOST_CELLS = 3072
"""Of a patch: its covariance must be computed. Pictures of many bands have no larger patches."""

_SMALLEST_SIDE = 8
_MOST_BANDS = 32


class PatchSize(NamedTuple):
    """The size of a patch, and the resolution at which it is taken."""

    side: int
    """Pixels along a side, at that resolution."""
    reduction: int
    """The number of pixels of the picture along the side of one of these."""

    @property
    def extent(self) -> int:
        """Pixels of the picture along a side."""
        return self.side * self.reduction


SIZES = (PatchSize(4, 1), PatchSize(8, 1), PatchSize(8, 2))


@dataclass(frozen=True)
class PictureGrid:
    """The points of a grid on pictures of one shape.

    Parameters
    ----------
    height, width, bands : int
        Shape of a picture.
    stride : int
        Pixels between two points, even.
    """

    height: int
    width: int
    bands: int
    stride: int

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Self:
        """Return the grid for pictures of a shape, (h, w) or (h, w, bands)."""
        height, width = shape[:2]
        stride = _FINEST
        while max(height, width) > stride * _MOST_POINTS:
            stride *= 2
        return cls(height, width, shape[2] if len(shape) > 2 else 1, stride)

    @property
    def image(self) -> tuple[int, int]:
        """Height and width of a picture."""
        return self.height, self.width

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of points."""
        return -(-self.height // self.stride), -(-self.width // self.stride)

    @property
    def sizes(self) -> tuple[PatchSize, ...]:
        """The sizes of patches that fit into a picture and are not too large to learn from."""
        side = min(self.height, self.width)
        fitting = [
            size
            for size in SIZES
            if size.extent <= side and size.side**2 * self.bands <= _MOST_CELLS
        ]
        return tuple(fitting) or SIZES[:1]

    def patches(self, pictures: Floats, size: PatchSize) -> Floats:
        """Return the patch around each point, or the nearest inside the picture, flattened.

        Parameters
        ----------
        pictures : array of shape (n, h, w, bands)
        size : PatchSize
            One of `sizes`.

        Returns
        -------
        array of shape (n, rows, columns, cells)
        """
        reduced = pictures if size.reduction == 1 else halved(pictures)
        windows = np.lib.stride_tricks.sliding_window_view(
            reduced, (size.side, size.side), axis=(1, 2)
        )
        rows, columns = self.starts(size)
        chosen = windows[:, rows[:, None], columns]
        return chosen.reshape(len(pictures), *self.shape, -1)

    def starts(self, size: PatchSize) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows and the columns in which patches begin, at their resolution."""
        rows, columns = (
            self._starts(count, -(-side // size.reduction) - size.side + 1, size)
            for count, side in zip(self.shape, self.image, strict=True)
        )
        return rows, columns

    def _starts(self, count: int, windows: int, size: PatchSize) -> NDArray[np.intp]:
        """Return where the patches around points along a side begin, all inside the picture."""
        points = (np.arange(count) * self.stride + self.stride // 2) // size.reduction
        return np.clip(points - size.side // 2, 0, windows - 1)

    def to_pixels(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return values of points, (n, rows, columns), as values of the pixels around them."""
        wide = np.repeat(np.repeat(values, self.stride, axis=1), self.stride, axis=2)
        return wide[:, : self.height, : self.width]

    def share_of(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the share of the pixels around each point that a mask marks.

        Parameters
        ----------
        mask : array of bool, shape (n, h, w)
        """
        rows, columns = self.shape
        below, right = rows * self.stride - self.height, columns * self.stride - self.width
        padded = np.pad(mask, ((0, 0), (0, below), (0, right)), mode="edge")
        blocks = padded.reshape(len(mask), rows, self.stride, columns, self.stride)
        share: NDArray[np.float64] = blocks.mean(axis=(2, 4))
        return share


def is_picture_shape(shape: tuple[int, ...]) -> bool:
    """Return whether samples of a shape are pictures: (h, w) or (h, w, bands), not too small.

    Smaller ones, and those of very many bands, have too few or too large patches.
    """
    if len(shape) not in (2, 3) or min(shape[:2]) < _SMALLEST_SIDE:
        return False
    return len(shape) == 2 or shape[2] <= _MOST_BANDS


def halved(pictures: Floats) -> Floats:
    """Return pictures at half their resolution; an odd last row or column counts twice."""
    _, height, width, _ = pictures.shape
    even = np.pad(pictures, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    quarters = even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    reduced: Floats = quarters * np.float32(0.25)
    return reduced
