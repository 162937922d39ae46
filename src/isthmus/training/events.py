"""News of a run for those who watch it. Observers are told; they never steer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Snapshot:
    """All that a run needs to go on from the end of an epoch with the same bits.

    Attributes
    ----------
    epoch : int
        Epochs done.
    arrays : dict of str to ndarray
        Weights, optimizer slots, and the best weights so far, by role and position.
    best_epoch : int
        The epoch whose weights are the best so far; 0 before the first.
    best_loss : float
        Its loss, on the validation rows where there are any.
    history : dict of str to list
        The history so far.
    """

    epoch: int
    arrays: dict[str, NDArray[np.generic]]
    best_epoch: int
    best_loss: float
    history: dict[str, list[float]]


@dataclass(frozen=True)
class EpochEnd:
    """An epoch has ended."""

    epoch: int
    epochs: int
    loss: float
    val_loss: float | None
    last: bool
    """Whether training ends with it."""
    snapshot: Callable[[], Snapshot] = field(repr=False)
    """Copies the state to the host; costs time, so only those who need it call it."""


class Observer(Protocol):
    """Who watches a run."""

    def on_start(self, epochs: int, done: int) -> None:
        """Hear that training begins, with `done` of `epochs` epochs behind it."""

    def on_steps(self, epoch: int, share: float) -> None:
        """Hear that a `share`, 0 to 1, of the steps of `epoch` is done."""

    def on_epoch(self, event: EpochEnd) -> None:
        """Hear that an epoch has ended."""

    def on_stop(self) -> None:
        """Hear that training has ended, for whatever reason, errors included."""
