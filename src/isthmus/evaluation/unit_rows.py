"""The rows of several units, put unit after unit, so that events within units can be evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.core.errors import InvalidData
from isthmus.evaluation.row_times import as_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.anomaly.intervals import Interval
    from isthmus.core.types import RowNumbers
    from isthmus.evaluation.row_times import Times
    from isthmus.evaluation.runs import Runs


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Which rows belong to which unit.

    Parameters
    ----------
    names : tuple of str or int
        The units, in ascending order.
    bounds : array of int, shape (units + 1,)
        The place of the first row of each unit, and the number of rows.
    order : array of int, shape (n,)
        The user's rows, unit after unit, and in order of time within each.
    times : array of shape (n,) or None
        The time of each row, in this order.
    """

    names: tuple[str | int, ...]
    bounds: RowNumbers
    order: RowNumbers
    times: Times | None

    @classmethod
    def of(cls, units: Any, times: Any, n: int) -> Self:
        """Return the rows by their units and times.

        Parameters
        ----------
        units : array of shape (n,)
            The unit of each row, as text or integers.
        times : array of shape (n,) or None
            Dates or durations, in any order.
        n : int
            The number of rows.

        Raises
        ------
        InvalidData
            There is not one unit and one time per row.
        """
        given = np.asarray(units)
        if given.shape != (n,) or given.dtype.kind not in "iuOUT":
            raise InvalidData(
                "units",
                expected=f"the unit of each row as text or integers, shape ({n},)",
                received=f"shape {given.shape} of {given.dtype}",
                remedy="pass the column that names the units",
            )
        names, codes = np.unique(given, return_inverse=True)
        clock = None if times is None else as_times(times, "times")
        if clock is not None and (clock.shape != (n,) or np.isnat(clock).any()):
            raise InvalidData(
                "times", expected=f"one per row, shape ({n},)", received="other or missing times"
            )
        order = np.lexsort((np.arange(n) if clock is None else clock.astype(np.int64), codes))
        bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
        return cls(tuple(names.tolist()), bounds, order, None if clock is None else clock[order])

    def places_of(self, alarms: Sequence[Interval]) -> Runs:
        """Return the first and the last row of each alarm of units, (k, 2), in this order.

        Raises
        ------
        InvalidData
            Alarms are not those of these rows.
        """
        places = np.empty_like(self.order)
        places[self.order] = np.arange(len(places))
        rows = np.array([one.rows for one in alarms], dtype=np.int64).reshape(-1, 2)
        if not ((rows >= 0) & (rows < len(places))).all():
            raise _other_rows()
        found = places[rows].astype(np.int64)
        found = found[np.argsort(found[:, 0], kind="stable")]
        unit = np.searchsorted(self.bounds, found, side="right")
        apart = found[1:, 0] > found[:-1, 1]
        if (unit[:, 0] != unit[:, 1]).any() or (np.diff(found) < 0).any() or not apart.all():
            raise _other_rows()
        return found


def _other_rows() -> InvalidData:
    return InvalidData(
        "intervals",
        expected="intervals within units, without overlaps, of these rows",
        received="others",
        remedy="pass the detector's intervals and the units of the same table",
    )
