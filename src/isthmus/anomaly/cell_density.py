"""Conditional density of each cell: how unlikely it is given its row, and its expected value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.core.randomness import generator_for
from isthmus.persistence.array_checks import check_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_MOST_ROWS = 2_000
_FEWEST_ROWS = 200
_MOST_CELLS = 1_000_000
"""Limit on the cells of the rows kept: wide tables keep fewer rows."""
_WIDTH = 0.5
"""Kernel width, in standard deviations of a column."""
_UNLIKE = 0.05
"""The kernel's floor, which limits the effect of a single outlying cell."""
_TEMPERATURE = 0.35
"""The log of the kernels' product is divided by this times the square root of the number of
columns, if that exceeds 1. Otherwise correlated columns would count as independent evidence."""
_MARGINAL = 0.05
"""Weight of the column's marginal density in the conditional density."""
_UNSEEN = 1e-3
"""Weight of the density of unseen values."""
_FAULT = 3.0
"""Scale of the values of a faulty cell, in standard deviations of its column."""
_POINTS = 400
"""Number of kernels in a column's marginal density."""
_CHUNK = 2_000_000
"""Largest (rows, reference rows, columns) array held in memory, in cells."""


@dataclass(frozen=True)
class CellModel:
    """Kernel density of a cell given the other cells of its row, estimated from normal rows.

    To score a cell, each normal row gets a weight: the product, over the other columns, of a
    Gaussian kernel that never falls below a floor. A faulty cell is equally far from all normal
    rows, so thanks to the floor it hardly changes the weights, and no cell is blamed for the fault
    of another. The weighted kernels of the cell's own column give its density (conditional kernel
    density estimation: Rosenblatt, 1969, "Conditional probability density and regression
    estimators"), and the weighted mean is its expected value. The one-hot columns of a category
    are treated as one.
    """

    rows: Floats
    """(m, d), normal rows, standardised."""
    column_of: NDArray[np.int32]
    """(d,), the table column that each matrix column belongs to, numbered from 0 in order."""

    @classmethod
    def fit(
        cls, reference: Floats, *, groups: Sequence[Sequence[int]] | None = None, seed: int = 0
    ) -> Self:
        """Keep a random sample of bounded size of the normal rows.

        Parameters
        ----------
        reference : array of shape (n, d)
            Normal rows, standardised.
        groups : sequence of sequences of int, optional
            For each table column, its matrix columns: several for a one-hot encoded category.
            None: each matrix column is a table column.
        seed : int
            Seeds the sample.

        Raises
        ------
        InvalidParameter
            `groups` omits a column or lists it twice.
        """
        matrix = np.asarray(reference, dtype=np.float32)
        width = matrix.shape[1]
        kept = min(_MOST_ROWS, max(_FEWEST_ROWS, _MOST_CELLS // width))
        part = np.sort(generator_for(seed, "cells").permutation(len(matrix))[:kept])
        return cls(matrix[part], _owners(groups, width))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays for an archive: float32 (m, d) and int32 (d,)."""
        return {"rows": self.rows, "column_of": self.column_of}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, width: int) -> Self:
        """Rebuild the model from the output of `to_arrays`, for matrices of `width` columns.

        Raises
        ------
        InvalidArchive
            The arrays do not describe such a model.
        """
        check_arrays(arrays, {"rows": ("float32", (None, width)), "column_of": ("int32", (width,))})
        if len(arrays["rows"]) > _MOST_ROWS:
            rows = f"{len(arrays['rows']):,}"
            raise InvalidArchive(
                "the archive's normal rows", expected=f"at most {_MOST_ROWS:,}", received=rows
            )
        owners = arrays["column_of"]
        if owners.min() != 0 or len(np.unique(owners)) != owners.max() + 1:
            raise InvalidArchive("the archive's column_of", expected="every column, from 0")
        return cls(arrays["rows"], owners)

    @cached_property
    def columns(self) -> tuple[NDArray[np.intp], ...]:
        """For each table column, its matrix columns."""
        order = np.argsort(self.column_of, kind="stable")
        return tuple(np.split(order, np.flatnonzero(np.diff(self.column_of[order])) + 1))

    def surprise(
        self, matrix: Floats, ignored: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Return how much more likely each cell is as a fault than as a normal value, (n, columns).

        This is log(1 + q / p), where p is the density of the cell given the others, and q the
        density of a faulty value, a few standard deviations wide. It is always positive, and
        log 2 where the two are equal.

        Parameters
        ----------
        matrix : array of shape (n, d)
            Standardised rows.
        ignored : bool array of shape (n, columns), optional
            Cells that do not count as evidence for the others.
        """
        matrix = np.asarray(matrix, dtype=np.float32)
        density = np.empty((len(matrix), len(self.columns)))
        for part, kernels, weights in self._weighted(matrix, ignored, _TEMPERATURE):
            density[part] = np.einsum("bmc,bmc->bc", weights, kernels) / weights.sum(axis=1)
        return self._log_odds(matrix, density)

    def expected(self, matrix: Floats, ignored: NDArray[np.bool_] | None = None) -> Floats:
        """Return the expected value of each cell given the other cells of its row, (n, d).

        For a number, this is the mean; for a category, the most likely one in the normal rows.
        Takes the same parameters as `surprise`.
        """
        matrix = np.asarray(matrix, dtype=np.float32)
        values = np.empty_like(matrix)
        for part, _, weights in self._weighted(matrix, ignored, _TEMPERATURE / 2):
            weights /= weights.sum(axis=1, keepdims=True)
            for column, cells in enumerate(self.columns):
                if len(cells) == 1:
                    values[part, cells[0]] = weights[:, :, column] @ self.rows[:, cells[0]]
                else:
                    kinds, which = self._categories[column]
                    votes = weights[:, :, column] @ np.eye(len(kinds), dtype=np.float32)[which]
                    values[part][:, cells] = kinds[votes.argmax(axis=1)]
        return values

    def _weighted(
        self, matrix: Floats, ignored: NDArray[np.bool_] | None, temperature: float
    ) -> Iterator[tuple[slice, Floats, Floats]]:
        """Yield a slice of rows, the kernels, and the weights of the other columns.

        Kernels and weights have shape (rows, m, columns).
        """
        starts = np.cumsum([0, *(len(cells) for cells in self.columns[:-1])])
        order = np.concatenate(self.columns)
        single = len(starts) == len(order)
        rows = self.rows[:, order]
        power = np.float32(max(1, temperature * math.sqrt(len(starts))))
        step = max(1, _CHUNK // max(rows.size, 1))
        for first in range(0, len(matrix), step):
            part = slice(first, min(first + step, len(matrix)))
            away = np.square(matrix[part, None, order] - rows)
            if not single:
                away = np.add.reduceat(away, starts, axis=2)
            kernels = np.exp(away * np.float32(-0.5 / _WIDTH**2))
            like = kernels * np.float32(1 - _UNLIKE) + np.float32(_UNLIKE)
            if ignored is not None:
                like = np.where(ignored[part, None], np.float32(1), like)
            evidence = np.log(like, out=like) / power
            together = evidence.sum(axis=2)
            together -= together.max(axis=1, keepdims=True)
            yield part, kernels, np.exp(together[:, :, None] - evidence)

    def _log_odds(self, matrix: Floats, conditional: NDArray[np.float64]) -> NDArray[np.float64]:
        odds = np.empty_like(conditional)
        for column, cells in enumerate(self.columns):
            if len(cells) == 1:
                values = matrix[:, cells[0]].astype(np.float64)
                far = 1 + np.square(values / _FAULT)
                fault = 1 / (math.pi * _FAULT * far)
                unseen = _UNSEEN / np.square(_FAULT * far)
                normal = conditional[:, column] / (_WIDTH * math.sqrt(2 * math.pi))
                marginal = _marginal_density(values, self._points[cells[0]])
            else:
                # Kernels of categories are 1 or almost 0: their mean is a probability.
                fault = np.full(len(matrix), 1 / len(cells))
                unseen = _UNSEEN * fault
                normal = conditional[:, column]
                marginal = self._category_density(matrix[:, cells], cells)
            density = (1 - _MARGINAL) * normal + _MARGINAL * marginal + unseen
            odds[:, column] = np.log1p(fault / density)
        return odds

    def _category_density(self, values: Floats, cells: NDArray[np.intp]) -> NDArray[np.float64]:
        # There are few categories: compute the density of each only once.
        kinds, which = np.unique(values, axis=0, return_inverse=True)
        densities = [
            np.exp(-0.5 / _WIDTH**2 * np.square(self.rows[:, cells] - kind).sum(axis=1)).mean()
            for kind in kinds
        ]
        return np.asarray(densities, dtype=np.float64)[which.reshape(-1)]

    @cached_property
    def _categories(self) -> dict[int, tuple[Floats, NDArray[np.intp]]]:
        """For each categorical column: its distinct values, and the index of each row's value."""
        categories = {}
        for column, cells in enumerate(self.columns):
            if len(cells) > 1:
                kinds, which = np.unique(self.rows[:, cells], axis=0, return_inverse=True)
                categories[column] = kinds, which.reshape(-1)
        return categories

    @cached_property
    def _points(self) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
        """Centres and widths of each column's marginal density: wide where values are rare."""
        return tuple(_adaptive_kernels(column) for column in self.rows.T)


def _adaptive_kernels(column: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.sort(column.astype(np.float64))
    chosen = np.linspace(0, len(values) - 1, min(_POINTS, len(values))).round().astype(int)
    centres, last = values[chosen], len(chosen) - 1
    reach = max(2, math.isqrt(len(chosen)) // 2)
    near = np.arange(len(chosen))
    spread = centres[np.minimum(near + reach, last)] - centres[np.maximum(near - reach, 0)]
    return centres, np.maximum(spread / 2, 0.02)


def _marginal_density(
    values: NDArray[np.float64], points: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> NDArray[np.float64]:
    centres, widths = points
    density = np.empty(len(values))
    step = max(1, _CHUNK // len(centres))
    for first in range(0, len(values), step):
        away = (values[first : first + step, None] - centres) / widths
        density[first : first + step] = (np.exp(-0.5 * np.square(away)) / widths).mean(axis=1)
    return density / math.sqrt(2 * math.pi)


def _owners(groups: Sequence[Sequence[int]] | None, width: int) -> NDArray[np.int32]:
    if groups is None:
        return np.arange(width, dtype=np.int32)
    owners = np.full(width, -1, dtype=np.int32)
    named = [cell for cells in groups for cell in cells]
    if sorted(named) != list(range(width)) or not all(len(cells) for cells in groups):
        raise InvalidParameter(
            "groups",
            expected=f"each of the {width} matrix columns in exactly one group",
            received=repr(groups)[:200],
            remedy="list every matrix column once",
        )
    for column, cells in enumerate(groups):
        owners[list(cells)] = column
    return owners
