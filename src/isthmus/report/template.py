"""Fill the templates of pages, and check the paths of pages."""

from __future__ import annotations

import base64
import datetime
import hashlib
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from isthmus._version import __version__
from isthmus.core.errors import CannotWrite

if TYPE_CHECKING:
    import os


_HERE = "isthmus.report"


class InlinedFile(NamedTuple):
    """A script or a style sheet of isthmus, and its hash: a page lets the browser use no other."""

    text: Markup
    digest: str


def filled(name: str, parts: dict[str, Any], *, module: str = _HERE) -> str:
    """Render the template called `name`, a file of the package `module`, with `parts`."""
    environment = Environment(
        loader=FunctionLoader(partial(_text, module=module)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(style=style(), **parts)


def free_path(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Return the path for a page; raise CannotWrite if a file exists there."""
    target = Path(path)
    if target.exists() and not overwrite:
        raise CannotWrite(
            f"report {str(target)!r}",
            expected="a path where no file exists",
            received="a file that exists",
            remedy="choose another name, or pass overwrite=True",
        )
    return target


def style() -> Markup:
    """Return the pages' style sheet."""
    return inlined("style.css").text


def inlined(*names: str, module: str = _HERE) -> InlinedFile:
    """Return files of the package `module` as one, to be written into a page."""
    text = "\n".join(_text(name, module) for name in names)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return InlinedFile(Markup(text), f"sha256-{digest}")  # noqa: S704 - our own files


def colophon() -> str:
    """Return the last line of a page."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return f"Written by isthmus {__version__} on {today}. This page loads no external resources."


def _text(name: str, module: str) -> str:
    return resources.files(module).joinpath(name).read_text("utf-8")
