"""Lookup by name, with a suggestion when the name is misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TypeVar

from isthmus.core.errors import InvalidParameter

T = TypeVar("T")


def nearest(name: str, known: list[str]) -> str:
    """Return ``"did you mean 'x'?"`` for the known name closest to `name`, or ``""``."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


class Catalogue(Mapping[str, T]):
    """An immutable mapping from names to objects of one kind.

    Parameters
    ----------
    kind : str
        What the entries are, for error messages: ``"loss"``.
    entries : mapping of str to T
        The objects by name.
    """

    def __init__(self, kind: str, entries: Mapping[str, T]) -> None:
        self._kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> T:
        """Return the entry called `name`.

        Raises
        ------
        InvalidParameter
            There is no such entry; the message suggests the closest name.
        """
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            names = sorted(self._entries)
            raise InvalidParameter(
                self._kind,
                expected=f"one of {', '.join(map(repr, names))}",
                received=repr(name),
                remedy=nearest(str(name), names) or "choose one of the names",
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
