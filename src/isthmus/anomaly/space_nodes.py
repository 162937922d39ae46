"""`isthmus.anomaly.standardization` as ONNX nodes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from isthmus.anomaly.standardization import (
    FARTHEST,
    LARGEST_EXPONENT,
    padded_width,
    robust_columns,
)
from isthmus.export.network_nodes import network_nodes
from isthmus.export.scaling_nodes import compressed, expanded, number
from isthmus.export.schema_nodes import filled

if TYPE_CHECKING:
    from isthmus.anomaly.standardization import StandardizedSpace
    from isthmus.export.operators import OperatorGraph


class SpaceNodes:
    """Adds the steps of a `StandardizedSpace` to a graph; matrices are float32, (n, d)."""

    def __init__(self, graph: OperatorGraph, space: StandardizedSpace) -> None:
        self._graph = graph
        self._space = space
        self._width = len(space.center)
        self._robust = robust_columns(space.schema)

    def matrix(self, scaled: str) -> str:
        """Standardise rows in the schema's units, (n, *sample_shape), and fill missing cells."""
        graph = self._graph
        rows = self._standardised(scaled)
        given = self._padded(self.symlog(rows)) if self._space.compressed else scaled
        _, rebuilt = self._through_network(filled(graph, given))
        return graph.add("Where", graph.add("IsNaN", rows), rebuilt, rows)

    def encode_and_reconstruct(self, matrix: str) -> tuple[str, str]:
        """Return the codes of a matrix, (n, latent_dim), and its reconstruction."""
        if self._space.compressed:
            return self._through_network(self._padded(self.symlog(matrix)))
        return self._through_network(self._unstandardised(matrix))

    def decode(self, code: str) -> str:
        """Return what codes, (n, latent_dim), are decoded to, in the schema's units."""
        (rebuilt,) = network_nodes(self._graph, self._space.autoencoder.decoder_, [code])
        if not self._space.compressed:
            return rebuilt
        return self._unstandardised(self._expanded(rebuilt))

    def symlog(self, matrix: str) -> str:
        """Return ``sign(x) log(1 + |x|)``."""
        graph = self._graph
        size = graph.add("Abs", graph.cast(matrix, np.float64))
        logs = graph.add("Log", graph.add("Add", size, number(graph, 1.0)))
        return graph.add("Mul", graph.add("Sign", matrix), graph.cast(logs, np.float32))

    def _through_network(self, given: str) -> tuple[str, str]:
        graph, autoencoder = self._graph, self._space.autoencoder
        (code,) = network_nodes(graph, autoencoder.encoder_, [given])
        (rebuilt,) = network_nodes(graph, autoencoder.decoder_, [code])
        if not self._space.compressed:
            return code, self._standardised(rebuilt)
        return code, self._expanded(rebuilt)

    def _expanded(self, rebuilt: str) -> str:
        """Return the default network's output, which is padded and compressed, standardised."""
        graph = self._graph
        rebuilt = graph.columns(rebuilt, 0, self._width)
        if self._space.schema.absent is not None:
            absent = graph.constant(self._space.schema.absent)
            rebuilt = graph.add("Where", absent, graph.constant(0.0, np.float32), rebuilt)
        return self._symexp(rebuilt)

    def _symexp(self, matrix: str) -> str:
        graph = self._graph
        size = graph.add("Abs", graph.cast(matrix, np.float64))
        size = graph.add("Min", size, number(graph, math.log1p(FARTHEST)))
        size = graph.add("Sub", graph.add("Exp", size), number(graph, 1.0))
        return graph.add("Mul", graph.add("Sign", matrix), graph.cast(size, np.float32))

    def _standardised(self, scaled: str) -> str:
        graph, space = self._graph, self._space
        flat = graph.add("Reshape", scaled, graph.constant([-1, self._width], np.int64))
        values = graph.cast(flat, np.float64)
        if self._robust.any():
            values = self._of_robust(values, expanded(graph, values, LARGEST_EXPONENT))
        away = graph.add("Sub", values, graph.constant(space.center))
        rows = graph.add("Div", away, graph.constant(space.scale))
        bounded = graph.add("Clip", rows, number(graph, -FARTHEST), number(graph, FARTHEST))
        rows = graph.add("Where", graph.add("IsNaN", rows), rows, bounded)
        if space.schema.absent is not None:
            rows = graph.add("Where", graph.constant(space.schema.absent), number(graph, 0.0), rows)
        return graph.cast(rows, np.float32)

    def _unstandardised(self, matrix: str) -> str:
        graph, space = self._graph, self._space
        values = graph.add("Mul", graph.cast(matrix, np.float64), graph.constant(space.scale))
        values = graph.add("Add", values, graph.constant(space.center))
        if self._robust.any():
            values = self._of_robust(values, compressed(graph, values))
        shape = graph.constant([-1, *space.schema.sample_shape], np.int64)
        return graph.add("Reshape", graph.cast(values, np.float32), shape)

    def _of_robust(self, values: str, changed: str) -> str:
        if self._robust.all():
            return changed
        return self._graph.add("Where", self._graph.constant(self._robust), changed, values)

    def _padded(self, matrix: str) -> str:
        more = padded_width(self._width) - self._width
        pads = self._graph.constant([0, 0, 0, more], np.int64)
        return self._graph.add("Pad", matrix, pads)
