"""JSON for possibly untrusted sources: lossless in both directions, and bounded in size."""

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
        Tuples become lists, numpy scalars become Python numbers.
    subject : str
        The name of the value in errors.

    Raises
    ------
    InvalidParameter
        JSON cannot represent part of the value; the message names its path.
    """
    return json.dumps(_plain(value, subject, DEPTH_LIMIT), allow_nan=False, separators=(",", ":"))


def loads(text: str, subject: str) -> Any:
    """Return the value that `dumps` wrote.

    Raises
    ------
    InvalidArchive
        As for `parse`, or a marked float is neither NaN nor an infinity.
    """
    return _parse(text, subject, _marked)


def parse(text: bytes, subject: str) -> Any:
    """Read JSON that another program wrote, without interpreting marks.

    Raises
    ------
    InvalidArchive
        The text is not JSON, repeats a key, has a number too large for a float, or is too large.
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
    """Return `value` as JSON types."""
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
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key appears twice")
    return unique


def _marked(pairs: list[tuple[str, Any]]) -> Any:
    """Return a dict with its keys unescaped, or the float that a marked dict represents."""
    unique = _distinct(pairs)
    if _FLOAT not in unique:
        return {key[key.startswith("$$") :]: value for key, value in unique.items()}
    name = unique[_FLOAT]
    if len(unique) == 1 and isinstance(name, str) and name in _NOT_FINITE:
        return _NOT_FINITE[name]
    raise ValueError(f"a {_FLOAT} that is not nan, inf or -inf")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large")
    return number


def _check_count(text: str) -> None:
    """Limit what the parser allocates: every value follows a comma, a bracket or a brace."""
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
