"""Writing a file wholly or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from isthmus.core.errors import CannotWrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    """Write a file so that others see the old one or the whole new one, never a part.

    The content goes to a temporary file of a unique name in the same folder, is flushed to the
    disk, and takes the place of `path` in one step; of two processes writing the same path the
    last wins. A file that stood there keeps its permissions; a link is followed.

    Parameters
    ----------
    path : path
        Where the file goes; its folder must exist.
    content : bytes, or function of an open binary file
        What to write, or a function that writes it piece by piece.

    Raises
    ------
    CannotWrite
        Nothing was written, and what stood at `path` is untouched. An error that `content` itself
        raises passes through, likewise without a trace on the disk.
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
    """Find out before hours of work whether `atomic_write` could write here.

    Raises
    ------
    CannotWrite
        It could not.
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
    """Return where a link leads, and the permissions of the file there, None for a new one."""
    try:
        target = Path(os.path.realpath(shown))
        status = target.stat()
    except FileNotFoundError:
        if target.parent.is_dir():
            return target, None
        raise CannotWrite(
            f"could not write {shown!r}",
            expected="an existing folder",
            received=f"{str(target.parent)!r}, which is none",
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
    """Open a new file in the folder of `target`, and remove it if it is still there at the end."""
    temporary = target.parent / f".isthmus-{secrets.token_hex(8)}.part"
    file = temporary.open("xb")
    try:
        with file:
            if mode is not None:
                temporary.chmod(mode)
            yield temporary, file
    finally:
        # Also after Ctrl-C; once the file has taken the target's place there is none to remove.
        with contextlib.suppress(OSError):
            temporary.unlink()


def _flush_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the system can: the file is in place already."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
