"""Transform coding: samples as a few integer codes, which are entropy-coded independently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.compression.lossy.arrays import (
    as_stored,
    checked_array,
    refuse_model,
    require_names,
    stored_dtype,
    to_stored,
)
from isthmus.compression.lossy.static_tables import StaticTables
from isthmus.persistence.prefixes import with_prefix, without_prefix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.lossy.arrays import Arrays
    from isthmus.core.types import Floats

    Integers = NDArray[np.int64]
    Doubles = NDArray[np.float64]

MOST_CODES = 1024
MOST_POINTS = 64
_LARGEST = 2.0**30
_FARTHEST = 1e6
"""Values are clipped at this many ranges from the mean, so that no float32 overflows."""
_DEAD_ZONE = 0.4
"""Added before rounding down. Below 0.5, it makes zeros more frequent, which cost few bits."""
_CELLS = 2**21
"""Cells transformed at once, to limit working memory."""


@dataclass(frozen=True)
class LinearTransform:
    """Principal components, quantized with one step, which is optimal for Gaussians.

    Parameters
    ----------
    basis : ndarray of float32, shape (components, cells)
        Orthonormal rows.
    steps : ndarray of float32, shape (points,)
        Quantization steps, decreasing.
    offsets : ndarray of float32, shape (points,)
        The mean excess of rounded magnitudes, in steps.
    """

    basis: Floats
    steps: Floats
    offsets: Floats

    @property
    def points(self) -> int:
        """The number of operating points."""
        return len(self.steps)

    @property
    def codes(self) -> int:
        """The number of codes of a sample."""
        return len(self.basis)

    def analyse(self, cells: Floats, point: int) -> Integers:
        """Return the integer codes (n, codes) of centred cells (n, cells)."""
        components = (cells @ self.basis.T) / self.steps[point]
        codes: Integers = (np.sign(components) * self.magnitudes(np.abs(components))).astype(
            np.int64
        )
        return codes

    @staticmethod
    def magnitudes(steps: Floats) -> Floats:
        """Return the integer magnitudes of components, given their magnitudes in steps."""
        whole: Floats = np.floor(steps + np.float32(_DEAD_ZONE))
        return np.minimum(whole, np.float32(_LARGEST))

    def synthesise(self, codes: Integers, point: int) -> Floats:
        """Return the cells (n, cells) of codes (n, codes)."""
        values = codes.astype(np.float32)
        values -= np.sign(values) * self.offsets[point]
        cells: Floats = (values * self.steps[point]) @ self.basis
        return cells

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the transform as arrays, for `from_arrays`."""
        return {"basis": self.basis, "steps": self.steps, "offsets": self.offsets}

    @classmethod
    def from_arrays(cls, arrays: Arrays, cells: int) -> Self:
        """Return the transform that `to_arrays` described."""
        basis = checked_array(arrays, "basis", np.float32, (None, cells))
        steps = checked_array(arrays, "steps", np.float32, (None,))
        offsets = checked_array(arrays, "offsets", np.float32, (len(steps),))
        if len(basis) > min(MOST_CODES, cells) or len(steps) > MOST_POINTS or not steps.min() > 0:
            refuse_model("steps", "few positive steps", f"{len(steps)} for {len(basis)} components")
        require_names(arrays, {"basis", "steps", "offsets"})
        return cls(basis, steps, offsets)


@dataclass(frozen=True)
class TransformNetwork:
    """A perceptron and a linear path in each direction, with a gain per code and operating point.

    The method is Ballé, Laparra and Simoncelli, 2017, "End-to-end optimized image compression". One
    network serves all points, by gains as in Cui et al., 2021, "Asymmetric gained deep image
    compression with continuous rate adaptation", and by biases per point.

    Parameters
    ----------
    weights : dict of str to ndarray of float32
        With c cells, k codes, u and v hidden units, and p points: ``encoder.linear`` (c, k),
        ``encoder.0`` (c, u), ``encoder.1`` (u, v), ``encoder.2`` (v, k), ``encoder.bias0`` (p, u),
        ``encoder.bias1`` (p, v), ``gain`` (p, k); ``decoder.`` likewise in reverse, with
        ``decoder.bias2`` (c,) and ``decoder.gain`` (p, k).
    """

    weights: dict[str, Floats]

    @property
    def points(self) -> int:
        """The number of operating points."""
        return len(self.weights["encoder.gain"])

    @property
    def codes(self) -> int:
        """The number of codes of a sample."""
        return int(self.weights["encoder.gain"].shape[1])

    def analyse(self, cells: Floats, point: int) -> Integers:
        """Return the integer codes (n, codes) of centred cells (n, cells)."""
        codes = self._both(cells, "encoder", point) * self.weights["encoder.gain"][point]
        whole: Integers = np.clip(np.rint(codes), -_LARGEST, _LARGEST).astype(np.int64)
        return whole

    def synthesise(self, codes: Integers, point: int) -> Floats:
        """Return the cells (n, cells) of codes (n, codes)."""
        values = codes.astype(np.float32) * self.weights["decoder.gain"][point]
        return self._both(values, "decoder", point) + self.weights["decoder.bias2"]

    def _both(self, values: Floats, side: str, point: int) -> Floats:
        weights = self.weights
        hidden = values
        for i in range(2):
            hidden = _gelu(hidden @ weights[f"{side}.{i}"] + weights[f"{side}.bias{i}"][point])
        output: Floats = values @ weights[f"{side}.linear"] + hidden @ weights[f"{side}.2"]
        return output

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the transform as arrays, for `from_arrays`."""
        return to_stored(self.weights)

    @classmethod
    def from_arrays(cls, arrays: Arrays, cells: int) -> Self:
        """Return the transform that `to_arrays` described."""
        points, codes = checked_array(arrays, "encoder.gain", np.float32, (None, None)).shape
        outer, inner = checked_array(arrays, "encoder.1", np.float16, (None, None)).shape
        if points > MOST_POINTS or codes > MOST_CODES:
            refuse_model("encoder.gain", "a few codes and points", f"{codes} and {points}")
        sizes = network_sizes(cells, codes, (outer, inner), points)
        weights = {
            name: checked_array(arrays, name, stored_dtype(name), size)
            for name, size in sizes.items()
        }
        require_names(arrays, set(sizes))
        return cls(as_stored(weights))


def network_sizes(
    cells: int, codes: int, units: tuple[int, int], points: int
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's weights."""
    outer, inner = units
    return {
        "encoder.linear": (cells, codes),
        "encoder.0": (cells, outer),
        "encoder.1": (outer, inner),
        "encoder.2": (inner, codes),
        "encoder.bias0": (points, outer),
        "encoder.bias1": (points, inner),
        "encoder.gain": (points, codes),
        "decoder.linear": (codes, cells),
        "decoder.0": (codes, inner),
        "decoder.1": (inner, outer),
        "decoder.2": (outer, cells),
        "decoder.bias0": (points, inner),
        "decoder.bias1": (points, outer),
        "decoder.bias2": (cells,),
        "decoder.gain": (points, codes),
    }


