"""The options of commands that read folders of images: their size and mode."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.core.errors import InvalidParameter
from isthmus.data.formats.image_options import AS_STORED, MODES, RESAMPLING, ImageOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PANEL = "Folders of images"
_SIZE = re.compile(r"(\d+)(?:[x×](\d+))?", re.IGNORECASE)
_HELP = {
    "image_size": "Resize images to this height and width, in pixels, such as 64x64.",
    "image_mode": f"Convert images to {', '.join(list(MODES)[:-1])} or {list(MODES)[-1]}; those "
    "that end in 16 have 16 bits.",
    "image_resample": f"The filter for resizing: {', '.join(RESAMPLING)}; by default "
    f"{AS_STORED.resample}.",
}
_METAVARS = {"image_size": "HxW", "image_mode": "MODE", "image_resample": "FILTER"}


def add(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it receives them in its ``**`` argument."""
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*own, *map(_option, _HELP)]
    )
    return command


def _option(name: str) -> inspect.Parameter:
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=_HELP[name],
        metavar=_METAVARS[name],
        rich_help_panel=_PANEL,
        show_default=False,
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


def chosen(
    given: Mapping[str, Any], *paths: Path | None, like: ImageOptions = AS_STORED
) -> ImageOptions:
    """Return how to read the images of a command's folders.

    Parameters
    ----------
    given : mapping of str to object
        The options that were given.
    *paths : Path or None
        What the command reads. If none of it is a folder, no option may be given.
    like : ImageOptions
        How the images were read that a model was fitted on; the options override it.

    Raises
    ------
    InvalidParameter
        An option is invalid, or there is no folder.
    """
    options: dict[str, Any] = {name: given[name] for name in _HELP if given.get(name) is not None}
    if not options:
        return like
    files = [path for path in paths if path is not None]
    if files and not any(path.is_dir() for path in files):
        raise InvalidParameter(
            f"--{next(iter(options)).replace('_', '-')}",
            expected="a folder of images",
            received=files[0].name,
            remedy="leave the option out",
        )
    if "image_size" in options:
        options["image_size"] = _size(options["image_size"])
    changed = {name.removeprefix("image_"): value for name, value in options.items()}
    try:
        return replace(like, **changed).checked()
    except InvalidParameter as error:
        raise InvalidParameter(
            f"--image-{error.subject}", expected=error.expected, received=error.received
        ) from None


def _size(text: str) -> tuple[int, int]:
    """Return height and width from a text such as ``64x48``, or ``64`` for a square."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise InvalidParameter(
            "--image-size",
            expected="height and width in pixels",
            received=repr(text),
            remedy="--image-size 64x64",
        )
    height, width = found.groups()
    return int(height), int(width or height)
