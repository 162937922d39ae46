"""Images quantized to a few grey levels, which are coded without loss and refined by the decoder.

The last bits of a pixel are mostly noise, but edges matter. The levels preserve the edges and are
coded by a pixel network. The decoder estimates every pixel from the levels around it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.compression.lossy.arrays import (
    as_stored,
    checked_array,
    refuse_model,
    require_names,
    to_stored,
)
from isthmus.compression.pixels.model import PixelModel
from isthmus.persistence.prefixes import with_prefix, without_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from isthmus.compression.lossy.arrays import Arrays
    from isthmus.core.types import Floats

    Images = NDArray[np.uint8]

REACH = 3
"""A pixel is estimated from the levels up to this many rows and columns away."""
WINDOW = (2 * REACH + 1) ** 2
LAYERS = 3
_MOST_LEVELS, _MOST_FACTOR = 64, 4
_PIXELS, _WINDOWS = 2**20, 2**16
"""Pixels processed and refined at once, to limit working memory."""


@dataclass(frozen=True)
class LevelGrid:
    """A quantization of the grey levels and the resolution of images.

    Parameters
    ----------
    shape : tuple of int
        Height, width and channels of an image.
    levels : int
        The number of grey levels, from black to white in equal steps.
    factor : int
        The factor of downsampling: a pixel is the mean of this many rows and columns.
    """

    shape: tuple[int, int, int]
    levels: int
    factor: int

    def quantise(self, images: Images) -> Images:
        """Return the levels of images (n, *shape), as values from 0 to 255: (n, *coarse shape)."""
        height, width, channels = self.shape
        rows, columns = -height % self.factor, -width % self.factor
        padded = np.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")
        blocks = padded.reshape(
            len(images), -(-height // self.factor), self.factor, -1, self.factor, channels
        )
        # Integer arithmetic, for the same level on every machine.
        top, white = self.levels - 1, 255 * self.factor**2
        level = (2 * np.arange(white + 1) * top + white) // (2 * white)
        values = ((2 * level * 255 + top) // (2 * top)).astype(np.uint8)
        chosen: Images = values[blocks.sum((2, 4), dtype=np.uint16)]
        return chosen

    @property
    def outputs(self) -> int:
        """The number of values that are estimated for one pixel of the grid."""
        return self.factor**2 * self.shape[2]

    def split(self, images: NDArray[Any]) -> NDArray[Any]:
        """Return the values of each pixel of the grid, (n, rows, columns, outputs)."""
        height, width, channels = self.shape
        far = self.factor
        padded = np.pad(
            images, ((0, 0), (0, -height % far), (0, -width % far), (0, 0)), mode="edge"
        )
        blocks = padded.reshape(len(images), -(-height // far), far, -1, far, channels)
        blocks = blocks.transpose(0, 1, 3, 2, 4, 5)
        return blocks.reshape(*blocks.shape[:3], self.outputs)

    def join(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the images from the output of `split`."""
        height, width, channels = self.shape
        n, rows, columns, _ = values.shape
        blocks = values.reshape(n, rows, columns, self.factor, self.factor, channels)
        whole = blocks.transpose(0, 1, 3, 2, 4, 5)
        whole = whole.reshape(n, rows * self.factor, columns * self.factor, channels)
        return whole[:, :height, :width]


def windows(values: Images) -> NDArray[np.uint8]:
    """Return the surroundings of each pixel: a view (n, rows, columns, channels, side, side)."""
    padded = np.pad(values, ((0, 0), (REACH, REACH), (REACH, REACH), (0, 0)), mode="edge")
    side = 2 * REACH + 1
    return np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))


