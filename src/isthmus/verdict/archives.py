"""An isthmus archive as the estimator that it holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from isthmus.core.errors import InvalidArchive
from isthmus.persistence import loading

_HDF5 = b"\x89HDF\r\n\x1a\n"


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a file is to be read as an isthmus archive, and not as a ``.keras`` file.

    Raises
    ------
    InvalidArchive
        It is an HDF5 file, which neither is.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(len(_HDF5))
    except OSError:
        return Path(path).suffix.lower() != ".keras"  # the reader says what is wrong with it
    if head == _HDF5:
        raise InvalidArchive(
            repr(os.fspath(path)),
            expected="a .keras or an .isthmus file",
            received="an HDF5 file (.h5), as Keras 2 wrote them",
            remedy="where you trust it, open it with keras.models.load_model and save it as "
            "'model.keras', or pass the live model",
        )
    return not head.startswith(b"PK") and Path(path).suffix.lower() != ".keras"


def read_estimator(path: str | os.PathLike[str]) -> Any:
    """Open an autoencoder that ``save`` wrote; nothing in the file is run.

    Raises
    ------
    InvalidArchive
        The file is missing, damaged, hostile, or holds no autoencoder.
    """
    return loading.read(path, loading.ESTIMATORS)
