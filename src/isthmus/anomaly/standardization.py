"""Standardised rows, and how an autoencoder encodes and reconstructs them.

All scores and explanations work on one float32 matrix, (n, d): every column has mean 0 and
standard deviation 1 over the rows passed to `fit`, categories are one-hot, and images are
flattened. `StandardizedSpace.matrix` is the only place where rows are converted. Outliers are
treated as follows:

- in the schema's units, outliers of robust columns are compressed (`isthmus.data.scaling`);
- in the matrix they are not, because the score depends on how far out a row is;
- the default network and the distances see ``symlog`` of the matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.aligned_memory import aligned_empty
from isthmus.data.scaling import compress_tails, expand_tails

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.estimators.base import BaseAutoencoder

FARTHEST = 1e9
"""In standard deviations; its square is finite in float32."""
LARGEST_EXPONENT = 60.0
"""With a larger exponent, a value exceeds `FARTHEST` in any case."""
_RARE = 0.25
"""Smallest scale of a one-hot cell, and of a pixel relative to the average pixel."""
_BLOCK_CELLS = 1 << 22
_WIDTH_STEP = 128
"""The default network's number of columns is a multiple of this."""


@dataclass(frozen=True)
class StandardizedSpace:
    """Converts rows to the standardised matrix and back, and runs the matrix through a network.

    Parameters
    ----------
    schema : Schema
        Converts rows to its own units.
    center, scale : float64 array of shape (d,)
        Mean and standard deviation of each matrix column before it is standardised.
    autoencoder : isthmus estimator
        A fitted autoencoder.
    compressed : bool
        Whether the network is the default one, which sees `padded_symlog` of the matrix. Otherwise
        `schema` is the network's own schema, and the network sees its units.
    """

    schema: Schema
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    autoencoder: BaseAutoencoder
    compressed: bool

    def matrix(self, scaled: Floats) -> Floats:
        """Return rows in the schema's units standardised, missing cells filled."""
        return self.filled(standardised(scaled, self.schema, self.center, self.scale), scaled)

    def filled(self, rows: Floats, scaled: Floats) -> Floats:
        """Fill missing cells with the network's reconstruction, in place.

        Parameters
        ----------
        rows : array of shape (n, d)
            Standardised rows; NaN marks a missing cell.
        scaled : array of shape (n, *sample_shape)
            The same rows in the schema's units.
        """
        missing = np.isnan(rows)
        if missing.any():
            gaps = np.flatnonzero(missing.any(axis=1))
            given = padded_symlog(rows[gaps]) if self.compressed else scaled[gaps]
            rows[gaps] = np.where(missing[gaps], self._reconstructed(given), rows[gaps])
        return rows

    def restore(self, matrix: Floats, like: Any = None) -> Any:
        """Return standardised rows in the user's container, units, names and types."""
        return self.schema.from_matrix(self._scaled(matrix), like)

    def reconstruct(self, matrix: Floats) -> Floats:
        """Return the autoencoder's reconstruction of standardised rows, (n, d)."""
        return self._reconstructed(self._network_input(matrix))

    def encode(self, matrix: Floats) -> Floats:
        """Return the codes of standardised rows, (n, latent_dim)."""
        return self._encoded(self._network_input(matrix))

    def encode_and_reconstruct(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Return both codes and reconstruction; the network's input is computed only once."""
        given = self._network_input(matrix)
        return self._encoded(given), self._reconstructed(given)

    def decode(self, codes: Floats) -> Floats:
        """Return what codes, (n, latent_dim), are decoded to, in the schema's units."""
        made = self.autoencoder.decode_matrix(_at_least_two(codes))[: len(codes)]
        if not self.compressed:
            return made
        return self._scaled(self._expanded(made.reshape(len(made), -1)))

    def _network_input(self, matrix: Floats) -> Floats:
        return padded_symlog(matrix) if self.compressed else self._scaled(matrix)

    def _encoded(self, given: Floats) -> Floats:
        return self.autoencoder.encode_matrix(_at_least_two(given))[: len(given)]

    def _reconstructed(self, given: Floats) -> Floats:
        """Return the standardised reconstruction, (n, d), of rows as the network sees them."""
        rebuilt = self.autoencoder.reconstruct_matrix(_at_least_two(given))
        rebuilt = rebuilt[: len(given)].reshape(len(given), -1)
        if self.compressed:
            return self._expanded(rebuilt)
        return standardised(rebuilt, self.schema, self.center, self.scale)

    def _expanded(self, rebuilt: Floats) -> Floats:
        """Return the default network's output, which is padded and compressed, standardised."""
        rebuilt = rebuilt[:, : len(self.center)]
        if self.schema.absent is not None:
            rebuilt = np.where(self.schema.absent, np.float32(0), rebuilt)
        return symexp(rebuilt)

    def _scaled(self, matrix: Floats) -> Floats:
        """Return standardised rows in the schema's units, (n, *sample_shape)."""
        values = matrix.astype(np.float64) * self.scale + self.center
        compress_tails(values, self._robust)
        rows = values.astype(np.float32)
        return rows.reshape(len(rows), *self.schema.sample_shape)

    @cached_property
    def _robust(self) -> NDArray[np.bool_]:
        return robust_columns(self.schema)


def _at_least_two(given: Floats) -> Floats:
    """Repeat a single row: run alone, its last bits would differ from those in a larger batch."""
    return np.repeat(given, 2, axis=0) if len(given) == 1 else given


def center_and_scale(
    scaled: Floats, schema: Schema, chosen: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the center and scale, (d,) each, of rows in the schema's units.

    The scale of one-hot cells and pixels has a floor. Otherwise a rare change in an almost constant
    cell would outweigh all others.

    Parameters
    ----------
    scaled : array of shape (n, *sample_shape)
        The rows.
    schema : Schema
        Their schema.
    chosen : array of int, optional
        Numbers of the rows that count; by default, all.
    """
    numbers = np.arange(len(scaled)) if chosen is None else chosen
    width = math.prod(schema.sample_shape)
    # A sum over one column depends on how many rows are added at a time, a sum over several not.
    step = len(numbers) if width == 1 else max(1, _BLOCK_CELLS // width)

    def blocks() -> Iterator[NDArray[np.float64]]:
        for start in range(0, len(numbers), step):
            yield _without_compression(scaled[numbers[start : start + step]], schema)

    with np.errstate(over="ignore"):
        center, scale = _moments(blocks)
    floor = np.zeros(len(scale))
    for segment in schema.segments:
        if segment.kind != "numeric":
            floor[segment.start : segment.stop] = _RARE
    if len(schema.sample_shape) > 1:
        known = scale if schema.absent is None else scale[~schema.absent]
        floor[:] = _RARE * math.sqrt(float(np.mean(np.square(known))))
    scale = np.maximum(scale, floor)
    scale[scale <= 1e-6 * np.maximum(np.abs(center), 1e-6)] = 1.0
    return center, scale


def _moments(
    blocks: Callable[[], Iterator[NDArray[np.float64]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    present = np.maximum(sum((~np.isnan(block)).sum(axis=0) for block in blocks()), 1)
    center = _sum(np.where(np.isnan(block), 0, block) for block in blocks()) / present
    away = (np.where(np.isnan(block), 0, block - center) for block in blocks())
    return center, np.sqrt(_sum(np.square(each) for each in away) / present)


def _sum(blocks: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the sum of the rows of all blocks, (d,), with the bits that one block would give.

    NumPy adds rows of several columns one after the other.
    """
    total: NDArray[np.float64] | None = None
    for block in blocks:
        rows = block if total is None else np.concatenate([total[None], block])
        total = rows.sum(axis=0)
    if total is None:
        raise AssertionError("there are rows")
    return total


def standardised(
    scaled: Floats, schema: Schema, center: NDArray[np.float64], scale: NDArray[np.float64]
) -> Floats:
    """Return rows in the schema's units, (n, *sample_shape), as the standardised matrix, (n, d).

    Pixels that were missing in every row of `fit` are 0.
    """
    width = len(center)
    rows = np.empty((len(scaled), width), dtype=np.float32)
    step = max(1, _BLOCK_CELLS // width)
    for start in range(0, len(scaled), step):
        part = _without_compression(scaled[start : start + step], schema)
        np.clip((part - center) / scale, -FARTHEST, FARTHEST, out=part)
        if schema.absent is not None:
            part[:, schema.absent] = 0.0
        rows[start : start + step] = part
    return rows


def _without_compression(scaled: Floats, schema: Schema) -> NDArray[np.float64]:
    """Return rows with the schema's compression of outliers undone, (n, d)."""
    rows = scaled.reshape(len(scaled), -1).astype(np.float64)
    expand_tails(rows, robust_columns(schema), largest=LARGEST_EXPONENT)
    return rows


def robust_columns(schema: Schema) -> NDArray[np.bool_]:
    """Return a mask of the matrix columns that the schema scales robustly, compressing outliers."""
    width = math.prod(schema.sample_shape)
    robust = schema.scaling.method == "robust"  # type: ignore[attr-defined]
    if not schema.segments:
        return np.full(width, robust)
    columns = np.zeros(width, dtype=bool)
    for segment in schema.segments:
        columns[segment.start : segment.stop] = robust and segment.kind == "numeric"
    return columns


def symlog(matrix: Floats) -> Floats:
    """Return ``sign(x) log(1 + |x|)`` in float32: linear near 0, logarithmic far out."""
    return np.copysign(np.log1p(np.abs(matrix)), matrix).astype(np.float32, copy=False)


def symexp(matrix: Floats) -> Floats:
    """Undo `symlog`."""
    size = np.expm1(np.minimum(np.abs(matrix), math.log1p(FARTHEST)))
    return np.copysign(size, matrix).astype(np.float32, copy=False)


def padded_width(width: int) -> int:
    """Return the default network's input width for a matrix of `width` columns."""
    return -(-width // _WIDTH_STEP) * _WIDTH_STEP


def padded_symlog(matrix: Floats) -> Floats:
    """Return `symlog` of the matrix padded with columns of zeros, for the default network.

    Data sets of similar widths then share a network shape, which is compiled once.
    """
    return _padded(matrix, np.arange(len(matrix)))


def training_input(matrix: Floats, chosen: NDArray[np.intp]) -> Floats:
    """Return `padded_symlog` of some rows, read-only and aligned: a network trains on it in place.

    Parameters
    ----------
    matrix : array of shape (n, d)
        Standardised rows.
    chosen : array of int
        Numbers of the rows.
    """
    rows = _padded(matrix, chosen)
    rows.flags.writeable = False
    return rows


def _padded(matrix: Floats, chosen: NDArray[np.intp]) -> Floats:
    width = matrix.shape[1]
    rows = aligned_empty((len(chosen), padded_width(width)))
    step = max(1, _BLOCK_CELLS // width)
    for start in range(0, len(chosen), step):
        part = slice(start, start + step)
        rows[part, :width] = symlog(matrix[chosen[part]])
        rows[part, width:] = 0
    return rows
