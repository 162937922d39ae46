"""Compromises between size and error, and the best of them on the samples at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LossyCoder(Protocol):
    """Codes samples at one of several fixed compromises, its points, numbered from coarse."""

    @property
    def points(self) -> int:
        """How many points there are."""

    def codes(self, samples: NDArray[Any], point: int) -> NDArray[Any]:
        """Return the whole numbers (n, ...) that stand for samples (n, cells)."""

    def size(self, codes: Any, point: int) -> float:
        """Return about how many bytes `pack` makes."""

    def pack(self, codes: Any, point: int) -> bytes:
        """Return whole numbers as bytes."""

    def unpack(self, packed: bytes, rows: int, point: int) -> NDArray[Any]:
        """Return the whole numbers of `pack`; raises InvalidArchive."""

    def rebuild(self, codes: Any, point: int) -> NDArray[np.float64]:
        """Return the samples (n, cells) of whole numbers, neither clipped nor rounded."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what the coder has learned."""


class OperatingPoint(NamedTuple):
    """A coder by name at one of its points, with the size and the mean error that it came to."""

    coder: str
    point: int
    size: float
    error: float


class CombinedPoint(NamedTuple):
    """All samples at one point: their codes, and the mean squared error of each (n,)."""

    at: OperatingPoint
    codes: NDArray[Any]
    errors: NDArray[np.float64]


def lower_hull(points: list[OperatingPoint]) -> list[OperatingPoint]:
    """Return the corners of the convex hull below, sizes rising and errors falling.

    What lies above it is beaten by coding some samples at one corner and the others at the next.
    """
    hull: list[OperatingPoint] = []
    for each in sorted(points, key=lambda each: (each.size, each.error)):
        if hull and each.error >= hull[-1].error:
            continue
        while len(hull) > 1 and _above(hull[-2], hull[-1], each):
            hull.pop()
        hull.append(each)
    return hull


def _above(left: OperatingPoint, middle: OperatingPoint, right: OperatingPoint) -> bool:
    fall = (left.error - right.error) * (middle.size - left.size)
    return (left.error - middle.error) * (right.size - left.size) <= fall
