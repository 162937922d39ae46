"""Events of a run, for observers. Observers receive them and never influence the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Snapshot:
    """Everything needed to resume a run with bit-identical results.

    Attributes
    ----------
    epoch : int
        Epochs done.
    arrays : dict of str to ndarray
        Weights, optimizer slots, and the best weights so far, by role and position.
    best_epoch : int
        The epoch whose weights are the best so far; 0 before the first.
    best_loss : float
        Its loss, on the validation rows if there are any.
    history : dict of str to list
        The history so far.
    steps : int
        Steps of the next epoch that are done, with rows that are read while training.
    totals : tuple of float
        The sums of losses, weights and metrics of these steps.
    """

    epoch: int
    arrays: dict[str, NDArray[np.generic]]
    best_epoch: int
    best_loss: float
    history: dict[str, list[float]]
    steps: int = 0
    totals: tuple[float, ...] = ()


@dataclass(frozen=True)
class EpochEnd:
    """An epoch has ended."""

    epoch: int
    epochs: int
    loss: float
    val_loss: float | None
    last: bool
    """Whether this is the last epoch of the run."""
    snapshot: Callable[[], Snapshot] = field(repr=False)
    """Copies the state to the host; slow, so call it only if needed."""


@dataclass(frozen=True)
class ChunkEnd:
    """A chunk of rows that are read while training is done, and more of the epoch follow."""

    epoch: int
    """The epoch, which is not complete."""
    snapshot: Callable[[], Snapshot] = field(repr=False)
    """Copies the state to the host; slow, so call it only if needed."""


class Observer(Protocol):
    """Callbacks of a run."""

    def on_start(self, epochs: int, done: int) -> None:
        """Handle the start of training; `done` of `epochs` epochs are already complete."""

    def on_steps(self, epoch: int, share: float) -> None:
        """Handle progress within `epoch`; `share` is the fraction of its steps that are done."""

    def on_chunk(self, event: ChunkEnd) -> None:
        """Handle the end of a chunk within an epoch, with rows that are read while training."""

    def on_epoch(self, event: EpochEnd) -> None:
        """Handle the end of an epoch."""

    def on_stop(self) -> None:
        """Handle the end of training for any reason, including errors."""
