"""Lossy coding of samples at a chosen quality or size, by models fitted to similar ones."""

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
"""The least bytes of a section, which bounds the memory that a file can ask for."""


@dataclass(frozen=True)
class LossyModel:
    """Codes samples with loss, at a chosen quality or size.

    It has up to three coders, each with several operating points of size and error: quantized
    principal components; a nonlinear transform learned end to end (Ballé, Laparra and Simoncelli,
    2017); and for images of bytes, a few grey levels coded without loss, which the decoder refines.
    `RateControl` selects among them. All probabilities are integers, so every machine decodes the
    same codes; what is reconstructed from them may differ between machines in the last digit of a
    float, or by 1 in a byte.

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
        check_samples(samples, None, None)
        flat = samples.reshape(len(samples), -1)
        mean, ranges = scales(flat)
        coders = fit_coders(flat, samples.shape[1:], mean, ranges, seed, epochs)
        fitted = cls(samples.shape[1:], samples.dtype, mean, ranges, coders)
        # Files name a model by a hash of its arrays, in their order, which must be the same before
        # and after it is saved.
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
        wanted = _one_of(quality, bits)
        check_samples(samples, self.shape, self.dtype)
        flat = samples.reshape(len(samples), len(self.mean))
        if not flat.size:
            return b""
        control = RateControl(self.coders, self.ranges, self.dtype)
        return (control.at_quality if bits is None else control.at_size)(flat, wanted)

    def decode(self, data: bytes, n: int) -> NDArray[Any]:
        """Return the `n` samples that `data` hold: shape (n, *shape).

        Raises
        ------
        InvalidArchive
            The bytes are damaged, or of other samples or another model.
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
                with np.errstate(all="ignore"):  # what a damaged file brings to infinity
                    rebuilt = self.coders[name].rebuild(codes, point)
                    if not np.isfinite(rebuilt).all():
                        refuse_samples("codes of infinite values")
                flat[part] = to_dtype(rebuilt, self.dtype)
        cursor.close()
        return flat.reshape(n, *self.shape)

    def describe(self, data: bytes) -> str:
        """Return in words which coders made the bytes."""
        names = [LOSSY_CODERS_BY_NUMBER[data[place]].name for place in (0, 2) if data]
        return " and ".join(dict.fromkeys(names))

    def needed_for(self, *coded: bytes) -> LossyModel:
        """Return a smaller model, of those coders alone that made these bytes with this one."""
        numbers = {data[place] for data in coded if data for place in (0, 2)}
        names = [LOSSY_CODERS_BY_NUMBER[number].name for number in sorted(numbers)]
        kept = {name: self.coders[name] for name in names}
        return replace(self, coders=kept or self.coders)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what the model is."""
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
            The arrays are not such a description.
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
    """Return the one that was given; raises InvalidParameter."""
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
