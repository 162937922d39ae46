"""The lossless coder of images by a pixel network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse
from isthmus.compression.coders.coder import LearnedCoder
from isthmus.compression.pixels.model import MOST_CHANNELS, PixelModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.compression.coders.block import ColumnBlock, Layout


class PixelNetworkCoder(LearnedCoder):
    """Codes images without loss, with the probabilities that a network predicts for each pixel.

    Parameters
    ----------
    model : PixelModel
    """

    name, number = "pixel network", 2
    model_name = "pixels"

    def __init__(self, model: PixelModel) -> None:
        self._model = model

    @classmethod
    def fit(cls, samples: NDArray[np.uint8], seed: int) -> Self:
        """Fit a model to images, (n, height, width) or (n, height, width, channels)."""
        return cls(PixelModel.fit(_with_channels(samples), seed=seed))

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the encoded block; None unless it contains images of the shape given to `fit`."""
        layout = block.layout
        if not (block.exact and _holds_images(layout)):
            return None
        images = _with_channels(block.image())
        return self._model.encode(images) if images.shape[1:] == self._model.image_shape else None

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns, one for each value of an image."""
        if not _holds_images(layout):
            refuse("images, though the rows are not images")
        images = self._model.decode(bytes(packed), rows)
        values = images.reshape(rows, -1)
        if values.shape[1] != len(layout.dtypes):
            refuse("images of another shape")
        return list(values.T)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the model as arrays."""
        return self._model.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the coder that `to_arrays` described; raises InvalidArchive."""
        return cls(PixelModel.from_arrays(arrays))


def are_images(dtype: np.dtype[Any], sample_shape: tuple[int, ...]) -> bool:
    """Tell whether samples are images that this coder takes: bytes with 1 to 4 channels."""
    channels = sample_shape[2:] or (1,)
    return (
        dtype == np.uint8
        and len(sample_shape) in (2, 3)
        and 1 <= channels[0] <= MOST_CHANNELS
        and min(sample_shape) > 0
    )


def _holds_images(layout: Layout) -> bool:
    return layout.uniform and are_images(layout.dtypes[0], layout.sample_shape)


def _with_channels(images: NDArray[Any]) -> NDArray[Any]:
    return images if images.ndim == 4 else images[..., None]