@dataclass(frozen=True)
class LevelRefiner:
    """Estimates the values of a pixel of the grid from the levels around it.

    Parameters
    ----------
    weights : dict of str to ndarray of float32
        ``kernel0`` (channels x 49, u), ``kernel1`` (u, v), ``kernel2`` (v, outputs), and
        ``bias0`` to ``bias2``. The output is added to the pixel's own level, in units of 255.
    flat : ndarray of float32, shape (256, outputs)
        The estimate for a pixel with a level whose surroundings all have the same level.
    """

    weights: dict[str, Floats]
    flat: Floats

    def __call__(self, values: Images) -> Floats:
        """Return estimates (n, rows, columns, outputs), from 0 to 255, given values of levels."""
        outputs = self.flat.shape[1]
        around = windows(values)
        same = around.min((3, 4, 5)) == around.max((3, 4, 5))
        estimates: Floats = self.flat[values[..., 0]]
        places = np.argwhere(~same)
        for first in range(0, len(places), _WINDOWS):
            part = tuple(places[first : first + _WINDOWS].T)
            busy = around[part].reshape(-1, values.shape[3] * WINDOW).astype(np.float32) / 255
            own = np.tile(busy[:, WINDOW // 2 :: WINDOW], outputs // values.shape[3])
            for i in range(LAYERS):
                busy = busy @ self.weights[f"kernel{i}"] + self.weights[f"bias{i}"]
                if i < LAYERS - 1:
                    np.maximum(busy, 0, out=busy)
            estimates[part] = (busy + own) * 255
        return estimates

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the refiner as arrays, for `from_arrays`."""
        return {**to_stored(self.weights), "flat": self.flat}

    @classmethod
    def from_arrays(cls, arrays: Arrays, grid: LevelGrid) -> Self:
        """Return the refiner that `to_arrays` described."""
        inputs: int | None = grid.shape[2] * WINDOW
        weights = {}
        for i in range(LAYERS):
            outputs = grid.outputs if i == LAYERS - 1 else None
            kernel = checked_array(arrays, f"kernel{i}", np.float16, (inputs, outputs))
            weights[f"kernel{i}"] = kernel
            inputs = kernel.shape[1]
            weights[f"bias{i}"] = checked_array(arrays, f"bias{i}", np.float32, (inputs,))
        flat = checked_array(arrays, "flat", np.float32, (256, grid.outputs))
        require_names(arrays, {*weights, "flat"})
        return cls(as_stored(weights), flat)


@dataclass(frozen=True)
class LevelsCoder:
    """Codes images on one or more grids, each an operating point.

    Parameters
    ----------
    grids : tuple of LevelGrid
        All for one image shape.
    models : tuple of PixelModel
        One for the images on each grid.
    refiners : tuple of LevelRefiner
    """

    grids: tuple[LevelGrid, ...]
    models: tuple[PixelModel, ...]
    refiners: tuple[LevelRefiner, ...]

    @property
    def points(self) -> int:
        """The number of operating points."""
        return len(self.grids)

    def codes(self, samples: NDArray[Any], point: int) -> Images:
        """Return the levels (n, rows, columns, channels) of samples (n, cells)."""
        grid = self.grids[point]
        return grid.quantise(samples.reshape(-1, *grid.shape))

    def size(self, codes: Images, point: int) -> float:
        """Return the size of what `pack` returns, in bytes."""
        return len(self.pack(codes, point))

    def pack(self, codes: Images, point: int) -> bytes:
        """Return levels as bytes."""
        return self.models[point].encode(codes)

    def unpack(self, packed: bytes, rows: int, point: int) -> Images:
        """Return the levels that were packed; raises InvalidArchive."""
        return self.models[point].decode(packed, rows)

    def rebuild(self, codes: Images, point: int) -> NDArray[np.float64]:
        """Return the samples (n, cells) of levels, neither clipped nor rounded."""
        grid = self.grids[point]
        cells = math.prod(grid.shape)
        images = np.empty((len(codes), *grid.shape), np.float32)
        for part in _parts(len(codes), cells):
            images[part] = grid.join(self.refiners[point](codes[part]))
        return images.reshape(-1, cells).astype(np.float64)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the coder as arrays, for `from_arrays`."""
        sizes = [(grid.levels, grid.factor) for grid in self.grids]
        arrays: dict[str, NDArray[Any]] = {
            "shape": np.array(self.grids[0].shape, np.int64),
            "grids": np.array(sizes, np.int64),
        }
        for point, (model, refiner) in enumerate(zip(self.models, self.refiners, strict=True)):
            arrays |= with_prefix(model.to_arrays(), f"{point}.model.")
            arrays |= with_prefix(refiner.to_arrays(), f"{point}.refiner.")
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, cells: int) -> Self:
        """Return the coder that `to_arrays` described."""
        height, width, channels = map(int, checked_array(arrays, "shape", np.int64, (3,)))
        sizes = checked_array(arrays, "grids", np.int64, (None, 2))
        if min(height, width, channels) < 1 or height * width * channels != cells:
            refuse_model(
                "shape", f"that of images with {cells} values", f"{height}, {width}, {channels}"
            )
        grids, models, refiners = [], [], []
        for point, (levels, factor) in enumerate(sizes[:_MOST_LEVELS].tolist()):
            if not (2 <= levels <= _MOST_LEVELS and 1 <= factor <= _MOST_FACTOR):
                refuse_model(
                    "grids", "2 to 64 levels and a factor from 1 to 4", f"{levels} and {factor}"
                )
            grid = LevelGrid((height, width, channels), levels, factor)
            model = PixelModel.from_arrays(without_prefix(arrays, f"{point}.model."))
            if model.image_shape != (-(-height // factor), -(-width // factor), channels):
                refuse_model("model", "one of images on its grid", f"one of {model.image_shape}")
            grids.append(grid)
            models.append(model)
            refiners.append(
                LevelRefiner.from_arrays(without_prefix(arrays, f"{point}.refiner."), grid)
            )
        coder = cls(tuple(grids), tuple(models), tuple(refiners))
        require_names(arrays, set(coder.to_arrays()))
        return coder


def _parts(rows: int, cells: int) -> Iterator[slice]:
    step = max(1, _PIXELS // cells)
    for first in range(0, rows, step):
        yield slice(first, min(first + step, rows))
