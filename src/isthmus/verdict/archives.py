"""Read the estimator in an isthmus archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.persistence import loading

if TYPE_CHECKING:
    import os

HDF5 = b"\x89HDF\r\n\x1a\n"
"""The first bytes of an HDF5 file."""


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether to read a file as an isthmus archive instead of a Keras file."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(len(HDF5))
    except OSError:  # the reader reports the error
        return Path(path).suffix.lower() not in (".keras", ".h5", ".hdf5")
    if head == HDF5:
        return False
    return not head.startswith(b"PK") and Path(path).suffix.lower() != ".keras"


def read_estimator(path: str | os.PathLike[str]) -> Any:
    """Open an autoencoder that ``save`` wrote, without running any code in the file.

    Raises
    ------
    InvalidArchive
        The file is missing, damaged, hostile, or does not contain an autoencoder.
    """
    return loading.read(path, loading.ESTIMATORS)
