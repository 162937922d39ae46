"""Checks of constructor parameters, made in `fit`."""

from __future__ import annotations

import math
import numbers
import os
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.core.errors import InvalidParameter

LARGEST_INTEGER = 2**31 - 1


def count(name: str, value: Any, *, at_least: int = 1, at_most: int = LARGEST_INTEGER) -> int:
    """Return an integer parameter from `at_least` to `at_most`; raises InvalidParameter."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or not at_least <= int(value) <= at_most
    ):
        largest = "2**31 - 1" if at_most == LARGEST_INTEGER else f"{at_most:,}"
        raise InvalidParameter(
            name,
            expected=f"an integer from {at_least} to {largest}",
            received=_short(value),
            remedy=f"pass {name}={max(at_least, 32)}, for example",
        )
    return int(value)


def number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> float:
    """Return a finite number within bounds; raises InvalidParameter."""
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (
            ("above", above),
            ("at least", at_least),
            ("at most", at_most),
            ("below", below),
        )
        if bound is not None
    ]
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        result = float(value) if is_number else math.nan
    except OverflowError:
        result = math.inf
    fits = (
        math.isfinite(result)
        and (above is None or result > above)
        and (at_least is None or result >= at_least)
        and (at_most is None or result <= at_most)
        and (below is None or result < below)
    )
    if not fits:
        raise InvalidParameter(
            name,
            expected=f"a finite number {' and '.join(bounds)}".rstrip(),
            received=_short(value),
            remedy=f"change {name}, or leave it out for the default",
        )
    return result


def path(name: str, value: Any) -> Path:
    """Return a path; raises InvalidParameter."""
    if not isinstance(value, (str, os.PathLike)):
        raise InvalidParameter(
            name,
            expected="the path of a file",
            received=repr(value),
            remedy=f"pass {name}='run.checkpoint', for example",
        )
    return Path(value)


def flag(name: str, value: Any) -> bool:
    """Return a parameter that is True or False; raises InvalidParameter."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidParameter(
            name,
            expected="True or False",
            received=repr(value),
            remedy=f"pass {name}=True or {name}=False",
        )
    return bool(value)


def layers(
    name: str, value: Any, *, at_most: int = LARGEST_INTEGER, most: int | None = None
) -> tuple[int, ...] | None:
    """Return the sizes of hidden layers; None for ``"auto"``; raises InvalidParameter.

    Parameters
    ----------
    name : str
        The name of the parameter.
    value : object
        The sizes.
    at_most : int
        The largest size.
    most : int or None
        The largest number of layers.
    """
    if isinstance(value, str) and value == "auto":
        return None
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        value = (value,)
    if not isinstance(value, (tuple, list)):
        raise InvalidParameter(
            name,
            expected="'auto' or the units of each hidden layer, such as (512, 256)",
            received=repr(value),
            remedy="pass a tuple of integers",
        )
    if most is not None and len(value) > most:
        raise InvalidParameter(
            name,
            expected=f"at most {most:,} layers",
            received=f"{len(value):,}",
            remedy="pass fewer sizes",
        )
    return tuple(count(name, units, at_most=at_most) for units in value)


def _short(value: Any) -> str:
    """Return the representation of a value, shortened if it is long."""
    if isinstance(value, int) and value.bit_length() > 512:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
