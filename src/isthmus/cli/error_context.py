"""Adds the file to errors about rows, which are raised where only the rows are known."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def about(rows: str, *, remedy: str = "") -> Iterator[None]:
    """Add to an error about data which rows it is about.

    Parameters
    ----------
    rows : str
        The rows, as the message begins: ``"rows.csv"``.
    remedy : str, optional
        What to do, where the error's own advice does not fit.
    """
    try:
        yield
    except InvalidData as error:
        raise error.about(rows, remedy=remedy) from error


def batch(name: str, start: int, rows: int) -> str:
    """Name rows of a file that are read as one batch, the first of which is row `start`."""
    if start == 0:
        return name
    return f"rows {start:,} to {start + rows - 1:,} of {name}, counted from 0"
