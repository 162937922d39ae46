"""Checks of a configuration that may come from an untrusted file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from isthmus.core.errors import InvalidArchive

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_REMEDY = "get the file again from its author"


def refuse(what: str, expected: str, received: object) -> NoReturn:
    """Raise InvalidArchive about one entry of a configuration."""
    text = repr(received)
    raise InvalidArchive(
        f"the archive's {what}",
        expected=expected,
        received=text if len(text) <= 80 else text[:77] + "...",
        remedy=_REMEDY,
    )


def entries(config: Any, names: Iterable[str], what: str) -> dict[str, Any]:
    """Return a JSON object that must have exactly these entries.

    Parameters
    ----------
    config : object
    names : iterable of str
    what : str
        What the object describes, as in ``"network"``.
    """
    expected = set(names)
    if not isinstance(config, dict):
        refuse(what, "a JSON object", type(config).__name__)
    if set(config) != expected:
        refuse(what, f"the entries {', '.join(sorted(expected))}", sorted(map(str, config)))
    return config


def entry(config: Any, name: str) -> Any:
    """Return the entry called `name` of a JSON object."""
    if not isinstance(config, dict):
        refuse("schema", "a JSON object", type(config).__name__)
    if name not in config:
        refuse("schema", f"an entry {name!r}", "none")
    return config[name]


def one_of(config: Any, name: str, known: Sequence[str]) -> Any:
    """Return an entry that must be one of `known` words."""
    value = entry(config, name)
    if not isinstance(value, str) or value not in known:
        refuse(name, f"one of {', '.join(known)}", value)
    return value


def text(config: Any, name: str) -> str:
    """Return an entry that must be a string."""
    value = entry(config, name)
    if not isinstance(value, str):
        refuse(name, "a string", value)
    return value


def items(config: Any, name: str) -> list[Any]:
    """Return an entry that must be a list."""
    value = entry(config, name)
    if not isinstance(value, list):
        refuse(name, "a list", value)
    return value


def integer(config: Any, name: str, least: int, most: int) -> int:
    """Return an entry that must be an integer from `least` to `most`."""
    value = entry(config, name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        refuse(name, f"an integer from {least} to {most}", value)
    return value


def finite_numbers(config: Any, name: str) -> NDArray[np.float64]:
    """Return an entry that must be a list of finite numbers."""
    values = items(config, name)
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        refuse(name, "a list of numbers", values)
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        refuse(name, "numbers that fit 64-bit floats", "larger ones")
    if not np.isfinite(numbers).all():
        refuse(name, "finite numbers", "NaN or infinity")
    return numbers
