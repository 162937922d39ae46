"""The images for recipes: MNIST from a file, or the digits that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidData
from isthmus.core.randomness import generator_for
from isthmus.data.reading import read

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.reading import Dataset

SIDE = 28
"""Pixels on each side of an image, as in all tutorials."""
_SCALE, _MARGIN = 3, 2  # 8 x 8 pixels become 24 x 24, and a margin of 2 makes 28 x 28
_TEST_SHARE = 5


@dataclass(frozen=True, eq=False)
class Digits:
    """Labelled images of digits, split into training and test rows.

    Parameters
    ----------
    name : str
        The name of the data.
    x_train, x_test : float32 array of shape (n, 28, 28)
        Fractions of white, 0 to 1.
    y_train, y_test : array of shape (n,)
        The digit in each image.
    notes : tuple of str
        Notes on the images, for readers of the figures.
    """

    name: str
    x_train: Floats
    y_train: NDArray[Any]
    x_test: Floats
    y_test: NDArray[Any]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {len(self.x_train):,} training, {len(self.x_test):,} test images"

    def shaped(self, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Return the training and test images in another shape of 784 numbers."""
        return self.x_train.reshape(-1, *shape), self.x_test.reshape(-1, *shape)

    def examples(self) -> NDArray[np.intp]:
        """Return the indices of ten test images, one of each digit if there are ten classes."""
        _, first = np.unique(self.y_test, return_index=True)
        others = np.setdiff1d(np.arange(len(self.y_test)), first)
        return np.concatenate([first, others])[:10]


def bundled() -> Digits:
    """Return scikit-learn's 1,797 digits at MNIST's size, every fifth as a test image."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    shares = (bunch.images / 16).astype(np.float32)
    large = np.kron(shares, np.ones((1, _SCALE, _SCALE), np.float32))
    pictures = np.pad(large, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    test = np.arange(len(pictures)) % _TEST_SHARE == 0
    return Digits(
        "scikit-learn's digits",
        *(pictures[~test], bunch.target[~test], pictures[test], bunch.target[test]),
        notes=(
            "Run on scikit-learn's digits. Their 8 × 8 pixels are enlarged to 24 × 24, with a "
            "margin of 2, so that every layer has the tutorial's size. The tutorials use MNIST, "
            "which has forty times as many images; add --data mnist.npz to compare figures.",
        ),
    )


def from_file(path: str | os.PathLike[str]) -> Digits:
    """Read labelled images of 28 × 28 pixels, such as MNIST from Keras' ``mnist.npz``.

    Parameters
    ----------
    path : path
        A file that `isthmus.data.reading.read` can read. Test rows are the file's own, else a
        random tenth.

    Raises
    ------
    UnreadableFile
        The file is missing, damaged or not of the format that its name says.
    InvalidData
        The file does not contain labelled images of 28 × 28 pixels.
    """
    held = read(path)
    x, x_test = (None if part is None else _pictures(held, part) for part in (held.X, held.X_test))
    if x is None or held.y is None or (x_test is not None and held.y_test is None):
        raise InvalidData(
            held.name,
            expected="labels for the images: x_train, y_train, x_test and y_test",
            received="none",
            remedy="save them in one .npz file with numpy.savez",
        )
    if x_test is not None and held.y_test is not None:
        return Digits(held.name, x, held.y, x_test, held.y_test)
    order = generator_for(0, "recipe test rows").permutation(len(x))
    test, train = np.split(order, [max(1, len(x) // 10)])
    return Digits(held.name, x[train], held.y[train], x[test], held.y[test])


def _pictures(held: Dataset, rows: Any) -> Floats:
    """Return rows as images, with pixels from 0 to 1."""
    cells = rows.size if isinstance(rows, np.ndarray) else 0
    if cells != len(rows) * SIDE * SIDE or len(rows) < 2:
        shape = getattr(rows, "shape", ())
        raise InvalidData(
            held.name,
            expected=f"images of {SIDE} × {SIDE} pixels, like MNIST's",
            received=f"shape {shape}" if isinstance(rows, np.ndarray) else "a table",
            remedy="save x_train of shape (n, 28, 28), y_train, x_test and y_test with numpy.savez",
        )
    pictures: Floats = rows.reshape(-1, SIDE, SIDE).astype(np.float32)
    low, high = float(pictures.min()), float(pictures.max())
    if not (low >= 0 and high <= 255):  # also true of NaN
        raise InvalidData(
            held.name,
            expected="pixels from 0 to 255, or fractions from 0 to 1",
            received=f"values from {low:g} to {high:g}",
            remedy="scale them before saving",
        )
    return pictures / np.float32(255) if high > 1 else pictures
