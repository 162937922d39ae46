"""Fill the page templates in this folder, and check the paths of pages."""

from __future__ import annotations

import base64
import datetime
import hashlib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from isthmus._version import __version__
from isthmus.core.errors import CannotWrite

if TYPE_CHECKING:
    import os


class PageScript(NamedTuple):
    """A script of this package, and its hash: a page lets the browser run no other script."""

    text: Markup
    digest: str


def filled(name: str, parts: dict[str, Any]) -> str:
    """Render the template called `name` with `parts`."""
    environment = Environment(
        loader=FunctionLoader(_text),
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
    return Markup(_text("style.css"))  # noqa: S704 - our own file


def script(*names: str) -> PageScript:
    """Return the scripts called `names` as one, to be written into a page."""
    text = "\n".join(_text(name) for name in names)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return PageScript(Markup(text), f"sha256-{digest}")  # noqa: S704 - our own files


def colophon() -> str:
    """Return the last line of a page."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return f"Written by isthmus {__version__} on {today}. This page loads no external resources."


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
