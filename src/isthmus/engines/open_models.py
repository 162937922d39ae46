"""The models that a process has open: each file is read once, by whatever thread is first."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from isthmus.core.errors import InvalidArchive, InvalidParameter

if TYPE_CHECKING:
    from isthmus.engines.row_tasks import RowTask

_MOST = 4
_open: dict[tuple[str, str, str], RowTask] = {}
_lock = Lock()
_owner: list[int] = []
"""The process that opened the first model."""


def checksum(path: str) -> str:
    """Return the SHA-256 of a model's file.

    Raises
    ------
    InvalidArchive
        The file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidArchive(
            f"{path!r} cannot be read ({error.strerror or error})",
            remedy="check the path; every worker needs the file in the same place",
        ) from None


def opened(path: str, digest: str, task: str) -> RowTask:
    """Return a task of the model in a file; the process opens it at most once.

    Parameters
    ----------
    path : str
        The file.
    digest : str
        Its `checksum`.
    task : str
        A name in `row_tasks.ROW_TASKS`.

    Raises
    ------
    InvalidArchive
        The file is missing, is no model, or has changed.
    InvalidParameter
        The model cannot do the task, or the process is a fork of one that has opened a model.
    """
    key = (path, digest, task)
    _refuse_fork()
    with _lock:
        if key not in _open:
            made = _read(path, digest, task)
            _owner[:] = [os.getpid()]
            while len(_open) >= _MOST:
                del _open[next(iter(_open))]
            _open[key] = made
        return _open[key]


def forget() -> None:
    """Close all models of this process."""
    with _lock:
        _open.clear()


def _read(path: str, digest: str, task: str) -> RowTask:
    # JAX is imported only now, when a worker has limited its threads.
    from isthmus.engines.row_tasks import row_task
    from isthmus.persistence.loading import load

    found = checksum(path)
    if found != digest:
        raise InvalidArchive(
            repr(path),
            expected=f"the file with the SHA-256 {digest[:12]}...",
            received=f"another, {found[:12]}...",
            remedy="make the function again, and give every worker the same file",
        )
    return row_task(load(path), task, Path(path).name)


def _refuse_fork() -> None:
    """Refuse to work in a fork, where the threads of JAX no longer run: it would wait forever."""
    if _owner and _owner[0] != os.getpid():
        raise InvalidParameter(
            "the start of worker processes",
            expected="new processes",
            received="a fork of a process that has opened a model",
            remedy="multiprocessing.get_context('spawn')",
        )
