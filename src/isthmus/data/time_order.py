"""The order of a series' rows in time: rows that are not sorted, and clocks that are set back.

In local time, an hour repeats when daylight saving ends: rows are in order, but their times go back
by an hour. Sorting them would interleave the two hours. So the times after such a step are shifted
forward by an hour, until they jump ahead by one. Any other step back means that rows are not
sorted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ticks = NDArray[np.int64]

_HOUR = 3_600_000_000
"""In microseconds."""
_NEXT = 1.5
"""A row follows the one before it without a gap if at most this many time steps lie between."""


class TimeOrder:
    """Puts the rows of consecutive parts of a series in order of time.

    Parameters
    ----------
    step : float or None
        The usual time step in microseconds; None if it is not known.
    """

    def __init__(self, step: float | None) -> None:
        self._step = step
        self._last: int | None = None
        self._added = self._rows = 0
        self.notes: dict[str, str] = {}
        """What the user should know: a sentence about rows that are not sorted, and one about a
        clock that was set back."""

    def sort(self, ticks: Ticks) -> tuple[Ticks, NDArray[np.intp] | None]:
        """Return the times of a part in order, and which row each belongs to.

        Parameters
        ----------
        ticks : array of int64, shape (n,)
            The time of each row in microseconds.

        Returns
        -------
        (array of int64, array of int or None)
            The times in order, and the number of the row of each; None if the rows are in order.

        Raises
        ------
        InvalidData
            The part begins before the end of the part before it.
        """
        steps = np.diff(ticks, prepend=ticks[0] if self._last is None else self._last)
        order = None
        if self._added or (steps < 0).any():
            shift = self._shifts(steps)
            if shift is None:
                order = np.argsort(ticks, kind="stable")
                shift = np.full(len(ticks), self._added)
            ticks, raw = (ticks + shift)[... if order is None else order], ticks
            first = None if self._last is None else self._last + self._added
            if order is not None and first is not None and ticks[0] < first:
                raise InvalidData(
                    "a part of the series",
                    expected="rows later than those of the part before",
                    received="earlier ones",
                    remedy="pass the parts in order of time, or the whole series at once",
                )
            if order is not None:
                self._note_unsorted(self._rows + int((steps < 0).argmax()))
            self._added = int(shift[-1])
            self._last = int(raw[-1] if order is None else raw.max())
        else:
            self._last = int(ticks[-1])
        self._rows += len(ticks)
        return ticks, order

    def _shifts(self, steps: Ticks) -> Ticks | None:
        """Return what is added to each time; None if rows are not in order.

        Parameters
        ----------
        steps : array of int64, shape (n,)
            The time since the row before.
        """
        longest = np.inf if self._step is None else _NEXT * self._step
        back = steps < 0
        after = np.append(steps[1:], 0)
        # After a row that is merely misplaced, time would jump ahead again at once; in rows from
        # the latest to the earliest, it would go back again.
        hour = (steps + _HOUR >= 0) & (steps + _HOUR <= longest)
        hour &= (after >= 0) & (after < _HOUR // 2)
        if (back & ~hour).any() or (self._step is None and back.any()):
            return None
        ahead = (steps >= _HOUR) & (steps - _HOUR <= longest)
        added, shifts = self._added, np.zeros(len(steps), dtype=np.int64)
        changed = 0
        for row in np.flatnonzero(back | ahead):
            new = added + _HOUR if back[row] else max(0, added - _HOUR)
            shifts[changed:row] = added
            changed, added = int(row), new
        shifts[changed:] = added
        if back.any():
            first = self._rows + int(back.argmax())
            self.notes.setdefault(
                "back",
                f"The times go back by an hour in row {first}, as local times do when daylight "
                "saving ends; the rows are taken in the order given. Times in UTC or with "
                "a time zone are not ambiguous.",
            )
        return shifts

    def _note_unsorted(self, row: int) -> None:
        self.notes.setdefault(
            "unsorted",
            f"The rows are not in order of time: row {row} is earlier than row {row - 1}. They "
            "are sorted for the analysis; results are in your order.",
        )
