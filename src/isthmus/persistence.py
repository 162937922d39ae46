"""Opening what isthmus saved."""

from __future__ import annotations

import os
from typing import Any

from isthmus.core import artifact
from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidArchive
from isthmus.estimators.catalogue import ESTIMATORS, rebuilt

_TASKS = "isthmus.tasks"
_KINDS = Catalogue(
    "archive kind",
    {
        **ESTIMATORS,
        "anomaly detector": f"{_TASKS}.anomaly.detector:AnomalyDetector",
        "codec": f"{_TASKS}.codec:Codec",
        "latent map": f"{_TASKS}.maps:LatentMap",
        "latent sampler": f"{_TASKS}.sampling:LatentSampler",
        "similarity index": f"{_TASKS}.search:SimilarityIndex",
    },
)


def load(path: str | os.PathLike[str]) -> Any:
    """Open an estimator that ``save`` wrote.

    Nothing in the file is executed, and every part of it is checked before it is used, so the file
    may come from a stranger. What loads gives the same outputs, bit for bit, as what was saved.

    Parameters
    ----------
    path : path
        The file, by custom ``*.isthmus``.

    Returns
    -------
    isthmus estimator or task
        Fitted, of the class that was saved.

    Raises
    ------
    InvalidArchive
        There is no such file, or it is damaged, foreign, hostile or written by a newer version.
    """
    shown = repr(os.fspath(path))
    stored = artifact.read(path)
    if stored.kind not in _KINDS:
        raise InvalidArchive(
            shown,
            expected=f"a saved model: one of {', '.join(_KINDS)}",
            received=f"a {stored.kind[:80]}",
            remedy="open it with the version of isthmus that wrote it"
            if stored.kind != "checkpoint"
            else "give it as `checkpoint` to the same fit, which goes on from it",
        )
    return rebuilt(stored, _KINDS[stored.kind], shown)
