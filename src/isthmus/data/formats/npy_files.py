"""NumPy's .npy files, which hold one array. Nothing is unpickled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from isthmus.data.formats.arrays import Arrays, check_header, load, samples
from isthmus.data.formats.conversion import as_array

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def read(path: Path) -> Arrays:
    """Read the array of an .npy file."""
    return Arrays(samples(path, load(path.open, path.stat().st_size, str(path))))


def mapped(path: Path) -> NDArray[Any]:
    """Memory-map the array of an .npy file without reading it."""
    with path.open("rb") as file:
        check_header(file, path.stat().st_size, str(path))
    return samples(path, np.load(path, mmap_mode="r", allow_pickle=False))


def write(file: BinaryIO, data: Any) -> None:
    """Write data as one array."""
    np.lib.format.write_array(file, as_array(data), allow_pickle=False)
