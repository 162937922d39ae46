"""Loads saved models, and lists the kinds of archives."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidArchive, IsthmusError
from isthmus.persistence import artifact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isthmus.persistence.artifact import Artifact

# Classes are named, not imported: this package must not depend on those that use it, and opening
# one kind of archive must not import the others.
ESTIMATORS = Catalogue(
    "archive kind",
    {
        "autoencoder": "isthmus.estimators.autoencoder:Autoencoder",
        "denoising autoencoder": "isthmus.estimators.denoising:DenoisingAutoencoder",
        "supervised autoencoder": "isthmus.estimators.supervised:SupervisedAutoencoder",
        "variational autoencoder": "isthmus.estimators.variational:VariationalAutoencoder",
    },
)
"""Autoencoders: kind -> ``"module:class"``."""

KINDS = Catalogue(
    "archive kind",
    {
        **ESTIMATORS,
        "anomaly detector": "isthmus.anomaly.detector:AnomalyDetector",
        "codec": "isthmus.compression.codec:Codec",
        "latent map": "isthmus.tasks.maps:LatentMap",
        "latent sampler": "isthmus.tasks.sampling:LatentSampler",
        "similarity index": "isthmus.tasks.search:SimilarityIndex",
    },
)
"""All kinds that `load` opens: kind -> ``"module:class"``. A new task is one line here."""


def load(path: str | os.PathLike[str]) -> Any:
    """Load a model that ``save`` wrote.

    Nothing in the file is executed, and every part of it is checked before it is used, so the file
    may come from an untrusted source. The loaded model gives the same outputs as the saved one,
    bit for bit.

    Parameters
    ----------
    path : path
        The file, by convention ``*.isthmus``.

    Returns
    -------
    isthmus estimator or task
        Fitted, of the class that was saved.

    Raises
    ------
    InvalidArchive
        There is no such file, or it is damaged, foreign, hostile or written by a newer version.
    """
    return read(path, KINDS)


def read(path: str | os.PathLike[str], kinds: Mapping[str, str]) -> Any:
    """Open an archive of one of these `kinds`; raises InvalidArchive."""
    shown = repr(os.fspath(path))
    stored = artifact.read(path)
    if stored.kind not in kinds:
        raise InvalidArchive(
            shown,
            expected=f"a saved model: one of {', '.join(kinds)}",
            received=f"a {stored.kind[:80]}",
            remedy=_remedy(stored.kind),
        )
    try:
        return restored(stored)
    except InvalidArchive as error:
        raise error.about(shown) from error
    except Exception as error:
        # A file may contain anything: an error of a library means that the file is invalid.
        reason = (
            str(error) if isinstance(error, IsthmusError) else f"{type(error).__name__}: {error}"
        )
        raise InvalidArchive(
            f"{shown} does not describe a model that can be rebuilt ({reason[:300]})",
            remedy="copy or download the file again, or save the model again",
        ) from error


def restored(stored: Artifact) -> Any:
    """Rebuild the model from an artifact of a known kind; libraries may raise any error."""
    module, _, name = KINDS[stored.kind].partition(":")
    return getattr(importlib.import_module(module), name)._from_artifact(stored)


def _remedy(kind: str) -> str:
    if kind == "checkpoint":
        return "pass it as `checkpoint` to the same fit to resume it"
    if kind in KINDS:
        return "pass the file of an autoencoder"
    return "open it with the version of isthmus that wrote it"
