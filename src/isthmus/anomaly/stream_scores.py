"""The scores of the rows of a series as they arrive."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.anomaly.series_windows import SensorScaling, standardised_rows
from isthmus.data.stream_slots import STREAM, Slot, ints_of, slots_of, slots_to_arrays, values_of
from isthmus.data.windows import enough_measured
from isthmus.persistence.array_checks import unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

    Float64s = NDArray[np.float64]


class SettledSlot(NamedTuple):
    """A slot whose score is final, because no further window will cover it."""

    slot: Slot
    contributions: Float64s | None
    """Of each sensor to its score, (sensors,): the mean over the windows that cover it. None if
    there is no such window."""
    window_score: float
    """The score of the window that begins in it; NaN if there is none."""


class StreamScores:
    """Scores windows as their last slots arrive, and a slot when all of its windows are scored.

    Parameters
    ----------
    window : int
        Rows per window.
    scaling : SensorScaling
        Standardises rows.
    contributions : callable
        Maps standardised windows, (k, window, sensors), to each sensor's contribution to their
        scores, (k, sensors); NaN for windows without a score. It is called with one window at a
        time, in order of time.
    """

    def __init__(
        self, window: int, scaling: SensorScaling, contributions: Callable[[Floats], Float64s]
    ) -> None:
        self._window, self._scaling, self._contributions = window, scaling, contributions
        sensors = len(scaling.centre)
        # The slots since the last break that are not settled: those of a window, except its last.
        self._slots: deque[Slot] = deque()
        self._measured = 0
        # Each is stored twice, a window apart, so the last window is always contiguous.
        self._rows = np.zeros((2 * window, sensors), dtype=np.float32)
        self._next_row = 0
        # Contributions to the scores of the last windows, and which of these have one.
        self._parts, self._scored = np.zeros((window, sensors)), np.zeros(window, dtype=bool)
        self._next_part = 0

    def take(self, slot: Slot) -> list[SettledSlot]:
        """Take the next slot, and return those that are settled by it, in order of time."""
        if np.isnan(slot.values).all():
            settled = self.cut()
            self._append(slot)
            return [*settled, self._settle(None)]
        self._append(slot)
        if len(self._slots) < self._window:
            return []
        return [self._settle(self._scored_window())]

    def cut(self) -> list[SettledSlot]:
        """Return the slots that are settled if no window goes on beyond the last one."""
        return [self._settle(None) for _ in range(len(self._slots))]

    def _append(self, slot: Slot) -> None:
        self._slots.append(slot)
        self._measured += slot.measured
        place = self._next_row
        self._rows[place] = self._rows[place + self._window] = standardised_rows(
            slot.values, self._scaling
        )
        self._next_row = (place + 1) % self._window

    def _scored_window(self) -> Float64s | None:
        if not enough_measured(self._measured, self._window):
            return None
        block = self._rows[None, self._next_row : self._next_row + self._window]
        parts = self._contributions(block)[0]
        return None if np.isnan(parts).any() else parts

    def _settle(self, parts: Float64s | None) -> SettledSlot:
        """Note the contributions to the window that begins in the oldest slot, and settle it."""
        at = self._next_part
        self._parts[at], self._scored[at] = 0.0 if parts is None else parts, parts is not None
        self._next_part = (at + 1) % self._window
        count = int(self._scored.sum())
        mean = self._parts.sum(axis=0) / count if count else None
        slot = self._slots.popleft()
        self._measured -= slot.measured
        return SettledSlot(slot, mean, float("nan") if parts is None else float(parts.sum()))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state for an archive."""
        return {
            **slots_to_arrays(self._slots, self._parts.shape[1], "unsettled"),
            "parts": self._parts.copy(),
            "scored": self._scored.astype(np.int64),
            "next_part": np.array([self._next_part], dtype=np.int64),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over the state in an archive; raises InvalidArchive."""
        sensors = self._parts.shape[1]
        slots = slots_of(arrays, sensors, "unsettled")
        parts = values_of(arrays, "parts", (self._window, sensors))
        scored = ints_of(arrays, "scored", (self._window,), most=1)
        (next_part,) = ints_of(arrays, "next_part", (1,), most=self._window - 1)
        if len(slots) >= self._window or any(np.isnan(slot.values).all() for slot in slots):
            raise unfit(STREAM, "unsettled", "slots of the last window", f"{len(slots)} slots")
        if not (parts >= 0).all() or parts[scored == 0].any():
            raise unfit(STREAM, "parts", "contributions of scored windows", "others")
        self._parts, self._scored, self._next_part = parts, scored.astype(bool), int(next_part)
        for slot in slots:
            self._append(slot)
