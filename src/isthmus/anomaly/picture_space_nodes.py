"""`isthmus.anomaly.picture_space` as ONNX nodes: pictures filled, and what is left over of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np

from isthmus.anomaly.picture_space import (
    FILLINGS,
    chosen_channels,
    feature_outputs,
    places_of_points,
)
from isthmus.export.network_nodes import network_nodes

if TYPE_CHECKING:
    from isthmus.anomaly.picture_space import PictureSpace
    from isthmus.export.graph import OnnxGraph


class PictureBlockNodes(NamedTuple):
    """What `PictureBlock` holds, as names of values."""

    pictures: str
    """(n, h, w, bands), missing pixels filled."""
    residuals: str
    """(n, h, w, bands)"""
    features: str | None
    """(n, rows, columns, channels)"""
    missing: str
    """(n, h, w), pixels without a value."""


def picture_block(graph: OnnxGraph, space: PictureSpace, matrix: str) -> PictureBlockNodes:
    """Add the block of pictures in the autoencoder's units, (n, *sample_shape)."""
    pictures = graph.reshaped(matrix, (*space.grid.image, space.grid.bands))
    gaps = graph.add("IsNaN", pictures)
    filled = graph.add("Where", gaps, graph.constant(space.usual), pictures)
    rebuilt = filled
    for _ in range(FILLINGS):
        rebuilt = _reconstructed(graph, space, filled)
        filled = graph.add("Where", gaps, rebuilt, pictures)
    residuals = graph.add("Sub", filled, rebuilt)
    some = graph.add(
        "ReduceMax", graph.cast(gaps, np.float32), graph.constant([3], np.int64), keepdims=0
    )
    missing = graph.add("Greater", some, graph.constant(0.0, np.float32))
    return PictureBlockNodes(filled, residuals, _features(graph, space, filled), missing)


def _reconstructed(graph: OnnxGraph, space: PictureSpace, pictures: str) -> str:
    given = graph.reshaped(pictures, space.autoencoder.schema_.sample_shape)
    (code,) = network_nodes(graph, space.autoencoder.encoder_, [given])
    (rebuilt,) = network_nodes(graph, space.autoencoder.decoder_, [code])
    return graph.reshaped(rebuilt, (*space.grid.image, space.grid.bands))


def _features(graph: OnnxGraph, space: PictureSpace, pictures: str) -> str | None:
    """Add some channels of the encoder's convolutions at the points of the grid."""
    encoder = space.convolutions
    outputs = feature_outputs(encoder)
    if not outputs:
        return None
    given = graph.reshaped(pictures, space.autoencoder.schema_.sample_shape)
    maps = network_nodes(graph, keras.Model(encoder.inputs, outputs), [given])
    at_points = []
    for values, output in zip(maps, outputs, strict=True):
        rows, columns = places_of_points(space.grid.shape, output.shape[1:3])
        for axis, places in enumerate((rows, columns, chosen_channels(output.shape[3])), start=1):
            values = graph.add("Gather", values, graph.constant(places, np.int64), axis=axis)
        at_points.append(values)
    return graph.add("Concat", *at_points, axis=3) if len(at_points) > 1 else at_points[0]
