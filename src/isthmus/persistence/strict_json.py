"""JSON text that may come from an untrusted source: exact in both directions, and bounded."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidArchive, InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable

DEPTH_LIMIT = 64
VALUE_LIMIT = 4_000_000
_FLOAT = "$float"
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def dumps(value: Any, subject: str) -> str:
    """Return `value` as JSON; infinities and NaN become ``{"$float": "nan"}``.

    A key that itself begins with a dollar sign gets a second one.

    Parameters
    ----------
    value : dict, list, tuple, str, bool, int, float, None or numpy scalar, nested
        Tuples become lists, numpy scalars Python's numbers.
    subject : str
        What errors call the value.

    Raises
    ------
    InvalidParameter
        Something in it has no place in JSON; its path is named.
    """
    return json.dumps(_plain(value, subject, DEPTH_LIMIT), allow_nan=False, separators=(",", ":"))


def loads(text: str, subject: str) -> Any:
    """Return the value that `dumps` wrote.

    Raises
    ------
    InvalidArchive
        As `parse`, or a marked float is none of NaN and the infinities.
    """
    return _parse(text, subject, _marked)


def parse(text: bytes, subject: str) -> Any:
    """Read JSON of another program's as it stands.

    Raises
    ------
    InvalidArchive
        The text is not JSON, repeats a key, holds a number that a float cannot, or is too large.
    """
    return _parse(text, subject, _distinct)


def _parse(
    text: str | bytes, subject: str, make_object: Callable[[list[tuple[str, Any]]], Any]
) -> Any:
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        _check_count(text)
        value = json.loads(
            text, object_pairs_hook=make_object, parse_constant=_refuse, parse_float=_finite
        )
        _check_depth(value)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidArchive(f"{subject} cannot be read: {reason}") from None
    return value


def _plain(value: Any, path: str, depth: int) -> Any:
    """Return `value` made of JSON's own types."""
    if depth == 0:
        raise _unfit(path, f"at most {DEPTH_LIMIT} levels of nesting", "more")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_FLOAT: repr(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{i}]", depth - 1) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {_key(key, path): _plain(v, f"{path}.{key}", depth - 1) for key, v in value.items()}
    raise _unfit(path, "numbers, strings, lists and dicts", type(value).__name__)


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise _unfit(path, "keys that are strings", repr(key))
    return f"${key}" if key.startswith("$") else key


def _unfit(path: str, expected: str, received: str) -> InvalidParameter:
    return InvalidParameter(f"{path} cannot be saved", expected=expected, received=received)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _marked(pairs: list[tuple[str, Any]]) -> Any:
    """Build a dict without our marks, or the float that one stands for."""
    found = _distinct(pairs)
    if _FLOAT not in found:
        return {key[key.startswith("$$") :]: value for key, value in found.items()}
    name = found[_FLOAT]
    if len(found) == 1 and isinstance(name, str) and name in _NOT_FINITE:
        return _NOT_FINITE[name]
    raise ValueError(f"a {_FLOAT} that is none of nan, inf and -inf")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large")
    return number


def _check_count(text: str) -> None:
    """Bound what the parser will allocate: every value follows a comma, a bracket or a brace."""
    if text.count(",") + text.count("[") + text.count("{") > VALUE_LIMIT:
        raise ValueError(f"it holds more than {VALUE_LIMIT} values")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_LIMIT + 1):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise ValueError(f"it is nested more than {DEPTH_LIMIT} deep")
