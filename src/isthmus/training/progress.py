"""A progress bar with the loss and the time left, shown only in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from isthmus.training.events import ChunkEnd, EpochEnd


class ProgressBar:
    """Shows the progress of a run if standard error is a terminal.

    Parameters
    ----------
    rows : int
        Rows of an epoch, if the rows of the current one are to be counted; 0 if not.
    """

    def __init__(self, rows: int = 0) -> None:
        self._rows = rows
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
            counted = f"{share * self._rows:,.0f} of {self._rows:,} rows  " if self._rows else ""
            self._bar.update(
                self._task, completed=epoch - 1 + share, epoch=epoch, loss=counted + self._loss
            )

    def on_chunk(self, event: ChunkEnd) -> None:
        """Nothing to do."""

    def on_epoch(self, event: EpochEnd) -> None:
        """Move the bar to the epoch's end and show its losses."""
        if self._bar is None:
            return
        loss = f"loss {event.loss:.4g}"
        if event.val_loss is not None:
            loss += f"  val_loss {event.val_loss:.4g}"
        self._loss = loss
        self._bar.update(self._task, completed=event.epoch, epoch=event.epoch, loss=loss)

    def on_stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class RowCount:
    """Shows how many rows were read, while it is entered and if standard error is a terminal.

    Parameters
    ----------
    shown : bool
        False shows nothing.
    """

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty()
        self._status: Any = None

    def show(self, rows: int) -> None:
        """Show the number of rows so far."""
        if self._status is not None:
            self._status.update(f"read {rows:,} rows")

    def __enter__(self) -> Self:
        if self._shown:
            from rich.console import Console

            self._status = Console(stderr=True).status("reading")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()
