"""Numbers that identify coders and layouts in files: one byte each, unique, never reused."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Numbered(Protocol):
    """Anything that a file identifies by a number."""

    @property
    def number(self) -> int:
        """A number from 0 to 255. Files store it, so it never changes and is never reused."""


N = TypeVar("N", bound=Numbered)


def by_number(entries: Iterable[N]) -> Mapping[int, N]:
    """Return the entries by their numbers, in the order given.

    Raises
    ------
    ValueError
        Two entries have the same number, or a number does not fit in a byte.
    """
    found: dict[int, N] = {}
    for entry in entries:
        if not 0 <= entry.number <= 255:
            raise ValueError(f"{entry!r}: expected a number from 0 to 255, got {entry.number}")
        if entry.number in found:
            raise ValueError(f"{entry!r} and {found[entry.number]!r} are both {entry.number}")
        found[entry.number] = entry
    return MappingProxyType(found)
