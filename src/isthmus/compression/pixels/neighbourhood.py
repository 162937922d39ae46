"""The neighbours from which a pixel is predicted, and the order in which pixels are decoded.

A pixel's neighbours are those above it and to its left. Each row is decoded a few columns behind
the row above, so that the neighbours above and to the right are known. All pixels of one diagonal
front are then decoded at once. Large images take about (width + lag x height) steps instead of
width x height, where the lag is the number of columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_BLOCK = 4096
"""Pixels whose probabilities are computed at once: the network's activations for them stay in the
processor's cache."""
_MIDDLE = 128
"""Represents 0 in inputs and symbols that are differences."""


@dataclass(frozen=True)
class Neighbourhood:
    """The geometry of images of one shape.

    Parameters
    ----------
    height, width, channels : int
        The size of an image, at least 1 each.
    reach : int
        Neighbours are the pixels within this squared distance, at least 2.
    centred : bool
        Whether inputs and symbols are differences from an expected value, which suits photographs.
        Otherwise they are the values themselves, which suits drawings.
    """

    height: int
    width: int
    channels: int
    reach: int
    centred: bool = False

    @cached_property
    def offsets(self) -> list[tuple[int, int]]:
        """Rows and columns of the neighbours, relative to the pixel."""
        far = self.margin
        return [
            (row, column)
            for row in range(-far, 1)
            for column in range(-far, far + 1)
            if (row < 0 or column < 0) and row * row + column * column <= self.reach
        ]

    @cached_property
    def margin(self) -> int:
        """The largest distance of a neighbour in rows or columns."""
        return int(self.reach**0.5)

    def inputs(self, channel: int) -> int:
        """Return the number of values from which a pixel's channel is predicted."""
        return len(self.offsets) * self.channels + channel

    def shifts(self, channel: int) -> NDArray[np.intp]:
        """Return the neighbours' cells relative to the pixel's own: shape (inputs,)."""
        near = [
            (row * self.stride + column) * self.channels + other - channel
            for row, column in self.offsets
            for other in range(self.channels)
        ]
        return np.array([*near, *range(-channel, 0)], np.intp)

    @property
    def stride(self) -> int:
        """Width of a canvas, in pixels."""
        return self.width + 2 * self.margin

    @property
    def canvas_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image with its margin of zeros."""
        return self.height + self.margin, self.stride, self.channels

    def inside(self, canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the images on a canvas of shape (*canvas_shape, n): a view."""
        return canvas[self.margin :, self.margin : self.margin + self.width]

    def cells(self, rows: Any, columns: Any) -> Any:
        """Return the numbers of the pixels' first channels in a flat canvas, as NumPy or JAX."""
        pixels = (rows + self.margin) * self.stride + columns + self.margin
        return pixels * self.channels

    def look(
        self, canvas: NDArray[np.uint8], block: PixelBlock
    ) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
        """Return a block's cells (pixels,), inputs (inputs, pixels x images) and offsets.

        Parameters
        ----------
        canvas : ndarray of uint8, shape (cells, n)
        block : PixelBlock

        Returns
        -------
        cells : ndarray of shape (pixels,)
            Rows of the canvas.
        inputs : ndarray of float32, shape (inputs, pixels x images)
        offsets : ndarray of intp, shape (pixels x images,)
            Added to values, modulo 256, to give symbols.
        """
        cells = self.cells(block.rows, block.columns) + block.channel
        shifts = self.shifts(block.channel)
        values = canvas[shifts[:, None] + cells, block.images].reshape(len(shifts), -1)
        inputs, offsets = self.frame(values.astype(np.float32), block.channel, np)
        return cells, inputs, offsets.astype(np.intp)

    def frame(self, values: Any, channel: int, xp: Any) -> tuple[Any, Any]:
        """Return inputs and offsets from the neighbours' values.

        The expected value is the median of left, above, and left + above - above left (Weinberger,
        Seroussi and Sapiro, 2000, "The LOCO-I lossless image compression algorithm"), plus the
        difference of the previous channel from its own median.

        Parameters
        ----------
        values : array of float32, shape (inputs, m)
            Whole numbers, for which float32 arithmetic is exact.
        channel : int
        xp : module
            ``numpy`` or ``jax.numpy``.

        Returns
        -------
        inputs : array of float32, shape (inputs, m)
        offsets : array of float32, shape (m,)
        """
        count = values.shape[1]
        if not self.centred:
            return values, xp.zeros(count, np.float32)
        near = values[: len(values) - channel].reshape(-1, self.channels, count)
        left, above, corner = (
            near[self.offsets.index(place)] for place in ((0, -1), (-1, 0), (-1, -1))
        )
        low, high = xp.minimum(left, above), xp.maximum(left, above)
        median = xp.clip(left + above - corner, low, high)
        before = values[len(values) - channel :] - median[:channel]
        inputs = xp.concatenate([(near - median).reshape(-1, count), before])
        expected = median[channel]
        if channel:
            expected = xp.clip(expected + before[-1], 0, 255)
        return xp.clip(inputs + _MIDDLE, 0, 255), _MIDDLE - expected

    def fronts(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield rows and columns of the pixels that can be decoded together, front by front."""
        slope = max((column // -row + 1 for row, column in self.offsets if row), default=1)
        for front in range(self.width + slope * (self.height - 1)):
            first = max(0, -((self.width - 1 - front) // slope))
            rows = np.arange(first, min(self.height - 1, front // slope) + 1)
            yield rows, front - slope * rows

    def blocks(self, count: int) -> Iterator[PixelBlock]:
        """Yield the blocks that are decoded at once for `count` images, in order.

        The order is part of the format of a stream.
        """
        images = -(-count // max(1, -(-count // _BLOCK)))
        pixels = max(1, _BLOCK // max(1, count))
        for rows, columns in self.fronts():
            for channel in range(self.channels):
                for first in range(0, len(rows), pixels):
                    part = slice(first, first + pixels)
                    for begin in range(0, count, max(1, images)):
                        end = min(begin + images, count)
                        yield PixelBlock(rows[part], columns[part], channel, slice(begin, end))


@dataclass(frozen=True)
class PixelBlock:
    """One channel of some pixels of some images, flattened in the order (pixels, images)."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    channel: int
    images: slice
