"""A line of output in a notebook, which is replaced as work goes on."""

from __future__ import annotations

import sys
import time
from typing import Any

_FEWEST_SECONDS = 0.2
"""Between two changes: each is a message to the browser."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, rather than a script or a terminal."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


class NotebookOutput:
    """A line that can be changed."""

    def __init__(self) -> None:
        self._line: Any = None
        self._changed = 0.0

    def show(self, text: str, share: float | None = None, *, last: bool = False) -> None:
        """Show a text, with a bar if the share of the work that is done is known.

        Parameters
        ----------
        text : str
            It may not contain markup.
        share : float, optional
            From 0 to 1.
        last : bool
            Whether to show it however short the time since the last change.
        """
        from IPython.display import display

        now = time.monotonic()
        if not last and now - self._changed < _FEWEST_SECONDS:
            return
        self._changed = now
        bar = "" if share is None else f'<progress max="1" value="{share:.4f}"></progress> '
        content = {"text/html": f"<div>{bar}{text}</div>", "text/plain": text}
        if self._line is None:
            self._line = display(content, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._line.update(content, raw=True)
