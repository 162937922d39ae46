"""The codes of a detector's autoencoder, which may work on standardised rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus.anomaly.row_detector import RowDetector
from isthmus.anomaly.space_nodes import SpaceNodes
from isthmus.export.network_nodes import network_nodes

if TYPE_CHECKING:
    from isthmus.anomaly.detector import AnomalyDetector
    from isthmus.core.types import Floats
    from isthmus.export.operators import OperatorGraph


class DetectorCodes(NamedTuple):
    """Encodes and decodes rows as a fitted detector of rows or of pictures does."""

    detector: AnomalyDetector

    def encode(self, X: Any) -> Floats:
        """Return the codes of rows, (n, latent_dim)."""
        fitted = self.detector._fitted
        if isinstance(fitted, RowDetector):
            return fitted.space.encode(fitted.prepare(X, self.detector).matrix)
        return fitted.autoencoder.encode_matrix(fitted.prepare(X, self.detector).matrix)  # type: ignore[no-any-return]

    def decode(self, codes: Floats) -> Floats:
        """Return rows in the units of the detector's schema, (n, *sample_shape)."""
        fitted = self.detector._fitted
        if isinstance(fitted, RowDetector):
            return fitted.space.decode(codes)
        return fitted.autoencoder.decode_matrix(codes)  # type: ignore[no-any-return]

    def decoder_nodes(self, graph: OperatorGraph, code: str) -> str:
        """Add the nodes of `decode` to a graph; return the name of its result.

        Raises
        ------
        InvalidParameter
            A layer of the decoder cannot be exported.
        """
        fitted = self.detector._fitted
        if isinstance(fitted, RowDetector):
            return SpaceNodes(graph, fitted.space).decode(code)
        (made,) = network_nodes(graph, fitted.autoencoder.decoder_, [code])
        return made
