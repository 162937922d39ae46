"""The autoencoder in a saved model."""

from __future__ import annotations

from typing import Any

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.core.errors import InvalidParameter


def autoencoder_in(saved: Any, name: str) -> Any:
    """Return a saved model's autoencoder, which accepts rows as they are in files.

    Parameters
    ----------
    saved : object
        What `isthmus.load` returned: an autoencoder, or a task or detector that has one.
    name : str
        The name of the file, for messages.

    Raises
    ------
    InvalidParameter
        It is that of a detector, and needs standardized rows or windows.
    """
    inner = getattr(saved, "autoencoder_", saved)
    if (
        inner is not saved
        and getattr(saved, "schema_", None) is not inner.schema_
        and isinstance(saved, AnomalyDetector)
    ):
        raise InvalidParameter(
            name,
            expected="an autoencoder",
            received="a detector, whose autoencoder needs transformed rows",
            remedy="use 'isthmus detect' (with --report) or 'isthmus explain', or fit an "
            "autoencoder with 'isthmus fit'",
        )
    return inner
