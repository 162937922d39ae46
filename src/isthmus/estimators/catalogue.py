"""The estimators, by the names that archives give them."""

from __future__ import annotations

import importlib
from typing import Any

from isthmus.core.catalogue import Catalogue

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
