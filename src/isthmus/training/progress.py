"""A progress bar with the loss and the time left, shown only in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.training.events import EpochEnd


class ProgressBar:
    """Shows the progress of a run if standard error is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._loss = ""

    def on_start(self, epochs: int, done: int) -> None:
        """Begin the bar."""
        if not sys.stderr.isatty():
            return
        # Imported here, so that runs without a terminal do not pay for it.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=epochs, completed=done, epoch=done, loss="")

    def on_steps(self, epoch: int, share: float) -> None:
        """Move the bar within an epoch."""
        if self._bar is not None:
            self._bar.update(self._task, completed=epoch - 1 + share, epoch=epoch)

    def on_epoch(self, event: EpochEnd) -> None:
        """Move the bar to the epoch's end and show its losses."""
        if self._bar is None:
            return
        loss = f"loss {event.loss:.4g}"
        if event.val_loss is not None:
            loss += f"  val_loss {event.val_loss:.4g}"
        self._bar.update(self._task, completed=event.epoch, epoch=event.epoch, loss=loss)

    def on_stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
