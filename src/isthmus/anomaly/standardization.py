"""Standardised rows, and what an autoencoder makes of them.

All scores and explanations work on one matrix: (n, d), float32, every column with mean 0 and
standard deviation 1 over the rows that `fit` saw, categories one-hot, pictures flattened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.data.scaling import KNEE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.estimators.base import BaseAutoencoder

_FARTHEST = 1e9
"""Standard deviations: squares of it are still numbers in float32."""
_RARE = 0.25
"""What the deviation of a category's or a picture's cell counts as at least, of the usual one."""
_BLOCK_CELLS = 1 << 22
_GRAIN = 128
"""Columns of the default network are a multiple of so many."""


@dataclass(frozen=True)
class StandardizedSpace:
    """The way between the user's rows and the matrix, and from the matrix through a network.

    Parameters
    ----------
    schema : Schema
        From rows to its own scaled units, where outliers are compressed; undone here, since how
        far they lie out is what counts.
    center, scale : float64 array of shape (d,)
        Mean and standard deviation of each column of the matrix, before it is standardised.
    autoencoder : isthmus estimator
        Fitted.
    compressed : bool
        Whether the network sees ``sign(x) log(1 + |x|)`` of the matrix and zeros behind it
        (`shown`), as the default one does; otherwise the schema is its own, and it sees that one's
        units.
    """

    schema: Schema
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    autoencoder: BaseAutoencoder
    compressed: bool

    def matrix(self, X: Any) -> Floats:
        """Return rows standardised; missing cells take what the network expects there."""
        scaled = self.schema.to_matrix(X)
        rows = standardised(scaled, self.schema, self.center, self.scale)
        missing = np.isnan(rows)
        if missing.any():
            gaps = np.flatnonzero(missing.any(axis=1))
            given = shown(rows[gaps]) if self.compressed else scaled[gaps]
            rows[gaps] = np.where(missing[gaps], self._seen(self._through(given)), rows[gaps])
        return rows

    def restore(self, matrix: Floats, like: Any = None) -> Any:
        """Return standardised rows in the user's container, units, names and types."""
        return self.schema.from_matrix(self._scaled(matrix), like)

    def reconstruct(self, matrix: Floats) -> Floats:
        """Return what the autoencoder makes of standardised rows, (n, d)."""
        return self._seen(self._through(self._shown(matrix)))

    def encode(self, matrix: Floats) -> Floats:
        """Return the codes of standardised rows, (n, latent_dim)."""
        given = _at_least_two(self._shown(matrix))
        return self.autoencoder.encode_matrix(given)[: len(matrix)]

    def _shown(self, matrix: Floats) -> Floats:
        return shown(matrix) if self.compressed else self._scaled(matrix)

    def _through(self, given: Floats) -> Floats:
        rebuilt = self.autoencoder.reconstruct_matrix(_at_least_two(given))
        return rebuilt[: len(given)].reshape(len(given), -1)

    def _seen(self, rebuilt: Floats) -> Floats:
        if self.compressed:
            return expand(rebuilt[:, : len(self.center)])
        return standardised(rebuilt, self.schema, self.center, self.scale)

    def _shaped(self, rows: Floats) -> Floats:
        return rows.reshape(len(rows), *self.schema.sample_shape)

    def _scaled(self, matrix: Floats) -> Floats:
        """Return standardised rows in the schema's units, (n, *sample_shape)."""
        values = matrix.astype(np.float64) * self.scale + self.center
        cells = self._robust
        size = np.abs(values[:, cells])
        far = KNEE * (1 + np.log(np.maximum(size, KNEE) / KNEE))
        values[:, cells] = np.where(
            size > KNEE, np.copysign(far, values[:, cells]), values[:, cells]
        )
        return self._shaped(values.astype(np.float32))

    @cached_property
    def _robust(self) -> NDArray[np.bool_]:
        return robust_cells(self.schema)


