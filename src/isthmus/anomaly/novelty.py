"""What numbers do not show: values that `fit` never saw, and cells that are rarely missing.

Each such cell is an event with a rate. That of a missing cell is the fraction of training rows in
which its column is empty; that of a value never seen is the fraction of training rows whose own
value no other row has (Good, 1953, "The population frequencies of species and the estimation of
population parameters"). A column that never varied, or was never empty, has the smallest rates. The
number of missing cells in a row is an event too.

A row is as improbable as its least probable event. The p-value of that is the fraction of training
rows with an event of such a rate, where each is compared with all the others; and the row's score
is at least the score that this fraction of normal rows exceeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from isthmus.anomaly import conformal
from isthmus.core.errors import InvalidArchive
from isthmus.persistence.array_checks import check_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.core.types import Floats, ObservedRows, Segment

    Scores = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_BLOCK_CELLS = 1 << 20
"""Cells whose rates are computed at a time."""


class CellEvents(NamedTuple):
    """Which cells of rows are missing, or hold a value that `fit` did not see."""

    missing: Mask
    """(n, columns)"""
    unseen: Mask
    """(n, columns)"""

    def any_in_row(self) -> Mask:
        """Return which rows have such a cell, (n,)."""
        return np.asarray((self.missing | self.unseen).any(axis=1))

    def without(self, cells: Mask) -> CellEvents:
        """Return the events but for those of some cells, (n, columns)."""
        return CellEvents(self.missing & ~cells, self.unseen & ~cells)

    def of(self, rows: NDArray[np.intp]) -> CellEvents:
        """Return the events of some rows."""
        return CellEvents(self.missing[rows], self.unseen[rows])


class EventRates(NamedTuple):
    """How often normal rows have each event, in (0, 1]."""

    missing: Scores
    """(columns,), a missing cell."""
    unseen: Scores
    """(columns,), a value never seen."""
    empty_cells: Scores
    """(columns + 1,), so many missing cells or more."""

    def by_cell(self, events: CellEvents) -> Scores:
        """Return the rate of the event of each cell, 1 where there is none, (n, columns)."""
        rates = np.where(events.missing, self.missing, 1.0)
        return np.asarray(np.where(events.unseen, np.minimum(rates, self.unseen), rates))

    def least(self, events: CellEvents) -> Scores:
        """Return the rate of the least probable event of each row, 1 without events, (n,)."""
        rows, columns = events.missing.shape
        least = np.empty(rows)
        step = max(1, _BLOCK_CELLS // max(columns, 1))
        for start in range(0, rows, step):
            part = CellEvents(*(cells[start : start + step] for cells in events))
            rates = self.by_cell(part).min(axis=1, initial=1.0)
            least[start : start + step] = np.minimum(
                rates, self.empty_cells[part.missing.sum(axis=1)]
            )
        return least


@dataclass(frozen=True, eq=False)
class Novelty:
    """How improbable the events of a row are.

    Parameters
    ----------
    rates : EventRates
        Of new rows.
    constants : float32 array of shape (columns,)
        For arrays of numbers, the value of each column that did not vary, in scaled units; NaN
        for one that did. Of no columns for tables, whose schema knows them.
    levels : float64 array of shape (k,)
        The distinct least rates of training rows with events, ascending.
    counts : int64 array of shape (k,)
        Training rows at each level.
    rows : int
        Training rows.
    scores : float64 array of shape (held-out rows,)
        Scores of held-out rows without regard to events, ascending.
    """

    rates: EventRates
    constants: Floats
    levels: Scores
    counts: NDArray[np.int64]
    rows: int
    scores: Scores

    @classmethod
    def fit(
        cls,
        observed: ObservedRows,
        segments: Sequence[Segment],
        places: Sequence[int],
        scores: Scores,
    ) -> tuple[Self, CellEvents]:
        """Learn from training rows; return also their events, each compared with all the others.

        Parameters
        ----------
        observed : ObservedRows
            The training rows.
        segments : sequence of Segment
            The learned columns of a table; none for an array.
        places : sequence of int
            The position of each learned column among the table's columns.
        scores : array of shape (held-out rows,)
            Scores of held-out rows without regard to events, ascending.
        """
        matrix = observed.matrix.reshape(len(observed.matrix), -1)
        rows, columns = observed.missing.shape
        events = CellEvents(observed.missing, _single_values(matrix, columns, segments, places))
        totals = (
            events.missing.sum(axis=0),
            events.unseen.sum(axis=0),
            np.bincount(events.missing.sum(axis=1), minlength=columns + 1)[::-1].cumsum()[::-1],
        )
        # Left out, a row takes one off each count of its own events, and off the rows.
        among_others = EventRates(*(np.maximum(total, 1) / rows for total in totals))
        least = among_others.least(events)
        levels, counts = np.unique(least[least < 1], return_counts=True)
        fitted = cls(
            EventRates(*((total + 1) / (rows + 1) for total in totals)),
            np.zeros(0, np.float32) if segments else _constants(matrix),
            levels,
            counts.astype(np.int64),
            rows,
            scores,
        )
        return fitted, events

    def events(self, observed: ObservedRows) -> CellEvents:
        """Return the events of new rows."""
        unseen = observed.unseen
        if len(self.constants):
            matrix = observed.matrix.reshape(len(observed.matrix), -1)
            differs = (matrix != self.constants) & ~np.isnan(self.constants)
            unseen = unseen | (differs & ~observed.missing)
        return CellEvents(observed.missing, unseen)

    def probability(self, events: CellEvents) -> Scores:
        """Return the probability that a normal row has an event as improbable, in (0, 1], (n,).

        A column that did not vary in so many rows perhaps cannot: where no training row has the
        like, the probability is ``1 / (1 + rows)`` squared.
        """
        least = self.rates.least(events)
        # Rates of training rows are fractions of one row less.
        known = np.searchsorted(self.levels, least * (1 + 2 / self.rows), side="right")
        alike = np.concatenate([[0], np.cumsum(self.counts)])[known]
        probability: Scores = (alike + 1 / (1 + self.rows)) / (1 + self.rows)
        return np.where(least < 1, np.minimum(probability, 1.0), 1.0)

    def raised(self, scores: Scores, events: CellEvents) -> Scores:
        """Return scores, (n,), at least as high as the rows' events imply; see `raised`."""
        return raised(scores, self.probability(events), self.scores)

    def surprise(self, events: CellEvents) -> Scores:
        """Return minus the logarithm of each cell's rate, (n, columns)."""
        return -np.log(self.rates.by_cell(events))

    def least_probable(self, events: CellEvents, most: int) -> Mask:
        """Return up to `most` cells of each row that have its least probable events."""
        surprise = self.surprise(events)
        order = np.argsort(-surprise, axis=1, kind="stable")[:, :most]
        first = np.zeros(surprise.shape, dtype=bool)
        np.put_along_axis(first, order, values=True, axis=1)
        return first & (surprise > 0)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays for an archive."""
        return {
            "missing": self.rates.missing,
            "unseen": self.rates.unseen,
            "empty_cells": self.rates.empty_cells,
            "constants": np.nan_to_num(self.constants),
            "varied": np.isnan(self.constants),
            "levels": self.levels,
            "counts": self.counts,
            "rows": np.array([self.rows], dtype=np.int64),
            "scores": self.scores,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, columns: int, table: bool) -> Self:
        """Return what `to_arrays` described; raises InvalidArchive."""
        size = len(arrays["levels"]) if "levels" in arrays and arrays["levels"].ndim else 0
        check_arrays(
            arrays,
            {
                "missing": ("float64", (columns,)),
                "unseen": ("float64", (columns,)),
                "empty_cells": ("float64", (columns + 1,)),
                "constants": ("float32", (0 if table else columns,)),
                "varied": ("bool", (0 if table else columns,)),
                "levels": ("float64", (size,)),
                "counts": ("int64", (size,)),
                "rows": ("int64", (1,)),
                "scores": ("float64", (None,)),
            },
        )
        rates = EventRates(arrays["missing"], arrays["unseen"], arrays["empty_cells"])
        levels, counts, rows = arrays["levels"], arrays["counts"], int(arrays["rows"][0])
        fractions = all(((each > 0) & (each <= 1)).all() for each in (*rates, levels))
        ordered = (np.diff(levels) > 0).all() and (counts > 0).all()
        if not (fractions and ordered and 0 < rows < 2**53 and counts.sum() <= rows):
            raise InvalidArchive("the archive's rates of events", expected="fractions of the rows")
        if (np.diff(arrays["scores"]) < 0).any():
            raise InvalidArchive("the archive's detector", expected="plain scores in order")
        constants = np.where(arrays["varied"], np.float32(np.nan), arrays["constants"])
        return cls(rates, constants, levels, counts, rows, arrays["scores"])


def raised(scores: Scores, probability: Scores, calibration: Scores) -> Scores:
    """Return scores, (n,), at least as high as the probabilities of the rows' events imply.

    A row with events is as improbable as they are, times its p-value without them: that orders
    rows with the same events.

    Parameters
    ----------
    scores : array of shape (n,)
        Without regard to events.
    probability : array of shape (n,)
        What `Novelty.probability` returned.
    calibration : array of shape (m,)
        Scores of held-out rows without regard to events, ascending.
    """
    eventful = np.flatnonzero(probability < 1)
    joint = probability[eventful] * conformal.p_values(scores[eventful], calibration)
    least = np.nextafter(conformal.thresholds(calibration, joint), np.inf)
    found = scores.copy()
    found[eventful] = np.maximum(found[eventful], least)
    return found


def _constants(matrix: Floats) -> Floats:
    """Return the value of each column that does not vary, NaN for one that does, (d,)."""
    low, high = np.fmin.reduce(matrix, axis=0), np.fmax.reduce(matrix, axis=0)
    return np.where(low == high, low, np.float32(np.nan))


def _single_values(
    matrix: Floats, columns: int, segments: Sequence[Segment], places: Sequence[int]
) -> Mask:
    """Return which cells no other row would have let `fit` know of, (n, columns).

    That is the only cell of a category, and the only one of a column that differs from all others.
    """
    found = np.zeros((len(matrix), columns), dtype=bool)
    if len(matrix) < 3:
        return found
    if not segments:
        return _odd_ones(matrix)
    for segment, place in zip(segments, places, strict=True):
        cells = matrix[:, segment.start : segment.stop]
        if segment.kind == "categorical":
            single = np.nansum(cells, axis=0) == 1
            found[:, place] = (cells[:, single] == 1).any(axis=1)
        else:
            found[:, place] = _odd_ones(cells)[:, 0]
    return found


def _odd_ones(matrix: Floats) -> Mask:
    """Return which cells are the only ones in their column that differ from all others, (n, d)."""
    found = np.zeros(matrix.shape, dtype=bool)
    observed = (~np.isnan(matrix)).sum(axis=0)
    low, high = np.fmin.reduce(matrix, axis=0), np.fmax.reduce(matrix, axis=0)
    for extreme, other in ((low, high), (high, low)):
        # All but one cell at one end of the range: the one is at the other.
        columns = np.flatnonzero((low < high) & ((matrix == extreme).sum(axis=0) == observed - 1))
        columns = columns[observed[columns] > 2]
        found[:, columns] = matrix[:, columns] == other[columns]
    return found
