"""What formats of arrays share: samples, labels, and checks of NumPy's headers."""

from __future__ import annotations

import math
import tokenize
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


MOST_CELLS = 1 << 23
"""Cells of a batch of samples; each becomes a float32, and some become two."""


class Arrays(NamedTuple):
    """Samples, their labels, the test samples of a file that has some, and names of images."""

    X: NDArray[Any]
    y: NDArray[Any] | None = None
    X_test: NDArray[Any] | None = None
    y_test: NDArray[Any] | None = None
    names: list[str] | None = None


def load(open_: Callable[[str], Any], size: int, what: str) -> NDArray[Any]:
    """Read an array that is stored in `size` bytes, after checking its header."""
    with open_("rb") as file:
        check_header(file, size, what)
    with open_("rb") as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def check_header(file: IO[bytes], size: int, what: str) -> None:
    """Refuse Python objects and records, and a header that claims more bytes than there are."""
    try:
        version = np.lib.format.read_magic(file)
        # Version 3 differs from 2 only for records with names beyond ASCII, refused below.
        first = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except (ValueError, SyntaxError, tokenize.TokenError) as error:
        raise damaged(what, str(error).splitlines()[0]) from None
    if dtype.kind not in "biufSU":
        raise UnreadableFile(
            what,
            expected="numbers",
            received="Python objects, which are never unpickled" if dtype.hasobject else f"{dtype}",
            remedy="save the array again as numbers: array.astype(float)",
        )
    if math.prod(shape) * dtype.itemsize > size - file.tell():
        raise damaged(what, f"fewer bytes than shape {shape} needs")


def damaged(what: str, received: str) -> UnreadableFile:
    """Return the error for an array that cannot be read."""
    return UnreadableFile(
        what,
        expected="an array in NumPy's format",
        received=received,
        remedy="check that the file is complete, or save it again with numpy.save",
    )


def samples(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """Return `array` if its rows can be samples; raises UnreadableFile otherwise."""
    if array.ndim < 2 or not array.size or array.dtype.kind not in "biuf":
        raise UnreadableFile(
            str(path),
            expected="numbers in at least 2 dimensions, with at least one row",
            received=f"shape {array.shape} of {array.dtype}",
            remedy="make each sample a row: array.reshape(n, -1)",
        )
    return array


def labels(path: Path, X: NDArray[Any], y: NDArray[Any] | None) -> NDArray[Any] | None:
    """Return one label per sample; an array of shape (n, 1) becomes one of shape (n,)."""
    if y is None:
        return None
    if len(np.atleast_1d(y)) != len(X):
        raise UnreadableFile(
            str(path),
            expected=f"{len(X)} labels, one for each sample",
            received=f"shape {y.shape}",
            remedy="save one label for each sample",
        )
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
