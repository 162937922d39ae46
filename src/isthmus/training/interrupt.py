"""Turns Ctrl-C into a request to stop, instead of an exception at an arbitrary point."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType


class Interrupt:
    """A context in which the first Ctrl-C only sets `requested`; the second one raises as usual.

    A step takes over the buffers of the weights, so an exception between two steps could leave no
    weights at all. Only the main thread can receive signals; in other threads this does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: object = None
        self._active = False

    def raise_if_requested(self) -> None:
        """Raise KeyboardInterrupt if requested; call this where nothing would be lost."""
        if self.requested:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
            self._active = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._active:
            self._active = False
            # None means a handler that was not installed from Python.
            before = signal.SIG_DFL if self._before is None else self._before
            signal.signal(signal.SIGINT, before)  # type: ignore[arg-type]

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
