"""Lossy coding of samples at a chosen quality or size, by models fitted to similar samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.compression.coders.byte_cursor import Cursor
from isthmus.compression.lossy.arrays import (
    checked_array,
    refuse_model,
    refuse_samples,
    require_names,
)
from isthmus.compression.lossy.catalogue import LOSSY_CODERS, LOSSY_CODERS_BY_NUMBER
from isthmus.compression.lossy.fitting import fit_coders
from isthmus.compression.lossy.rate_control import RateControl
from isthmus.compression.lossy.samples import (
    DTYPES,
    SECTION_CELLS,
    check_samples,
    scales,
    sections,
    to_dtype,
)
from isthmus.core.errors import InvalidParameter
from isthmus.persistence.prefixes import with_prefix, without_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.compression.lossy.rate_distortion import LossyCoder
    from isthmus.compression.lossy.transform import Doubles

_SMALLEST_SECTION = 8
"""The smallest size of a section in bytes, which limits the memory that a file can require."""


@dataclass(frozen=True)
class LossyModel:
    """Codes samples with loss, at a chosen quality or size.

    It has up to three coders, each with several operating points of size and error: quantized
    principal components; a nonlinear transform learned end to end (Ballé, Laparra and Simoncelli,
    2017); and for images of bytes, a few grey levels coded without loss, which the decoder refines.
    `RateControl` selects among them. All probabilities are integers, so every machine decodes the
    same codes. The samples reconstructed from them may differ between machines in the last digit of
    a float, or by 1 in a byte.

    Parameters
    ----------
    shape : tuple of int
        The shape of a sample.
    dtype : dtype
        uint8, float32 or float64.
    mean, ranges : ndarray of float64, shape (cells,)
        The mean and the range of each cell. Errors are relative to the ranges, which are 255 for
        bytes.
    coders : dict of str to coder
        At least one of "linear", "network" and "levels".
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
            Finite numbers, at least one. Bytes of shape (n, height, width) or (n, height, width,
            up to 4 channels) are also coded as images.
        seed : int
            For weights and the order of samples.
        epochs : float, optional
            The mean number of times that the networks see each sample. None: computed from the
            amount of data.

        Raises
        ------
        InvalidData
            `samples` is not an array of this kind.
        TrainingDiverged
            No finite weights were found.
        """
        check_samples(samples, None, None)
        flat = samples.reshape(len(samples), -1)
        mean, ranges = scales(flat)
        coders = fit_coders(flat, samples.shape[1:], mean, ranges, seed, epochs)
        fitted = cls(samples.shape[1:], samples.dtype, mean, ranges, coders)
        # Files identify a model by a hash of its arrays in their order, which must be the same
        # before and after it is saved.
        return cls.from_arrays(fitted.to_arrays())

    def encode(
        self, samples: NDArray[Any], quality: float | None = None, *, bits: float | None = None
    ) -> bytes:
        """Return samples as bytes.

        Parameters
        ----------
        samples : ndarray, shape (n, *shape)
            Of the type that the model was fitted to; finite.
        quality : float
            The smallest allowed ratio of peak to error in decibels: ``-10 log10`` of the squared
            error relative to `ranges`, averaged over all cells. For images, this is PSNR.
        bits : float
            The most bits per cell, instead of `quality`. The quality is as high as they allow.

        Raises
        ------
        InvalidData
            `samples` is not an array of this kind.
        InvalidParameter
            Neither or both of `quality` and `bits` were given, no coder reaches the quality, or all
            coders need more bits.
        """
        wanted = _one_of(quality, bits)
        check_samples(samples, self.shape, self.dtype)
        flat = samples.reshape(len(samples), len(self.mean))
        if not flat.size:
            return b""
        control = RateControl(self.coders, self.ranges, self.dtype)
        return (control.at_quality if bits is None else control.at_size)(flat, wanted)

    def decode(self, data: bytes, n: int) -> NDArray[Any]:
        """Return the `n` samples that are encoded in `data`: shape (n, *shape).

        Raises
        ------
        InvalidArchive
            The bytes are damaged, or are not `n` samples that this model encoded.
        """
        cells = len(self.mean)
        if n < 0 or n * cells // SECTION_CELLS * _SMALLEST_SECTION > len(data):
            refuse_samples(f"{len(data)} bytes for {n} samples")
        if not n * cells:
            if data:
                refuse_samples("bytes, though there are no samples")
            return np.empty((n, *self.shape), self.dtype)
        cursor = Cursor(data)
        points = [(cursor.read(1)[0], cursor.read(1)[0]) for _ in range(2)]
        count = cursor.varint(n)
        flat = np.empty((n, cells), self.dtype)
        for (coder, point), rows in zip(points, (slice(0, count), slice(count, n)), strict=True):
            known = LOSSY_CODERS_BY_NUMBER.get(coder)
            name = "" if known is None else known.name
            if name not in self.coders or point >= self.coders[name].points:
                refuse_samples(f"point {point} of coder {coder}, unknown to this model")
            for part in sections(rows, cells):
                packed = bytes(cursor.length_prefixed())
                codes = self.coders[name].unpack(packed, part.stop - part.start, point)
                with np.errstate(all="ignore"):  # a damaged file may cause overflow
                    rebuilt = self.coders[name].rebuild(codes, point)
                    if not np.isfinite(rebuilt).all():
                        refuse_samples("codes of infinite values")
                flat[part] = to_dtype(rebuilt, self.dtype)
        cursor.close()
        return flat.reshape(n, *self.shape)

    def describe(self, data: bytes) -> str:
        """Return the names of the coders that encoded the bytes."""
        names = [LOSSY_CODERS_BY_NUMBER[data[place]].name for place in (0, 2) if data]
        return " and ".join(dict.fromkeys(names))

    def needed_for(self, *coded: bytes) -> LossyModel:
        """Return a model with only the coders that encoded these bytes."""
        numbers = {data[place] for data in coded if data for place in (0, 2)}
        names = [LOSSY_CODERS_BY_NUMBER[number].name for number in sorted(numbers)]
        kept = {name: self.coders[name] for name in names}
        return replace(self, coders=kept or self.coders)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the model as arrays, for `from_arrays`."""
        arrays: dict[str, NDArray[Any]] = {
            "shape": np.array(self.shape, np.int64),
            "dtype": np.array([DTYPES.index(self.dtype)], np.int64),
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
            The arrays do not describe a model.
        """
        sizes = np.size(arrays.get("shape", ()))
        shape = tuple(map(int, checked_array(arrays, "shape", np.int64, (sizes,))))
        kind = int(checked_array(arrays, "dtype", np.int64, (1,))[0])
        mean = checked_array(arrays, "mean", np.float64, (None,))
        ranges = checked_array(arrays, "ranges", np.float64, mean.shape)
        if min(shape, default=1) < 1 or math.prod(shape) != len(mean):
            refuse_model("shape", f"that of samples of {len(mean)} values", str(shape))
        if not 0 <= kind < len(DTYPES) or not ranges.min() > 0:
            refuse_model("dtype", "a known one, and positive ranges", f"{kind}")
        coders: dict[str, LossyCoder] = {}
        for name, entry in LOSSY_CODERS.items():
            if own := without_prefix(arrays, f"{name}."):
                coders[name] = entry.from_arrays(own, mean, ranges)
        model = cls(shape, DTYPES[kind], mean, ranges, coders)
        is_bytes = DTYPES[kind] == np.uint8
        if not coders or any(LOSSY_CODERS[name].bytes_only and not is_bytes for name in coders):
            refuse_model("coders", "at least one, and levels only for bytes", str(list(coders)))
        require_names(arrays, set(model.to_arrays()))
        return model


def _one_of(quality: Any, bits: Any) -> float:
    """Return the parameter that was given; raises InvalidParameter unless exactly one was."""
    wanted = quality if bits is None else bits
    known = isinstance(wanted, (int, float, np.integer, np.floating))
    if None not in (quality, bits) or not known or not math.isfinite(wanted):
        raise InvalidParameter(
            "quality and bits",
            expected="exactly one of them, a finite number",
            received=f"quality {quality!r} and bits {bits!r}",
            remedy="pass quality= in decibels, or bits= per value",
        )
    return float(wanted)