def _at_least_two(given: Floats) -> Floats:
    """Return a single row twice: by itself it would differ in its last bits from one of many."""
    return np.repeat(given, 2, axis=0) if len(given) == 1 else given


def learn(scaled: Floats, schema: Schema) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the center and scale of each column of rows in the schema's units.

    Cells of categories and pictures that hardly ever differ have no tiny scale: one that does
    would drown all others.
    """
    rows = _expanded(scaled, schema)
    with np.errstate(over="ignore"):
        center, scale = _moments(rows)
    floor = np.zeros(len(scale))
    for segment in schema.segments:
        if segment.kind != "numeric":
            floor[segment.start : segment.stop] = _RARE
    if len(schema.sample_shape) > 1:
        floor[:] = _RARE * math.sqrt(float(np.mean(np.square(scale))))
    scale = np.maximum(scale, floor)
    scale[scale <= 1e-6 * np.maximum(np.abs(center), 1e-6)] = 1.0
    return center, scale


def _moments(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    seen = ~np.isnan(rows)
    count = np.maximum(seen.sum(axis=0), 1)
    center = np.where(seen, rows, 0).sum(axis=0) / count
    away = np.where(seen, rows - center, 0)
    return center, np.sqrt(np.square(away).sum(axis=0) / count)


def standardised(
    scaled: Floats, schema: Schema, center: NDArray[np.float64], scale: NDArray[np.float64]
) -> Floats:
    """Return rows in the schema's units, (n, *sample_shape), as the matrix, (n, d)."""
    width = len(center)
    rows = np.empty((len(scaled), width), dtype=np.float32)
    step = max(1, _BLOCK_CELLS // width)
    for start in range(0, len(scaled), step):
        part = _expanded(scaled[start : start + step], schema)
        np.clip((part - center) / scale, -_FARTHEST, _FARTHEST, out=part)
        rows[start : start + step] = part
    return rows


def _expanded(scaled: Floats, schema: Schema) -> NDArray[np.float64]:
    """Return rows without the schema's compression of outliers, (n, d)."""
    rows = scaled.reshape(len(scaled), -1).astype(np.float64)
    far = robust_cells(schema) & (np.abs(rows) > KNEE)
    if far.any():
        size = KNEE * np.exp(np.minimum(np.abs(rows[far]) / KNEE - 1, 60.0))
        rows[far] = np.copysign(size, rows[far])
    return rows


def robust_cells(schema: Schema) -> NDArray[np.bool_]:
    """Return which columns of the schema's matrix are scaled robustly, outliers compressed."""
    width = math.prod(schema.sample_shape)
    robust = schema.scaling.method == "robust"  # type: ignore[attr-defined]
    if not schema.segments:
        return np.full(width, robust)
    cells = np.zeros(width, dtype=bool)
    for segment in schema.segments:
        cells[segment.start : segment.stop] = robust and segment.kind == "numeric"
    return cells


def compress(matrix: Floats) -> Floats:
    """Return ``sign(x) log(1 + |x|)``, in float32: near 0 as it is, far out like a logarithm."""
    return np.copysign(np.log1p(np.abs(matrix)), matrix).astype(np.float32, copy=False)


def shown_width(width: int) -> int:
    """Return how many columns the default network has for a matrix of `width` columns."""
    return -(-width // _GRAIN) * _GRAIN


def shown(matrix: Floats) -> Floats:
    """Return the matrix compressed, zeros behind it, as the default network sees it.

    Sets of many widths then have networks of one shape, whose programs are compiled once.
    """
    width = matrix.shape[1]
    rows = np.zeros((len(matrix), shown_width(width)), dtype=np.float32)
    rows[:, :width] = compress(matrix)
    return rows


def expand(matrix: Floats) -> Floats:
    """Undo `compress`."""
    size = np.expm1(np.minimum(np.abs(matrix), math.log1p(_FARTHEST)))
    return np.copysign(size, matrix).astype(np.float32, copy=False)
