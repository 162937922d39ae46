"""Opening the model that a command is to work with."""

import os
from typing import Any


def autoencoder(path: str | os.PathLike[str]) -> Any:
    """Return the autoencoder in a file: what was saved, or what a saved task has inside it.

    Raises
    ------
    InvalidArchive
        As `isthmus.load`.
    """
    from isthmus.persistence import load

    saved = load(path)
    return getattr(saved, "autoencoder_", saved)
