"""Lossy coding of samples at a stated quality or size, by models that have seen others."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.compression.coders.byte_cursor import Cursor, length_prefixed, varint
from isthmus.compression.lossy.arrays import (
    checked_array,
    refuse_model,
    refuse_samples,
    require_names,
    with_prefix,
    without_prefix,
)
from isthmus.compression.lossy.fitting import fit_coders
from isthmus.compression.lossy.grey_levels import LevelsCoder
from isthmus.compression.lossy.rate_distortion import CombinedPoint, OperatingPoint, lower_hull
from isthmus.compression.lossy.transform import LinearTransform, TransformCoder, TransformNetwork
from isthmus.core.errors import InvalidData, InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from isthmus.compression.lossy.rate_distortion import LossyCoder
    from isthmus.compression.lossy.transform import Doubles

_DTYPES = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
_NAMES = ("linear", "network", "levels")
"""Coders by the number that they have in files."""
_TRIED = 128
"""Samples on which all coders are compared."""
_SECTION = 2**22
"""Cells coded at once: what working memory grows with."""
_SMALLEST = 8
"""Bytes that a section takes at least."""
_ROUNDS = 6


@dataclass(frozen=True)
class LossyModel:
    """Makes bytes of samples, few for a low quality and more for a high one.

    Up to three coders stand ready, each at several fixed compromises between size and error:
    principal components in equal steps; a nonlinear transform learned end to end (Ballé, Laparra
    and Simoncelli, 2017); for images of bytes, a few grey levels coded without loss and refined by
    the decoder. Which of them do best is measured on the samples at hand. The first samples of a
    file are coded at one compromise and the others at the next coarser one, so that quality and
    size are met closely. All probabilities are whole numbers, so every machine reads the same
    codes; what is rebuilt from them may differ in the last digit of a float, and by one grey level
    of a byte, from one machine to another.

    Parameters
    ----------
    shape : tuple of int
        Of a sample.
    dtype : dtype
        uint8, float32 or float64.
    mean, ranges : ndarray of float64, shape (cells,)
        Of each cell; errors are relative to the ranges, which are 255 for bytes.
    coders : dict of str to coder
        Of "linear", "network" and "levels" those that there are.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    mean: Doubles
    ranges: Doubles
    coders: Mapping[str, LossyCoder]

    @classmethod
    def fit(cls, samples: NDArray[Any], *, seed: int, epochs: float | None = None) -> Self:
        """Learn a model of samples.

        Parameters
        ----------
        samples : ndarray of uint8, float32 or float64, shape (n, *shape)
            At least one finite number. Bytes of shape (n, height, width) or (n, height, width,
            up to 4 channels) are also taken as images.
        seed : int
            For weights and the order of samples.
        epochs : float, optional
            How often the networks see each sample on the mean. None: from the amount of data.

        Raises
        ------
        InvalidData
            They are not such samples.
        TrainingDiverged
            No finite weights were found.
        """
        _check(samples, None, None)
        flat = samples.reshape(len(samples), -1)
        mean, ranges = _scales(flat)
        coders = fit_coders(flat, samples.shape[1:], mean, ranges, seed, epochs)
        return cls(samples.shape[1:], samples.dtype, mean, ranges, coders)

    def encode(
        self, samples: NDArray[Any], quality: float | None = None, *, bits: float | None = None
    ) -> bytes:
        """Return samples as bytes.

        Parameters
        ----------
        samples : ndarray, shape (n, *shape)
            Of the type that the model was fitted to; finite.
        quality : float
            The least ratio of peak to error, in decibels: ``-10 log10`` of the squared error
            relative to `ranges`, on the mean over all cells; PSNR for images.
        bits : float
            Instead: the most bits per cell; quality is then as good as that allows.

        Raises
        ------
        InvalidData
            They are not such samples.
        InvalidParameter
            Neither or both were given, or no coder reaches the quality, or all need more bits.
        """
        wanted = _wanted(quality, bits)
        _check(samples, self.shape, self.dtype)
        flat = samples.reshape(len(samples), len(self.mean))
        if not flat.size:
            return b""
        hull = self._hull(flat)
        return (self._of_quality if bits is None else self._of_size)(flat, hull, wanted)

    def decode(self, data: bytes, n: int) -> NDArray[Any]:
        """Return the `n` samples that `data` hold: shape (n, *shape).

        Raises
        ------
        InvalidArchive
            The bytes are damaged, or of other samples or another model.
        """
        cells = len(self.mean)
        if n < 0 or n * cells // _SECTION * _SMALLEST > len(data):
            refuse_samples(f"{len(data)} bytes for {n} samples")
        if not n * cells:
            if data:
                refuse_samples("bytes for no samples")
            return np.empty((n, *self.shape), self.dtype)
        cursor = Cursor(data)
        points = [(cursor.read(1)[0], cursor.read(1)[0]) for _ in range(2)]
        count = cursor.varint(n)
        flat = np.empty((n, cells), self.dtype)
        for (coder, point), rows in zip(points, (slice(0, count), slice(count, n)), strict=True):
            name = _NAMES[coder] if coder < len(_NAMES) else ""
            if name not in self.coders or point >= self.coders[name].points:
                refuse_samples(f"point {point} of coder {coder}, which this model has not")
            for part in self._sections(rows):
                packed = bytes(cursor.length_prefixed())
                codes = self.coders[name].unpack(packed, part.stop - part.start, point)
                with np.errstate(all="ignore"):  # what a damaged file brings to infinity
                    rebuilt = self.coders[name].rebuild(codes, point)
                    if not np.isfinite(rebuilt).all():
                        refuse_samples("codes that stand for no finite numbers")
                flat[part] = self._rounded(rebuilt)
        cursor.close()
        return flat.reshape(n, *self.shape)

    def describe(self, data: bytes) -> str:
        """Return in words which coders made the bytes."""
        names = [_NAMES[data[place]] for place in (0, 2) if data]
        return " and ".join(dict.fromkeys(names))

    def needed_for(self, *coded: bytes) -> LossyModel:
        """Return a smaller model, of those coders alone that made these bytes with this one."""
        numbers = {data[place] for data in coded if data for place in (0, 2)}
        kept = {_NAMES[number]: self.coders[_NAMES[number]] for number in sorted(numbers)}
        return replace(self, coders=kept or self.coders)

    def _hull(self, flat: NDArray[Any]) -> list[OperatingPoint]:
        """Return the compromises that no mixture of others beats, from small to large.

        Sizes are in bytes, errors means over cells, both of evenly spread samples.
        """
        rows = np.unique(np.linspace(0, len(flat) - 1, _TRIED).astype(np.intp))
        tried = flat[rows]
        points = []
        for name, coder in self.coders.items():
            for point in range(coder.points):
                codes = coder.codes(tried, point)
                error = self._errors(tried, codes, coder, point).mean()
                size = coder.size(codes, point)
                points.append(OperatingPoint(name, point, size, float(error)))
        return lower_hull(points)

    def _of_quality(self, flat: NDArray[Any], hull: list[OperatingPoint], quality: float) -> bytes:
        """Take the fewest samples at the finer of two compromises that keep the promise."""
        allowed = 10 ** (-quality / 10) * len(flat)
        good = [i for i, each in enumerate(hull) if each.error * len(flat) <= allowed]
        first = max(0, min(good, default=len(hull) - 1) - 1)
        coarse = self._whole(flat, hull[first])
        while coarse.errors.sum() <= allowed and first:
            first -= 1
            coarse = self._whole(flat, hull[first])
        if coarse.errors.sum() <= allowed:
            return self._written(coarse, coarse, 0)
        for each in hull[first + 1 :]:
            fine = self._whole(flat, each)
            left = coarse.errors.sum() - np.cumsum(coarse.errors - fine.errors)
            enough = np.flatnonzero(left <= allowed)
            if len(enough):
                return self._written(coarse, fine, int(enough[0]) + 1)
            coarse = fine
        best = -10 * math.log10(coarse.errors.mean())
        raise InvalidParameter(
            "quality",
            expected=f"at most {best:.1f} decibels, which this model reaches on these samples",
            received=f"{quality}",
            remedy="pass a lower quality, or bound the error of each value with max_error=",
        )

    def _of_size(self, flat: NDArray[Any], hull: list[OperatingPoint], bits: float) -> bytes:
        """Take the most samples at the finer of two compromises that the size allows."""
        allowed = bits * flat.size / 8
        ratio = len(flat) / min(len(flat), _TRIED)
        first = max(0, sum(each.size * ratio <= allowed for each in hull) - 1)
        coarse = self._whole(flat, hull[first])
        best = self._written(coarse, coarse, 0)
        while len(best) > allowed and first:
            first -= 1
            coarse = self._whole(flat, hull[first])
            best = self._written(coarse, coarse, 0)
        if len(best) > allowed:
            raise InvalidParameter(
                "bits",
                expected=f"at least {8 * len(best) / flat.size:.4f} for these samples",
                received=f"{bits}",
                remedy="allow more bits, or put more samples in one call",
            )
        for each in hull[first + 1 :]:
            fine = self._whole(flat, each)
            whole = self._written(fine, fine, 0)
            if len(whole) > allowed:
                return self._divided(coarse, fine, best, whole, allowed)
            coarse, best = fine, whole
        return best

    def _divided(
        self, coarse: CombinedPoint, fine: CombinedPoint, best: bytes, large: bytes, allowed: float
    ) -> bytes:
        """Find by how many samples at the finer compromise the allowed size is reached."""
        low, high, n = 0, len(coarse.errors), len(coarse.errors)
        small_size, large_size = len(best), len(large)
        for _ in range(_ROUNDS):
            if high - low < 2:
                break
            share = (allowed - small_size) / max(1, large_size - small_size)
            count = min(max(low + 1, low + int(share * (high - low))), high - 1)
            written = self._written(coarse, fine, count)
            if len(written) <= allowed:
                low, small_size, best = count, len(written), written
                if len(written) > allowed * (1 - 1 / max(n, 500)):
                    break
            else:
                high, large_size = count, len(written)
        return best

    def _whole(self, flat: NDArray[Any], chosen: OperatingPoint) -> CombinedPoint:
        """Code all samples at one compromise, without writing them yet."""
        coder = self.coders[chosen.coder]
        codes = [coder.codes(flat[part], chosen.point) for part in self._sections(slice(len(flat)))]
        joined = np.concatenate(codes)
        errors = self._errors(flat, joined, coder, chosen.point)
        return CombinedPoint(chosen, joined, errors)

    def _written(self, coarse: CombinedPoint, fine: CombinedPoint, count: int) -> bytes:
        """Return the first `count` samples at one compromise and the others at another."""
        n = len(coarse.errors)
        coarse = fine if count == n else coarse
        out = [bytes([_NAMES.index(each.at.coder), each.at.point]) for each in (fine, coarse)]
        out.append(varint(count))
        for each, rows in ((fine, slice(0, count)), (coarse, slice(count, n))):
            coder = self.coders[each.at.coder]
            parts = self._sections(rows)
            out += [length_prefixed(coder.pack(each.codes[part], each.at.point)) for part in parts]
        return b"".join(out)

    def _errors(
        self, flat: NDArray[Any], codes: NDArray[Any], coder: LossyCoder, point: int
    ) -> NDArray[np.float64]:
        """Return the mean squared error of each sample, relative to the ranges: shape (n,)."""
        errors = np.empty(len(flat))
        for part in self._sections(slice(len(flat))):
            rebuilt = self._rounded(coder.rebuild(codes[part], point))
            apart = (rebuilt.astype(np.float64) - flat[part]) / self.ranges
            errors[part] = (apart**2).mean(1)
        return errors

    def _rounded(self, values: Doubles) -> NDArray[Any]:
        if self.dtype == np.uint8:
            return np.clip(np.rint(values), 0, 255).astype(np.uint8)
        largest = float(np.finfo(self.dtype).max)
        return np.clip(values, -largest, largest).astype(self.dtype)

    def _sections(self, rows: slice) -> Iterator[slice]:
        step = max(1, _SECTION // len(self.mean))
        for first in range(rows.start or 0, rows.stop, step):
            yield slice(first, min(first + step, rows.stop))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what the model is."""
        arrays: dict[str, NDArray[Any]] = {
            "shape": np.array(self.shape, np.int64),
            "dtype": np.array([_DTYPES.index(self.dtype)], np.int64),
            "mean": self.mean,
            "ranges": self.ranges,
        }
        for name, coder in self.coders.items():
            arrays |= with_prefix(coder.to_arrays(), f"{name}.")
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model that `to_arrays` described.

        Raises
        ------
        InvalidArchive
            The arrays are not such a description.
        """
        sizes = np.size(arrays.get("shape", ()))
        shape = tuple(map(int, checked_array(arrays, "shape", np.int64, (sizes,))))
        kind = int(checked_array(arrays, "dtype", np.int64, (1,))[0])
        mean = checked_array(arrays, "mean", np.float64, (None,))
        ranges = checked_array(arrays, "ranges", np.float64, mean.shape)
        if min(shape, default=1) < 1 or math.prod(shape) != len(mean):
            refuse_model("shape", f"that of samples of {len(mean)} values", str(shape))
        if not 0 <= kind < len(_DTYPES) or not ranges.min() > 0:
            refuse_model("dtype", "a known one, and positive ranges", f"{kind}")
        coders: dict[str, LossyCoder] = {}
        for name, transform in (("linear", LinearTransform), ("network", TransformNetwork)):
            if own := without_prefix(arrays, f"{name}."):
                coders[name] = TransformCoder.from_arrays(own, transform, mean, ranges)
        if own := without_prefix(arrays, "levels."):
            coders["levels"] = LevelsCoder.from_arrays(own, len(mean))
        model = cls(shape, _DTYPES[kind], mean, ranges, coders)
        if not coders or ("levels" in coders and kind):
            refuse_model("coders", "at least one, and levels for bytes alone", str(list(coders)))
        require_names(arrays, set(model.to_arrays()))
        return model


def _wanted(quality: Any, bits: Any) -> float:
    """Return which of the two was given."""
    wanted = quality if bits is None else bits
    known = isinstance(wanted, (int, float, np.integer, np.floating))
    if None not in (quality, bits) or not known or not math.isfinite(wanted):
        raise InvalidParameter(
            "quality and bits",
            expected="one of them, a finite number",
            received=f"quality {quality!r} and bits {bits!r}",
            remedy="pass quality= in decibels, or bits= per value",
        )
    return float(wanted)


def _scales(flat: NDArray[Any]) -> tuple[Doubles, Doubles]:
    """Return the mean of each cell, and its range; 1 where all values are one, 255 for bytes."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = flat.mean(0, dtype=np.float64)
        ranges = flat.max(0).astype(np.float64) - flat.min(0)
    if flat.dtype == np.uint8:
        return mean, np.full(len(mean), 255.0)
    if not (np.isfinite(mean).all() and np.isfinite(ranges).all()):
        raise InvalidData(
            "samples to be coded with loss",
            expected="numbers whose sum and range float64 can hold",
            received="larger ones",
            remedy="scale them first, or code them with max_error=",
        )
    return mean, np.where(ranges > 0, ranges, 1.0)


def _check(samples: Any, shape: tuple[int, ...] | None, dtype: np.dtype[Any] | None) -> None:
    known = isinstance(samples, np.ndarray) and samples.dtype in _DTYPES
    if (
        not known
        or samples.ndim < 1
        or (dtype is not None and samples.dtype != dtype)
        or (shape is not None and samples.shape[1:] != shape)
        or (shape is None and not samples.size)
    ):
        wanted = "uint8, float32 or float64" if dtype is None else str(dtype)
        received = getattr(samples, "shape", type(samples).__name__)
        raise InvalidData(
            "samples to be coded with loss",
            expected=f"{wanted} of shape (n, {', '.join(map(str, shape or ('...',)))})",
            received=f"{getattr(samples, 'dtype', '')} of shape {received}",
            remedy="pass an array of bytes or floats with samples along the first axis",
        )
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise InvalidData(
            "samples to be coded with loss",
            expected="finite numbers",
            received="NaN or infinity",
            remedy="fill or drop them, or code them with max_error=",
        )
