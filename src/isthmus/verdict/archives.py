"""Read the estimator in an isthmus archive."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from isthmus.core.errors import InvalidArchive
from isthmus.persistence import loading

_HDF5 = b"\x89HDF\r\n\x1a\n"


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether to read a file as an isthmus archive instead of a ``.keras`` file.

    Raises
    ------
    InvalidArchive
        The file is an HDF5 file, which is neither of them.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(len(_HDF5))
    except OSError:
        return Path(path).suffix.lower() != ".keras"  # the reader reports the error
    if head == _HDF5:
        raise InvalidArchive(
            repr(os.fspath(path)),
            expected="a .keras or an .isthmus file",
            received="an HDF5 file (.h5), the format of Keras 2",
            remedy="if you trust it, open it with keras.models.load_model and save it as "
            "'model.keras', or pass the live model",
        )
    return not head.startswith(b"PK") and Path(path).suffix.lower() != ".keras"


def read_estimator(path: str | os.PathLike[str]) -> Any:
    """Open an autoencoder that ``save`` wrote, without running any code in the file.

    Raises
    ------
    InvalidArchive
        The file is missing, damaged, hostile, or does not contain an autoencoder.
    """
    return loading.read(path, loading.ESTIMATORS)
