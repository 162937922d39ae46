"""Errors about rows are raised where nobody knows their file; here they are told of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMEDY = ". Remedy: "


@contextmanager
def about(rows: str, *, remedy: str = "") -> Iterator[None]:
    """Say of an error about data which rows it is about.

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
        message = str(error)
        if remedy:
            message = f"{message.partition(_REMEDY)[0].rstrip('.')}{_REMEDY}{remedy}."
        raise type(error)(f"{rows}: {message}") from error


def batch(name: str, start: int, rows: int) -> str:
    """Name rows of a file that are read as one batch, the first of which is row `start`."""
    if start == 0:
        return name
    return f"rows {start:,} to {start + rows - 1:,} of {name}, counted from 0"
