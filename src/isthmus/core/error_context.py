"""Adds the name of the file to errors about rows, which the library raises without it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def adding(rows: str, *, remedy: str = "") -> Iterator[None]:
    """Name the rows in errors about data that are raised inside.

    Parameters
    ----------
    rows : str
        The name of the rows, such as ``"rows.csv"``; the message begins with it.
    remedy : str, optional
        What to try, if the error's own remedy does not fit.
    """
    try:
        yield
    except InvalidData as error:
        raise error.about(rows, remedy=remedy) from error


def batch_name(name: str, start: int, rows: int) -> str:
    """Return a name for a batch of a file that begins with row `start`."""
    if start == 0:
        return name
    return f"rows {start:,} to {start + rows - 1:,} of {name}, counted from 0"
