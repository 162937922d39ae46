"""Choice of operating points with which samples reach a quality or fit in a size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders.byte_cursor import length_prefixed, varint
from isthmus.compression.lossy.catalogue import LOSSY_CODERS
from isthmus.compression.lossy.rate_distortion import CombinedPoint, OperatingPoint, lower_hull
from isthmus.compression.lossy.samples import sections, to_dtype
from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.compression.lossy.rate_distortion import LossyCoder

_COMPARED = 128
"""Samples on which the coders are compared."""
_ROUNDS = 6
"""The number of attempts to come closer to the allowed size."""


@dataclass(frozen=True)
class RateControl:
    """Codes samples with the coders and operating points that do best on them.

    The first samples are coded at one operating point and the others at the next coarser one, so
    that the quality or size is met closely.

    Parameters
    ----------
    coders : mapping of str to LossyCoder
    ranges : ndarray of float64, shape (cells,)
        Errors are relative to these.
    dtype : dtype
        The type of the samples.
    """

    coders: Mapping[str, LossyCoder]
    ranges: NDArray[np.float64]
    dtype: np.dtype[Any]

    def _lower_hull(self, flat: NDArray[Any]) -> list[OperatingPoint]:
        """Return the operating points on the lower convex hull of size and error, smallest first.

        Sizes, in bytes, and mean squared errors are measured on evenly spaced samples.
        """
        rows = np.unique(np.linspace(0, len(flat) - 1, _COMPARED).astype(np.intp))
        tried = flat[rows]
        points = []
        for name, coder in self.coders.items():
            for point in range(coder.points):
                codes = coder.codes(tried, point)
                error = self._squared_errors(tried, codes, coder, point).mean()
                size = coder.size(codes, point)
                points.append(OperatingPoint(name, point, size, float(error)))
        return lower_hull(points)

    def at_quality(self, flat: NDArray[Any], quality: float) -> bytes:
        """Reach the quality with the fewest samples at the finer of two operating points."""
        hull = self._lower_hull(flat)
        allowed = 10 ** (-quality / 10) * len(flat)
        good = [i for i, each in enumerate(hull) if each.error * len(flat) <= allowed]
        first = max(0, min(good, default=len(hull) - 1) - 1)
        coarse = self._coded(flat, hull[first])
        while coarse.errors.sum() <= allowed and first:
            first -= 1
            coarse = self._coded(flat, hull[first])
        if coarse.errors.sum() <= allowed:
            return self._packed(coarse, coarse, 0)
        for each in hull[first + 1 :]:
            fine = self._coded(flat, each)
            left = coarse.errors.sum() - np.cumsum(coarse.errors - fine.errors)
            enough = np.flatnonzero(left <= allowed)
            if len(enough):
                return self._packed(coarse, fine, int(enough[0]) + 1)
            coarse = fine
        best = -10 * math.log10(coarse.errors.mean())
        raise InvalidParameter(
            "quality",
            expected=f"at most {best:.1f} decibels, which this model reaches on these samples",
            received=f"{quality}",
            remedy="pass a lower quality, or bound the error of each value with max_error=",
        )

    def at_size(self, flat: NDArray[Any], bits: float) -> bytes:
        """Fit in the size with the most samples at the finer of two operating points."""
        hull = self._lower_hull(flat)
        allowed = bits * flat.size / 8
        ratio = len(flat) / min(len(flat), _COMPARED)
        first = max(0, sum(each.size * ratio <= allowed for each in hull) - 1)
        coarse = self._coded(flat, hull[first])
        best = self._packed(coarse, coarse, 0)
        while len(best) > allowed and first:
            first -= 1
            coarse = self._coded(flat, hull[first])
            best = self._packed(coarse, coarse, 0)
        if len(best) > allowed:
            raise InvalidParameter(
                "bits",
                expected=f"at least {8 * len(best) / flat.size:.4f} for these samples",
                received=f"{bits}",
                remedy="allow more bits, or put more samples in one call",
            )
        for each in hull[first + 1 :]:
            fine = self._coded(flat, each)
            whole = self._packed(fine, fine, 0)
            if len(whole) > allowed:
                return self._mixed(coarse, fine, best, whole, allowed)
            coarse, best = fine, whole
        return best

    def _mixed(
        self, coarse: CombinedPoint, fine: CombinedPoint, best: bytes, large: bytes, allowed: float
    ) -> bytes:
        """Find how many samples at the finer operating point the size allows."""
        low, high, n = 0, len(coarse.errors), len(coarse.errors)
        small_size, large_size = len(best), len(large)
        for _ in range(_ROUNDS):
            if high - low < 2:
                break
            fraction = (allowed - small_size) / max(1, large_size - small_size)
            count = min(max(low + 1, low + int(fraction * (high - low))), high - 1)
            written = self._packed(coarse, fine, count)
            if len(written) <= allowed:
                low, small_size, best = count, len(written), written
                if len(written) > allowed * (1 - 1 / max(n, 500)):
                    break
            else:
                high, large_size = count, len(written)
        return best

    def _coded(self, flat: NDArray[Any], chosen: OperatingPoint) -> CombinedPoint:
        """Code all samples at one operating point, without packing them yet."""
        coder = self.coders[chosen.coder]
        codes = [
            coder.codes(flat[part], chosen.point)
            for part in sections(slice(len(flat)), flat.shape[1])
        ]
        joined = np.concatenate(codes)
        errors = self._squared_errors(flat, joined, coder, chosen.point)
        return CombinedPoint(chosen, joined, errors)

    def _packed(self, coarse: CombinedPoint, fine: CombinedPoint, count: int) -> bytes:
        """Pack the first `count` samples at the finer point, the others at the coarser."""
        n = len(coarse.errors)
        coarse = fine if count == n else coarse
        out = [
            bytes([LOSSY_CODERS[each.at.coder].number, each.at.point]) for each in (fine, coarse)
        ]
        out.append(varint(count))
        for each, rows in ((fine, slice(0, count)), (coarse, slice(count, n))):
            coder = self.coders[each.at.coder]
            parts = sections(rows, len(self.ranges))
            out += [length_prefixed(coder.pack(each.codes[part], each.at.point)) for part in parts]
        return b"".join(out)

    def _squared_errors(
        self, flat: NDArray[Any], codes: NDArray[Any], coder: LossyCoder, point: int
    ) -> NDArray[np.float64]:
        """Return the mean squared error of each sample, relative to the ranges: shape (n,)."""
        errors = np.empty(len(flat))
        for part in sections(slice(len(flat)), flat.shape[1]):
            rebuilt = to_dtype(coder.rebuild(codes[part], point), self.dtype)
            apart = (rebuilt.astype(np.float64) - flat[part]) / self.ranges
            errors[part] = (apart**2).mean(1)
        return errors
