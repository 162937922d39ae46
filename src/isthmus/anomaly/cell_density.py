"""The conditional density of each cell: how unlikely it is given its row, and what is expected."""

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
"""Most cells of the rows kept: wide tables keep fewer rows."""
_WIDTH = 0.5
"""Kernel width, in standard deviations of a column."""
_UNLIKE = 0.05
"""The kernel's floor, which limits the effect of a single cell that is far off."""
_TEMPERATURE = 0.35
"""The kernels' product is tempered by this times the root of the number of columns, if over 1:
otherwise correlated columns would count as independent evidence."""
_MARGINAL = 0.05
"""Weight of the column's marginal density in the conditional one."""
_UNSEEN = 1e-3
"""Weight of the density of values never seen."""
_FAULT = 3.0
"""Scale of the values that a faulty cell takes, in standard deviations of its column."""
_POINTS = 400
"""Kernels of a column's marginal density."""
_CHUNK = 2_000_000
"""Cells of the (rows, reference rows, columns) array that are held at a time."""


@dataclass(frozen=True)
class CellModel:
    """The density of a cell given the other cells of its row, by kernels on normal rows.

    With the column left out, each normal row has a weight: the product over the other columns of
    a gaussian kernel that never falls below a floor. A faulty cell is far from all normal rows
    alike, so with the floor it hardly changes the weights, and no cell is blamed for the fault of
    another. The weighted kernels of the column itself are the density of the cell (conditional
    kernel density estimation: Rosenblatt, 1969, "Conditional probability density and regression
    estimators"), the weighted mean is its expected value. The columns of one category are left
    out together.
    """

    rows: Floats
    """(m, d), normal rows, standardised."""
    column_of: NDArray[np.int32]
    """(d,), which column of the table a column of the matrix belongs to: 0, 1, ... in order."""

    @classmethod
    def fit(
        cls, reference: Floats, *, groups: Sequence[Sequence[int]] | None = None, seed: int = 0
    ) -> Self:
        """Keep a bounded random part of the normal rows.

        Parameters
        ----------
        reference : array of shape (n, d)
            Normal rows, standardised.
        groups : sequence of sequences of int, optional
            For each column of the table, its columns of the matrix: more than one for the one-hot
            cells of a category. None: each is a column of its own.
        seed : int
            Seeds the choice.

        Raises
        ------
        InvalidParameter
            `groups` omits a column or has it twice.
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
        """Return the model that `to_arrays` described, for matrices of `width` columns.

        Raises
        ------
        InvalidArchive
            The arrays are not those of such a model.
        """
        check_arrays(arrays, {"rows": ("float32", (None, width)), "column_of": ("int32", (width,))})
        owners = arrays["column_of"]
        if owners.min() != 0 or len(np.unique(owners)) != owners.max() + 1:
            raise InvalidArchive("the archive's column_of", expected="every column, from 0")
        return cls(arrays["rows"], owners)

    @cached_property
    def columns(self) -> tuple[NDArray[np.intp], ...]:
        """For each column of the table, its columns of the matrix."""
        order = np.argsort(self.column_of, kind="stable")
        return tuple(np.split(order, np.flatnonzero(np.diff(self.column_of[order])) + 1))

    def surprise(
        self, matrix: Floats, ignored: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Return how much more likely each cell is as a fault than as normal, (n, columns).

        It is log(1 + q / p): p is the density of the cell given the others, q that of a fault,
        of any size around some standard deviations. Always positive; log 2 where both are equal.

        Parameters
        ----------
        matrix : array of shape (n, d)
            Standardised rows.
        ignored : bool array of shape (n, columns), optional
            Cells to leave out as evidence for the others.
        """
        matrix = np.asarray(matrix, dtype=np.float32)
        density = np.empty((len(matrix), len(self.columns)))
        for part, kernels, weights in self._weighted(matrix, ignored, _TEMPERATURE):
            density[part] = np.einsum("bmc,bmc->bc", weights, kernels) / weights.sum(axis=1)
        return self._log_odds(matrix, density)

    def expected(self, matrix: Floats, ignored: NDArray[np.bool_] | None = None) -> Floats:
        """Return the value of each cell that the other cells of its row suggest, (n, d).

        For a number, a mean; for a category, the likeliest that the normal rows have.
        Parameters are those of `surprise`.
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
        """Yield rows, kernels and weights without the own column, both (rows, m, columns)."""
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
        # Rows have one of few categories: each is compared once.
        kinds, which = np.unique(values, axis=0, return_inverse=True)
        densities = [
            np.exp(-0.5 / _WIDTH**2 * np.square(self.rows[:, cells] - kind).sum(axis=1)).mean()
            for kind in kinds
        ]
        return np.asarray(densities, dtype=np.float64)[which.reshape(-1)]

    @cached_property
    def _categories(self) -> dict[int, tuple[Floats, NDArray[np.intp]]]:
        """For each category's column: its different values, and which of them each row has."""
        found = {}
        for column, cells in enumerate(self.columns):
            if len(cells) > 1:
                kinds, which = np.unique(self.rows[:, cells], axis=0, return_inverse=True)
                found[column] = kinds, which.reshape(-1)
        return found

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
            expected=f"each of the {width} columns in one group",
            received=repr(groups)[:200],
            remedy="list every column's cells once",
        )
    for column, cells in enumerate(groups):
        owners[list(cells)] = column
    return owners
