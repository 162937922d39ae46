"""Checks of output files, made before the work starts."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from isthmus.core.errors import CannotWrite, InvalidParameter
from isthmus.data.formats.catalogue import output_choices

Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists already.")]


def check(paths: Iterable[Path], *, force: bool) -> None:
    """Check that every path can be written and that no existing file would be lost.

    Parameters
    ----------
    paths : iterable of Path
        The files, or folders of images, that a command will write.
    force : bool
        Whether existing files may be replaced.

    Raises
    ------
    CannotWrite
        A folder is missing or not writable, two outputs have the same path, or a path exists.
    """
    taken: set[Path] = set()
    for path in paths:
        _check_folder(path)
        if path.resolve() in taken:
            raise CannotWrite(
                f"{str(path)!r} is the path of two outputs", remedy="give each its own name"
            )
        taken.add(path.resolve())
        if path.is_dir() and path.suffix:
            raise CannotWrite(
                f"cannot write {str(path)!r}",
                expected="the path of a file",
                received="a folder",
                remedy="choose another name",
            )
        if os.path.lexists(path) and not force:
            raise CannotWrite(
                f"{str(path)!r} exists and was not changed",
                remedy="choose another name, or add --force to replace it",
            )


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, unless they exist.

    Raises
    ------
    CannotWrite
        The folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"cannot make the folder {str(folder)!r} ({error.strerror})",
            remedy="choose another folder",
        ) from None


def require_ending(path: Path, endings: Sequence[str], what: str) -> None:
    """Check that a path ends in one of `endings`.

    Raises
    ------
    InvalidParameter
        The path has another ending.
    """
    if path.suffix.lower() not in endings:
        raise InvalidParameter(
            f"{str(path)!r}",
            expected=f"{what}: {output_choices(endings)}",
            received=f"the ending {path.suffix!r}" if path.suffix else "a name without an ending",
            remedy=f"name it {path.with_suffix(endings[0]).name!r}",
        )


def path_and_size(path: Path) -> str:
    """Return a path and its size, for the line that says what was written."""
    if path.is_dir():
        return f"{path} ({sum(each.is_file() for each in path.rglob('*')):,} files)"
    size: float = path.stat().st_size
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{path} ({size:,.0f} {unit})"
        size /= 1000
    return f"{path} ({size:,.1f} GB)"


def _check_folder(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise CannotWrite(
            f"cannot write {str(path)!r}",
            expected="an existing folder",
            received=f"{str(folder)!r}, which is not a folder",
            remedy="create the folder first",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotWrite(
            f"cannot write {str(path)!r}",
            expected="a folder that you may write to",
            received=repr(str(folder)),
            remedy="choose another folder",
        )
