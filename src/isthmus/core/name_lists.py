"""Lists of names for messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST = 5


def name_list(names: Sequence[str]) -> str:
    """Return the first five names, quoted and separated by commas, and the number of the rest."""
    shown = ", ".join(map(repr, names[:_MOST]))
    return f"{shown} and {len(names) - _MOST} more" if len(names) > _MOST else shown
