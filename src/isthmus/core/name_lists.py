"""Lists of names in messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST = 5


def name_list(names: Sequence[str]) -> str:
    """Return names in quotes, separated by commas: the first five, and how many more there are."""
    shown = ", ".join(map(repr, names[:_MOST]))
    return f"{shown} and {len(names) - _MOST} more" if len(names) > _MOST else shown
