"""Operating points of lossy coders, and their lower convex hull of size and error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LossyCoder(Protocol):
    """Codes samples at one of several operating points of size and error, the coarsest first."""

    @property
    def points(self) -> int:
        """The number of operating points."""

    def codes(self, samples: NDArray[Any], point: int) -> NDArray[Any]:
        """Return the integer codes (n, ...) of samples (n, cells)."""

    def size(self, codes: Any, point: int) -> float:
        """Return the approximate size of what `pack` returns, in bytes."""

    def pack(self, codes: Any, point: int) -> bytes:
        """Return codes as bytes."""

    def unpack(self, packed: bytes, rows: int, point: int) -> NDArray[Any]:
        """Return the codes that were packed; raises InvalidArchive."""

    def rebuild(self, codes: Any, point: int) -> NDArray[np.float64]:
        """Return the samples (n, cells) of codes, neither clipped nor rounded."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the coder as arrays."""


class OperatingPoint(NamedTuple):
    """A coder at one of its operating points, with its size and mean squared error."""

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
    """Return the corners of the lower convex hull, with rising sizes and falling errors.

    A point above the hull is worse than coding some samples at one corner and others at the next.
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
