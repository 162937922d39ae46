"""The estimators, by the names that archives give them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidArchive, IsthmusError

if TYPE_CHECKING:
    from isthmus.core.artifact import Artifact

_ESTIMATORS = "isthmus.estimators"
ESTIMATORS = Catalogue(
    "archive kind",
    {
        "autoencoder": f"{_ESTIMATORS}.autoencoder:Autoencoder",
        "denoising autoencoder": f"{_ESTIMATORS}.denoising:DenoisingAutoencoder",
        "supervised autoencoder": f"{_ESTIMATORS}.supervised:SupervisedAutoencoder",
        "variational autoencoder": f"{_ESTIMATORS}.variational:VariationalAutoencoder",
    },
)
"""Kind -> module and class, which `imported` takes."""


def imported(place: str) -> Any:
    """Return the class at ``"module:name"``, a place that stands in a catalogue of ours."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def rebuilt(stored: Artifact, place: str, shown: str) -> Any:
    """Return what a file holds, of the class at `place`; every fault is the file's.

    Raises
    ------
    InvalidArchive
        It cannot be rebuilt; the message begins with `shown`.
    """
    made = imported(place)
    try:
        return made._from_artifact(stored)
    except InvalidArchive as error:
        raise InvalidArchive(f"{shown}: {error}") from error
    except Exception as error:
        # A file may say anything: whatever it makes a library stumble over is the file's fault.
        reason = (
            str(error) if isinstance(error, IsthmusError) else f"{type(error).__name__}: {error}"
        )
        raise InvalidArchive(
            f"{shown} does not describe a model that can be rebuilt ({reason[:300]})",
            remedy="copy or download the file again, or save the model anew",
        ) from error
