"""A progress bar with the loss and the time left, shown only in a terminal or a notebook."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, Self

from isthmus.training.notebook_output import NotebookOutput, in_notebook

if TYPE_CHECKING:
    from types import TracebackType

    from isthmus.training.events import ChunkEnd, EpochEnd


class _Bar(Protocol):
    def update(self, done: float, epoch: int, note: str) -> None:
        """Show how many epochs are done, the number of the current one, and the loss."""

    def stop(self) -> None:
        """End the bar."""


class _TerminalBar:
    """A bar on standard error, which is removed at the end."""

    def __init__(self, epochs: int, done: int) -> None:
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

    def update(self, done: float, epoch: int, note: str) -> None:
        self._bar.update(self._task, completed=done, epoch=epoch, loss=note)

    def stop(self) -> None:
        self._bar.stop()


class _NotebookBar:
    """A bar in the output of a cell, where its last state stays."""

    def __init__(self, epochs: int, done: int) -> None:
        self._epochs, self._first, self._began = epochs, done, time.monotonic()
        self._output = NotebookOutput()
        self._text = f"epoch {done}/{epochs}"
        self._output.show(self._text, done / epochs, last=True)

    def update(self, done: float, epoch: int, note: str) -> None:
        self._text = f"epoch {epoch}/{self._epochs}  {note}"
        progress = done - self._first
        if progress > 0:
            left = (time.monotonic() - self._began) * (self._epochs - done) / progress
            rest = f"  {left:,.0f} s left"
            self._output.show(self._text + rest, done / self._epochs)

    def stop(self) -> None:
        self._output.show(self._text, last=True)


def _bar(epochs: int, done: int) -> _Bar | None:
    if in_notebook():
        return _NotebookBar(epochs, done)
    return _TerminalBar(epochs, done) if sys.stderr.isatty() else None


class ProgressBar:
    """Shows the progress of a run in a notebook, or if standard error is a terminal.

    Parameters
    ----------
    rows : int
        Rows of an epoch, if the rows of the current one are to be counted; 0 if not.
    """

    def __init__(self, rows: int = 0) -> None:
        self._rows = rows
        self._bar: _Bar | None = None
        self._loss = ""

    def on_start(self, epochs: int, done: int) -> None:
        """Begin the bar."""
        self._bar = _bar(epochs, done)

    def on_steps(self, epoch: int, share: float) -> None:
        """Move the bar within an epoch."""
        if self._bar is not None:
            counted = f"{share * self._rows:,.0f} of {self._rows:,} rows  " if self._rows else ""
            self._bar.update(epoch - 1 + share, epoch, counted + self._loss)

    def on_chunk(self, event: ChunkEnd) -> None:
        """Nothing to do."""

    def on_epoch(self, event: EpochEnd) -> None:
        """Move the bar to the epoch's end and show its losses."""
        if self._bar is None:
            return
        self._loss = f"loss {event.loss:.4g}"
        if event.val_loss is not None:
            self._loss += f"  val_loss {event.val_loss:.4g}"
        self._bar.update(event.epoch, event.epoch, self._loss)

    def on_stop(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class RowCount:
    """Shows how many rows were read, while it is entered, in a notebook or a terminal.

    Parameters
    ----------
    shown : bool
        False shows nothing.
    """

    def __init__(self, *, shown: bool) -> None:
        self._output = NotebookOutput() if shown and in_notebook() else None
        self._shown = shown and self._output is None and sys.stderr.isatty()
        self._status: Any = None

    def show(self, rows: int) -> None:
        """Show the number of rows so far."""
        if self._output is not None:
            self._output.show(f"read {rows:,} rows")
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
