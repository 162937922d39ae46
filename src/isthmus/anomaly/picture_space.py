"""Pictures as the detector compares them: as they are, and what their autoencoder leaves over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from isthmus.anomaly.picture_grid import PictureGrid
from isthmus.networks.inference import Function

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.estimators.base import BaseAutoencoder

_BLOCK_POINTS = 1 << 15
"""Points of the grid that are worked on at a time."""
_MOST_LAYERS = 3
_MOST_CHANNELS = 96
"""Channels of a layer that are used, evenly spaced among all of them."""
_SMALLEST_SIDE = 4
FILLINGS = 2
"""How often missing pixels are replaced by what the autoencoder reconstructs."""


class PictureBlock(NamedTuple):
    """Some pictures, in the units of the autoencoder."""

    pictures: Floats
    """(n, h, w, bands), missing pixels filled."""
    residuals: Floats
    """(n, h, w, bands), without what the autoencoder reconstructs."""
    features: Floats | None
    """(n, rows, columns, channels) of the encoder's convolutions at the points of the grid."""
    missing: NDArray[np.bool_] | None
    """(n, h, w), pixels without a value; None if there are none."""


@dataclass(frozen=True, eq=False)
class PictureSpace:
    """Converts pictures for the score.

    Parameters
    ----------
    autoencoder : fitted isthmus estimator
        For pictures (h, w) or (h, w, bands).
    usual : float32 array of shape (bands,)
        The mean of each band, for missing pixels.
    """

    autoencoder: BaseAutoencoder
    usual: Floats

    @cached_property
    def grid(self) -> PictureGrid:
        """The points at which pictures are compared."""
        return PictureGrid.of(self.autoencoder.schema_.sample_shape)

    @property
    def block(self) -> int:
        """Pictures that are worked on at a time."""
        rows, columns = self.grid.shape
        return max(1, _BLOCK_POINTS // (rows * columns))

    def blocks(self, matrix: Floats) -> Iterator[PictureBlock]:
        """Yield blocks of pictures.

        Parameters
        ----------
        matrix : array of shape (n, *sample_shape)
            In the autoencoder's units; NaN marks a missing pixel.
        """
        for start in range(0, len(matrix), self.block):
            yield self._block(matrix[start : start + self.block])

    def _block(self, matrix: Floats) -> PictureBlock:
        shape = (len(matrix), self.grid.height, self.grid.width, self.grid.bands)
        gaps = np.isnan(matrix)
        if not gaps.any():
            rebuilt = self.reconstruct(matrix)
            return PictureBlock(
                matrix.reshape(shape),
                (matrix - rebuilt).reshape(shape),
                self._features(matrix),
                None,
            )
        filled = np.where(gaps.reshape(shape), self.usual, matrix.reshape(shape))
        for _ in range(FILLINGS):
            rebuilt = self.reconstruct(filled.reshape(matrix.shape)).reshape(shape)
            filled = np.where(gaps.reshape(shape), rebuilt, filled)
        missing: NDArray[np.bool_] = np.any(gaps.reshape(shape), axis=3)
        return PictureBlock(
            filled, filled - rebuilt, self._features(filled.reshape(matrix.shape)), missing
        )

    def reconstruct(self, matrix: Floats) -> Floats:
        """Return the autoencoder's reconstruction of complete pictures, in its own units."""
        pair = np.concatenate([matrix, matrix]) if len(matrix) == 1 else matrix
        rebuilt: Floats = self.autoencoder.reconstruct_matrix(pair)
        return rebuilt[: len(matrix)].reshape(matrix.shape)

    def _features(self, matrix: Floats) -> Floats | None:
        if not self.layers:
            return None
        return np.concatenate([self._at_points(layer(matrix)) for layer in self.layers], axis=3)

    def _at_points(self, maps: Floats) -> Floats:
        """Return some channels of feature maps, (n, a, b, channels), at the points of the grid."""
        rows, columns = places_of_points(self.grid.shape, maps.shape[1:3])
        return maps[:, rows[:, None], columns][..., chosen_channels(maps.shape[3])]

    @cached_property
    def layers(self) -> list[Function]:
        """The encoder up to its last convolution at each of its finest resolutions."""
        encoder = self.convolutions
        return [Function(keras.Model(encoder.inputs, out)) for out in feature_outputs(encoder)]

    @property
    def channels(self) -> int:
        """Number of features at a point; 0 if the encoder has no convolutions."""
        outputs = feature_outputs(self.convolutions)
        return sum(len(chosen_channels(out.shape[3])) for out in outputs)

    @property
    def convolutions(self) -> keras.Model:
        """The model before the bottleneck or, if that begins with a backbone, the backbone."""
        model = self.autoencoder.network_.halves[0]
        while model.layers and isinstance(first := _first_layer(model), keras.Model):
            model = first
        return model


def _first_layer(model: keras.Model) -> keras.layers.Layer:
    """Return the first layer that is not an input."""
    layers = [each for each in model.layers if not isinstance(each, keras.layers.InputLayer)]
    return (layers or model.layers)[0]


def places_of_points(
    points: tuple[int, int], sides: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and the columns of a feature map at the points of the grid.

    Parameters
    ----------
    points, sides : (int, int)
        Rows and columns of the grid and of the feature map.
    """
    rows, columns = (
        ((np.arange(count) + 0.5) * side / count).astype(np.intp)
        for count, side in zip(points, sides, strict=True)
    )
    return rows, columns


def chosen_channels(count: int) -> NDArray[np.intp]:
    """Return which of a layer's channels are used."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_CHANNELS)).astype(np.intp))


def feature_outputs(encoder: Any) -> list[Any]:
    """Return the outputs of the last layers with weights at each of the finest resolutions."""
    found: dict[tuple[int, int], Any] = {}
    for layer in encoder.layers:
        shape: tuple[Any, ...] = getattr(getattr(layer, "output", None), "shape", ())
        if len(shape) != 4 or None in shape[1:] or not layer.weights:
            continue
        if min(shape[1:3]) >= _SMALLEST_SIDE:
            found[shape[1], shape[2]] = layer.output
    return list(found.values())[:_MOST_LAYERS]
