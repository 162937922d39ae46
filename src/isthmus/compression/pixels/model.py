"""Lossless images: each pixel is coded with the probabilities that a small network predicts."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from isthmus.compression.entropy.rans import RansDecoder, RansEncoder
from isthmus.compression.pixels.alphabet import Alphabet
from isthmus.compression.pixels.neighbourhood import Neighbourhood
from isthmus.compression.pixels.network import (
    NETWORK_ARRAYS,
    PixelNetwork,
    checked_array,
    places,
    unfit,
)
from isthmus.core.errors import InvalidArchive, InvalidData
from isthmus.core.randomness import generator_for
from isthmus.persistence import array_checks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.compression.entropy.integer_networks import Odds
    from isthmus.compression.pixels.neighbourhood import PixelBlock

    Images = NDArray[np.uint8]

MOST_CHANNELS = 4
_WIDEST = 20
_MOST_CELLS = 2**30
"""The most values of one image, including its margin: training indexes them in 32 bits."""
_STREAM_CELLS = 2**24
"""Values in one stream, including margins, to limit working memory."""
_LANE_PIXELS = 2**14
"""Values in a lane: enough to make the overhead of about four bytes per lane negligible."""
_MOST_PER_BYTE = 2 * _LANE_PIXELS // 4
"""The most values per byte: a lane has at least 4 bytes, and under twice its values."""
_LENGTH = 4
_LAST = 255
_SAMPLED = 2**20
"""The number of values from which the classes are chosen."""
_WORTH_CENTRING = 1.0
"""Bits per value that centring must save, before a network is used. A network learns flat areas and
outlines by itself, but it does not learn to subtract."""


class PixelModel:
    """A model of images that codes them without loss, with the same bytes on every machine.

    Each pixel is predicted from those above it and to its left, as in van den Oord, Kalchbrenner
    and Kavukcuoglu, 2016, "Pixel recurrent neural networks". The predictor is a perceptron with two
    hidden layers, the same for all pixels. Its weights and activations are small integers, so
    encoder and decoder agree on every machine. `isthmus.compression.entropy.rans` codes the pixels
    with the predicted probabilities.

    Parameters
    ----------
    neighbours : Neighbourhood
    alphabet : Alphabet
    networks : tuple of PixelNetwork
        One per channel.
    """

    def __init__(
        self, neighbours: Neighbourhood, alphabet: Alphabet, networks: tuple[PixelNetwork, ...]
    ) -> None:
        self.neighbours = neighbours
        self.alphabet = alphabet
        self.networks = networks

    @classmethod
    def fit(cls, images: Images, *, seed: int, epochs: float | None = None) -> Self:
        """Learn a model of images.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, height, width, channels)
            At least one value; 1 to 4 channels.
        seed : int
            For weights and the order of pixels.
        epochs : float, optional
            The mean number of times that each pixel is seen. None: computed from the amount of
            data.

        Raises
        ------
        InvalidData
            `images` is not an array of this kind, or the images are too large.
        TrainingDiverged
            No finite weights were found.
        """
        from isthmus.compression.pixels.training import train

        _check_images(images, None)
        height, width, channels = images.shape[1:]
        if not images.size or (height + _WIDEST) * (width + 2 * _WIDEST) * channels > _MOST_CELLS:
            raise InvalidData(
                "images to learn from",
                expected=f"some pixels, and fewer than {_MOST_CELLS} values in an image",
                received=f"shape {images.shape}",
                remedy="pass images that are not empty, in tiles if they are larger",
            )
        neighbours, counts = _suited(images, seed)
        alphabet = Alphabet.of(counts)
        return cls(neighbours, alphabet, train(images, neighbours, alphabet, counts, seed, epochs))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.neighbours.height, self.neighbours.width, self.neighbours.channels

    def encode(self, images: Images) -> bytes:
        """Return the images as bytes.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, *image_shape)

        Raises
        ------
        InvalidData
            `images` has another type or shape.
        """
        _check_images(images, self.image_shape)
        parts = []
        with threadpool_limits(1):  # the products are too small for several threads
            for part in self._streams(len(images)):
                stream = self._encode(images[part])
                parts += [len(stream).to_bytes(_LENGTH, "little"), stream]
        return b"".join(parts)

    def decode(self, data: bytes, n: int) -> Images:
        """Return the `n` images that are encoded in `data`: uint8, shape (n, *image_shape).

        Raises
        ------
        InvalidArchive
            The bytes are damaged, or are not `n` images that this model encoded.
        """
        if not 0 <= n * self._values <= len(data) * _MOST_PER_BYTE:
            raise _damaged(f"{len(data)} bytes for {n} images")
        images = np.empty((n, *self.image_shape), np.uint8)
        place = 0
        with threadpool_limits(1):
            for part in self._streams(n):
                end = place + _LENGTH
                length = int.from_bytes(data[place:end], "little")
                if length > len(data) - end:
                    raise _damaged(f"{len(data)} bytes")
                images[part] = self._decode(data[end : end + length], part.stop - part.start)
                place = end + length
        if place != len(data):
            raise _damaged(f"{len(data) - place} bytes too many")
        return images

    @property
    def _values(self) -> int:
        height, width, channels = self.image_shape
        return height * width * channels

    def _streams(self, n: int) -> list[slice]:
        images = max(1, _STREAM_CELLS // math.prod(self.neighbours.canvas_shape))
        return [slice(first, min(first + images, n)) for first in range(0, n, images)]

    def _lanes(self, n: int) -> int:
        return max(1, n * self._values // _LANE_PIXELS)

    def _encode(self, images: Images) -> bytes:
        encoder = RansEncoder(self._lanes(len(images)))
        canvas = _drawn(self.neighbours, images)
        for block in self.neighbours.blocks(len(images)):
            cells, odds, offsets = self._predict(canvas, block)
            symbols = canvas[cells, block.images].ravel() + offsets & _LAST
            classes = self.alphabet.class_of[symbols]
            encoder.push(odds.starts(classes), odds.starts(classes + 1))
            symbols = symbols[self.alphabet.several[classes]]
            if len(symbols):
                encoder.push(self.alphabet.starts[symbols], self.alphabet.stops[symbols])
        return encoder.finish()

    def _decode(self, data: bytes, n: int) -> Images:
        decoder = RansDecoder(data, self._lanes(n))
        canvas = _blank(self.neighbours, n)
        for block in self.neighbours.blocks(n):
            cells, odds, offsets = self._predict(canvas, block)
            classes = decoder.pop(len(odds), odds.find)
            symbols = self.alphabet.bounds[classes].astype(np.intp)
            open_ = np.flatnonzero(self.alphabet.several[classes])
            if len(open_):
                find = partial(self.alphabet.find, classes[open_])
                symbols[open_] = decoder.pop(len(open_), find)
            canvas[cells, block.images] = (symbols - offsets & _LAST).reshape(len(cells), -1)
        decoder.finish()
        images = self.neighbours.inside(canvas.reshape(*self.neighbours.canvas_shape, n))
        return np.ascontiguousarray(images.transpose(3, 0, 1, 2))

    def _predict(
        self, canvas: Images, block: PixelBlock
    ) -> tuple[NDArray[np.intp], Odds, NDArray[np.intp]]:
        """Return the block's cells, its classes' probabilities, and the offsets of its symbols."""
        cells, inputs, offsets = self.neighbours.look(canvas, block)
        odds = self.networks[block.channel].odds(
            inputs,
            places(block.rows, self.neighbours.height),
            places(block.columns, self.neighbours.width),
        )
        return cells, odds, offsets

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the model as small arrays of integers, for `from_arrays`."""
        shape = [*self.image_shape, self.neighbours.reach, self.neighbours.centred]
        arrays: dict[str, NDArray[Any]] = {
            "shape": np.array(shape, np.int64),
            "bounds": self.alphabet.bounds,
            "shares": self.alphabet.shares,
        }
        for k, network in enumerate(self.networks):
            arrays |= {f"{k}.{name}": array for name, array in network.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model that `to_arrays` described.

        Raises
        ------
        InvalidArchive
            The arrays do not describe a model.
        """
        shape = checked_array(arrays, "shape", np.int64, (5,))
        height, width, channels, reach, centred = map(int, shape)
        if (
            min(height, width) < 1
            or not 1 <= channels <= MOST_CHANNELS
            or not 2 <= reach <= _WIDEST**2
            or centred not in (0, 1)
            or (height + _WIDEST) * (width + 2 * _WIDEST) * channels > _MOST_CELLS
        ):
            raise unfit("shape", "that of images with up to 4 channels", str(shape.tolist()))
        neighbours = Neighbourhood(height, width, channels, reach, bool(centred))
        bounds = checked_array(arrays, "bounds", np.uint16, (None,))
        alphabet = Alphabet(bounds, checked_array(arrays, "shares", np.uint16, (256,)))
        networks = tuple(
            PixelNetwork.from_arrays(arrays, f"{k}.", neighbours, k, len(alphabet))
            for k in range(channels)
        )
        names = {"shape", "bounds", "shares"} | {
            f"{k}.{name}" for k in range(channels) for name in NETWORK_ARRAYS
        }
        if set(arrays) != names:
            raise unfit("names", f"{sorted(names)}", f"{sorted(map(str, arrays))}")
        return cls(neighbours, alphabet, networks)


_REACH = {1: 17, 2: 17, 3: 10, 4: 8}
"""Squared distance of neighbours by number of channels: 28 to 57 inputs per pixel."""


def _blank(neighbours: Neighbourhood, n: int) -> Images:
    """Return zeros, (cells, n). A cell of all images is contiguous, as images are the last axis."""
    return np.zeros((math.prod(neighbours.canvas_shape), n), np.uint8)


def _drawn(neighbours: Neighbourhood, images: Images) -> Images:
    """Return the canvas of images, (cells, n)."""
    canvas = _blank(neighbours, len(images))
    whole = canvas.reshape(*neighbours.canvas_shape, len(images))
    neighbours.inside(whole)[...] = images.transpose(1, 2, 3, 0)
    return canvas


def _suited(images: Images, seed: int) -> tuple[Neighbourhood, NDArray[np.int64]]:
    """Return the neighbourhood that suits the images, and the counts of symbols in some of them."""
    n = min(len(images), max(1, _SAMPLED // images[0].size))
    chosen = generator_for(seed, "sample").choice(len(images), n, replace=False)
    height, width, channels = images.shape[1:]
    ways = [Neighbourhood(height, width, channels, _REACH[channels], way) for way in (False, True)]
    counts = [_counts(neighbours, images[chosen]) for neighbours in ways]
    centred = _entropy(counts[1]) < _entropy(counts[0]) - _WORTH_CENTRING
    return ways[centred], counts[centred]


def _counts(neighbours: Neighbourhood, images: Images) -> NDArray[np.int64]:
    counts = np.zeros(_LAST + 1, np.int64)
    canvas = _drawn(neighbours, images)
    for block in neighbours.blocks(len(images)):
        cells, _, offsets = neighbours.look(canvas, block)
        symbols = canvas[cells, block.images].ravel() + offsets & _LAST
        counts += np.bincount(symbols, minlength=_LAST + 1)
    return counts


def _entropy(counts: NDArray[np.int64]) -> float:
    odds = counts[counts > 0] / counts.sum()
    return float(-(odds * np.log2(odds)).sum())


def _damaged(received: str) -> InvalidArchive:
    return array_checks.damaged("coded images", received)


def _check_images(images: Any, shape: tuple[int, int, int] | None) -> None:
    if (
        not isinstance(images, np.ndarray)
        or images.dtype != np.uint8
        or images.ndim != 4
        or (shape is None and not 1 <= images.shape[3] <= MOST_CHANNELS)
        or (shape is not None and images.shape[1:] != shape)
    ):
        wanted = "(n, height, width, 1 to 4 channels)" if shape is None else f"(n, *{shape})"
        received = getattr(images, "shape", type(images).__name__)
        raise InvalidData(
            "images",
            expected=f"uint8 of shape {wanted}",
            received=f"{getattr(images, 'dtype', '')} of shape {received}",
            remedy="pass an array of unsigned bytes, channels last",
        )
