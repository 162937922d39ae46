"""Atomic writes: a file is written completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from isthmus.core.errors import CannotWrite

try:
    import fcntl
except ImportError:  # on Windows, where a file that is open cannot be removed
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LEAST_AGE = 60.0
"""Seconds after which a temporary file may be left over: its writer has locked it by then."""
_REMEDIES = {
    errno.ENOSPC: "free some space on the disk, or choose another folder",
    errno.EDQUOT: "free some of your quota, or choose another folder",
    errno.EFBIG: "raise the limit on file sizes, or choose another folder",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder on a disk that is not read-only",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def atomic_write(
    path: str | os.PathLike[str], content: bytes | Callable[[BinaryIO], object]
) -> None:
    """Write a file so that others see either the old one or the complete new one.

    The content goes to a temporary file with a unique name in the same folder, is flushed to disk,
    and replaces `path` in one step. If two processes write the same path, the last one wins. The
    permissions of an existing file are kept; links are followed.

    Parameters
    ----------
    path : path
        The file to write; its folder must exist.
    content : bytes, or function of an open binary file
        What to write, or a function that writes it piece by piece.

    Raises
    ------
    CannotWrite
        Nothing was written, and an existing file is unchanged. Errors raised by `content` itself
        propagate, and also leave nothing on disk.
    """
    shown = os.fspath(path)
    target, mode = _find_target(shown)
    try:
        with _temporary_beside(target, mode) as (temporary, file):
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            temporary.replace(target)
    except CannotWrite:
        raise
    except OSError as error:
        raise _failure(shown, error) from error
    _flush_folder(target.parent)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check, before hours of work, that `atomic_write` can write to this path.

    Raises
    ------
    CannotWrite
        The path is not writable.
    """
    shown = os.fspath(path)
    target, mode = _find_target(shown)
    try:
        with _temporary_beside(target, mode):
            pass
    except OSError as error:
        raise _failure(shown, error) from error


def _failure(shown: str, error: OSError) -> CannotWrite:
    return CannotWrite(
        f"could not write {shown!r} ({error.strerror or error}); nothing there was changed",
        remedy=_REMEDIES.get(error.errno or 0, "choose another folder"),
    )


def _find_target(shown: str) -> tuple[Path, int | None]:
    """Follow links; return the target and its permissions, None for a new file."""
    try:
        target = Path(os.path.realpath(shown))
        status = target.stat()
    except FileNotFoundError:
        if target.parent.is_dir():
            return target, None
        raise CannotWrite(
            f"could not write {shown!r}",
            expected="an existing folder",
            received=f"{str(target.parent)!r}, which does not exist",
            remedy="create the folder first",
        ) from None
    except (OSError, ValueError) as error:
        raise CannotWrite(
            f"could not write {shown!r} ({error})", remedy="choose another path"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise CannotWrite(
            f"could not write {shown!r}",
            expected="the path of a file",
            received="a folder" if target.is_dir() else "something that is not a regular file",
            remedy="give the name of a file",
        )
    if not os.access(target, os.W_OK):
        raise CannotWrite(
            f"could not write {shown!r}",
            expected="a file that may be replaced",
            received="a read-only file",
            remedy="choose another name, or make the file writable",
        )
    return target, stat.S_IMODE(status.st_mode)


@contextlib.contextmanager
def _temporary_beside(target: Path, mode: int | None) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a new file in the folder of `target`; remove it on exit unless it was renamed."""
    _sweep(target.parent)
    temporary = target.parent / f".isthmus-{secrets.token_hex(8)}.part"
    file = temporary.open("xb")
    try:
        with file:
            _lock(file)
            if mode is not None:
                temporary.chmod(mode)
            yield temporary, file
    finally:
        # Also after Ctrl-C. Once the file has been renamed, there is nothing to remove.
        with contextlib.suppress(OSError):
            temporary.unlink()


def _sweep(folder: Path) -> None:
    """Remove temporary files whose writers were killed: those that nobody has locked any longer."""
    oldest = time.time() - _LEAST_AGE
    for leftover in folder.glob(".isthmus-*.part"):
        with contextlib.suppress(OSError):
            with leftover.open("r+b") as file:
                is_stale = leftover.stat().st_mtime < oldest and _lock(file)
            if is_stale:
                leftover.unlink()


def _lock(file: BinaryIO) -> bool:
    """Lock a file until it is closed or the process ends; False if another process has done so."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _flush_folder(folder: Path) -> None:
    """Make the rename survive a power cut, where the system supports that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