def _gelu(values: Floats) -> Floats:
    """Return GELU, by tanh: Hendrycks and Gimpel, 2016, "Gaussian error linear units"."""
    cube = values + np.float32(0.044715) * values * values * values
    return values * (
        np.float32(0.5) * np.tanh(np.float32(np.sqrt(2 / np.pi)) * cube) + np.float32(0.5)
    )


@dataclass(frozen=True)
class TransformCoder:
    """Codes samples by a transform and static frequency tables.

    Parameters
    ----------
    mean, ranges : ndarray of float64, shape (cells,)
        `mean` is subtracted from the cells, which are then divided by `ranges`.
    transform : LinearTransform or TransformNetwork
    tables : tuple of StaticTables
        One per operating point.
    """

    mean: Doubles
    ranges: Doubles
    transform: LinearTransform | TransformNetwork
    tables: tuple[StaticTables, ...]

    @classmethod
    def of(
        cls,
        mean: Doubles,
        ranges: Doubles,
        transform: LinearTransform | TransformNetwork,
        samples: NDArray[Any],
    ) -> Self:
        """Estimate the frequencies of the codes from samples (n, cells)."""
        coder = cls(mean, ranges, transform, ())
        tables = [StaticTables.of(coder.codes(samples, point)) for point in range(transform.points)]
        return cls(mean, ranges, transform, tuple(tables))

    @property
    def points(self) -> int:
        """The number of operating points, the smallest size first."""
        return len(self.tables)

    def codes(self, samples: NDArray[Any], point: int) -> Integers:
        """Return the integer codes (n, codes) of samples (n, cells)."""
        codes = np.empty((len(samples), self.transform.codes), np.int64)
        for part in _parts(samples.shape):
            cells = centred(samples[part], self.mean, self.ranges)
            codes[part] = self.transform.analyse(cells, point)
        if self.tables:
            lost = np.ones(codes.shape[1], np.bool_)
            lost[self.tables[point].columns] = False
            codes[:, lost] = 0
        return codes

    def size(self, codes: Integers, point: int) -> float:
        """Return the approximate size of what `pack` returns, in bytes."""
        return float(self.tables[point].bits(codes).sum()) / 8

    def pack(self, codes: Integers, point: int) -> bytes:
        """Return codes as bytes."""
        return self.tables[point].encode(codes)

    def unpack(self, packed: bytes, rows: int, point: int) -> Integers:
        """Return the codes that were packed; raises InvalidArchive."""
        return self.tables[point].decode(packed, rows, self.transform.codes)

    def rebuild(self, codes: Integers, point: int) -> Doubles:
        """Return the samples (n, cells) of codes, neither clipped nor rounded."""
        values = np.empty((len(codes), len(self.mean)))
        for part in _parts(values.shape):
            cells = self.transform.synthesise(codes[part], point)
            values[part] = cells * self.ranges + self.mean
        return values

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the coder as arrays, without `mean` and `ranges`."""
        arrays = with_prefix(self.transform.to_arrays(), "transform.")
        for point, tables in enumerate(self.tables):
            arrays |= with_prefix(tables.to_arrays(), f"{point}.")
        return arrays

    @classmethod
    def from_arrays(
        cls,
        arrays: Arrays,
        kind: type[LinearTransform | TransformNetwork],
        mean: Doubles,
        ranges: Doubles,
    ) -> Self:
        """Return the coder that `to_arrays` described."""
        transform = kind.from_arrays(without_prefix(arrays, "transform."), len(mean))
        tables = tuple(
            StaticTables.from_arrays(without_prefix(arrays, f"{point}."), transform.codes)
            for point in range(transform.points)
        )
        coder = cls(mean, ranges, transform, tables)
        require_names(arrays, set(coder.to_arrays()))
        return coder


def centred(samples: NDArray[Any], mean: Doubles, ranges: Doubles) -> Floats:
    """Return samples (n, cells) centred and scaled, as transforms expect them."""
    with np.errstate(over="ignore"):
        cells = (samples - mean) / ranges
    return np.clip(cells, -_FARTHEST, _FARTHEST).astype(np.float32)


def _parts(shape: tuple[int, ...]) -> list[slice]:
    rows, cells = shape
    step = max(1, _CELLS // cells)
    return [slice(first, min(first + step, rows)) for first in range(0, rows, step)]
