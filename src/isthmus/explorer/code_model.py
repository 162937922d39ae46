"""What the explorer needs of a model: its codes, and how they are decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.anomaly.detector_codes import DetectorCodes
from isthmus.core.errors import InvalidParameter
from isthmus.estimators.base import BaseAutoencoder
from isthmus.estimators.fitted_check import require_fitted
from isthmus.export.network_nodes import network_nodes
from isthmus.tasks.base import Task

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.export.operators import OperatorGraph


_MODELS = "a fitted autoencoder, detector or map"


class CodeModel(Protocol):
    """Encodes and decodes rows."""

    def encode(self, X: Any) -> Floats:
        """Return the codes of rows, (n, latent_dim)."""

    def decode(self, codes: Floats) -> Floats:
        """Return rows in the units of the schema, (n, *sample_shape)."""

    def decoder_nodes(self, graph: OperatorGraph, code: str) -> str:
        """Add the nodes of `decode` to a graph; return the name of its result."""


class AutoencoderCodes:
    """The codes of an autoencoder; implements `CodeModel`."""

    def __init__(self, autoencoder: BaseAutoencoder) -> None:
        self._autoencoder = autoencoder

    def encode(self, X: Any) -> Floats:
        """Return the codes of rows, (n, latent_dim)."""
        return self._autoencoder.transform(X)

    def decode(self, codes: Floats) -> Floats:
        """Return rows in the units of the schema, (n, *sample_shape)."""
        return self._autoencoder.decode_matrix(codes)

    def decoder_nodes(self, graph: OperatorGraph, code: str) -> str:
        """Add the nodes of `decode` to a graph; return the name of its result.

        Raises
        ------
        InvalidParameter
            A layer of the decoder cannot be exported.
        """
        (made,) = network_nodes(graph, self._autoencoder.decoder_, [code])
        return made


def code_model(model: Any) -> CodeModel:
    """Return what encodes and decodes rows as a fitted model does.

    Parameters
    ----------
    model : fitted autoencoder, AnomalyDetector or a task with an autoencoder

    Raises
    ------
    InvalidParameter
        The model is none of these, not fitted, or a detector of series.
    """
    inner = getattr(model, "autoencoder_", model)
    if not isinstance(inner, BaseAutoencoder | AnomalyDetector | Task):
        raise InvalidParameter(
            "model",
            expected=_MODELS,
            received=type(model).__name__,
            remedy="fit one with isthmus.Autoencoder().fit(X), or 'isthmus fit'",
        )
    require_fitted(inner, "schema_", _MODELS)
    if not isinstance(model, AnomalyDetector):
        return AutoencoderCodes(inner)
    if model.is_series:
        raise InvalidParameter(
            "explorer",
            expected="an autoencoder, or a detector of rows or pictures",
            received="a detector of series, whose codes are those of windows",
            remedy="write a report, which has a timeline: isthmus.write_report, or "
            "'isthmus detect' with --report",
        )
    return DetectorCodes(model)
