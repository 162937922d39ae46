"""Explain alarms: the value of each cell, its expected value and its part of the score."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.data.fleet import without_units
from isthmus.data.frames import is_table, to_arrow
from isthmus.data.sensor_series import as_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Reasons:
    """The cells of some rows by column, with their contributions to the score."""

    columns: tuple[str, ...]
    values: Sequence[Sequence[Any]]
    """One sequence of cells per column, in the column's units."""
    expected: Sequence[Sequence[Any]]
    contributions: NDArray[np.float64]
    """(rows, columns); the sum of a row is its score."""

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Each cell's fraction of its row's score, (rows, columns)."""
        totals = self.contributions.sum(axis=1, keepdims=True)
        shares: NDArray[np.float64] = self.contributions / np.where(totals > 0, totals, 1.0)
        return shares

    def largest(self, row: int, most: int) -> list[int]:
        """Return the columns that contribute most to a row, the largest contribution first."""
        own = self.contributions[row]
        order = np.argsort(-own, kind="stable")[:most]
        return [int(i) for i in order if own[i] > 0]


def reasons(detector: Any, X: Any, rows: NDArray[np.intp]) -> Reasons:
    """Explain some rows with a detector.

    Parameters
    ----------
    detector : AnomalyDetector
    X : array or table of n rows
        In the form that the detector was fitted on; for a series, the whole series.
    rows : array of int
        The numbers of the rows to explain.
    """
    return _of_series(detector, X, rows) if detector.is_series else _of_rows(detector, X, rows)


def _of_series(detector: Any, X: Any, rows: NDArray[np.intp]) -> Reasons:
    group = detector.group
    series, filled, shared = (
        as_series(each if group is None else without_units(each, group), detector.sensors_)
        for each in (X, detector.expected(X), detector.explain(X))
    )
    cells, expected = _cells(series.values[rows]), _cells(filled.values[rows])
    return Reasons(series.sensors, cells, expected, np.asarray(shared.values[rows]))


def _of_rows(detector: Any, X: Any, rows: NDArray[np.intp]) -> Reasons:
    some = to_arrow(X).take(pa.array(rows)) if is_table(X) else np.asarray(X)[rows]
    if not is_table(some):
        parts = np.asarray(detector.explain(some), dtype=np.float64).reshape(len(rows), -1)
        names = tuple(detector.schema_.columns)
        return Reasons(names, _cells(some), _cells(detector.expected(some)), parts)
    made = to_arrow(detector.explain(some))
    given, filled_in = (
        [column.to_pylist() for column in to_arrow(each).select(made.column_names).columns]
        for each in (some, detector.expected(some))
    )
    numbers = [np.asarray(column.to_numpy(), dtype=np.float64) for column in made.columns]
    return Reasons(tuple(made.column_names), given, filled_in, np.column_stack(numbers))


def _cells(rows: Any) -> Any:
    """Return an array's cells by column, flattened."""
    array = np.asarray(rows)
    return array.reshape(len(array), -1).T
