"""Classes of the 256 values of a pixel, and the frequency of each value in its class."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from isthmus.compression.entropy.integer_networks import TOTAL_BITS
from isthmus.core.errors import InvalidArchive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.entropy.rans import Shares

VALUES = 256
MOST_CLASSES = 64
_SMALL = 1 / 256
"""A class with at most this fraction of the pixels is not divided further."""
_TOTAL = 2**TOTAL_BITS - 1


@dataclass(frozen=True)
class Alphabet:
    """Classes of adjacent values: frequent values have their own class, rare ones share one.

    The network predicts the class. The values of a class have static frequencies out of 2**16, the
    last slot of which is unused.

    Parameters
    ----------
    bounds : ndarray of uint16, shape (classes + 1,)
        Class k contains the values from ``bounds[k]`` to ``bounds[k + 1] - 1``.
    shares : ndarray of uint16, shape (256,)
        The frequency of each value in its class.

    Raises
    ------
    InvalidArchive
        The bounds do not rise from 0 to 256, or the shares do not fill their classes.
    """

    bounds: NDArray[np.uint16]
    shares: NDArray[np.uint16]

    def __post_init__(self) -> None:
        steps = np.diff(self.bounds.astype(np.int64))
        if (
            self.bounds.ndim != 1
            or not 1 <= len(steps) <= MOST_CLASSES
            or (self.bounds[0], self.bounds[-1]) != (0, VALUES)
            or (steps < 1).any()
            or self.shares.shape != (VALUES,)
            or not self.shares.all()
            or (np.add.reduceat(self.shares.astype(np.int64), self.bounds[:-1]) != _TOTAL).any()
        ):
            raise InvalidArchive(
                "an alphabet of pixels",
                expected="classes that divide the values 0 to 255, and shares that fill them",
                received="other bounds or shares",
                remedy="use the file as it was written",
            )

    @classmethod
    def of(cls, counts: NDArray[np.int64]) -> Self:
        """Divide the values into classes by their counts, shape (256,)."""
        bounds = [0, VALUES]
        large = int(counts.sum() * _SMALL)
        while len(bounds) <= MOST_CLASSES:
            wide = [k for k in range(len(bounds) - 1) if bounds[k + 1] - bounds[k] > 1]
            masses = {k: int(counts[bounds[k] : bounds[k + 1]].sum()) for k in wide}
            k = max(masses, key=lambda k: masses[k], default=0)
            if masses.get(k, 0) <= large:
                break
            bounds.insert(k + 1, bounds[k] + _halved(counts[bounds[k] : bounds[k + 1]]))
        parts = [counts[a:b] for a, b in itertools.pairwise(bounds)]
        return cls(np.array(bounds, np.uint16), np.concatenate([_filled(part) for part in parts]))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @cached_property
    def class_of(self) -> NDArray[np.intp]:
        """The class of each value, shape (256,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.bounds))

    @cached_property
    def several(self) -> NDArray[np.bool_]:
        """Whether a class has several values, shape (classes,)."""
        several: NDArray[np.bool_] = np.diff(self.bounds) > 1
        return several

    @cached_property
    def stops(self) -> Shares:
        """The end of the slots of each value in its class: shape (256,)."""
        ends = np.cumsum(self.shares.astype(np.int64))
        stops: Shares = (ends - _TOTAL * self.class_of).astype(np.uint32)
        return stops

    @cached_property
    def starts(self) -> Shares:
        """The first slot of each value in its class: shape (256,)."""
        starts: Shares = self.stops - self.shares
        return starts

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        return (self.class_of << TOTAL_BITS) + self.stops

    def find(
        self, classes: NDArray[np.intp], shares: Shares, part: slice
    ) -> tuple[NDArray[np.intp], Shares, Shares]:
        """Return the values at these slots of a part of `classes`: see `RansDecoder.pop`."""
        classes = classes[part]
        values = np.searchsorted(self._keys, (classes << TOTAL_BITS) + shares, "right")
        values = np.minimum(values, VALUES - 1)
        known = (self.class_of[values] == classes) & (shares < _TOTAL)
        return values, self.starts[values], np.where(known, self.shares[values], 0)


def _halved(counts: NDArray[np.int64]) -> int:
    """Return where to divide a class of several values so that the larger part is smallest.

    That is before or after the median, and after it if it is the only value that occurs.
    """
    up_to = np.cumsum(counts)
    total = up_to[-1]
    median = int(np.argmax(2 * up_to >= total))
    before = median and total - up_to[median - 1] < up_to[median]
    return median if before or median + 1 == len(counts) else median + 1


def _filled(counts: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Return frequencies in proportion to counts, each at least 1."""
    free = _TOTAL - len(counts)
    ends = np.cumsum(counts.astype(np.int64) * 2 + 1)
    exact = np.array([int(end) * free // int(ends[-1]) for end in ends])
    return (np.diff(exact, prepend=0) + 1).astype(np.uint16)
