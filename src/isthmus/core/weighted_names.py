"""Names with weights as text, such as ``mse:0.5,ssim:0.5``, as options and archives have them."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXAMPLE = "names with weights above 0, such as mse:0.5,ssim:0.5"


def as_text(weights: Mapping[str, float]) -> str:
    """Return the text for weights by name; `from_text` restores equal numbers."""
    return ",".join(f"{name}:{_shortest(float(weight))}" for name, weight in weights.items())


def from_text(parameter: str, text: str) -> dict[str, float]:
    """Return the weights by name.

    Parameters
    ----------
    parameter : str
        The name of the parameter, for errors.
    text : str
        Names and weights, with a colon between, separated by commas.

    Raises
    ------
    InvalidParameter
        The text has another form, a name occurs twice, or a weight is not a number.
    """
    pairs = [part.partition(":") for part in text.split(",")]
    try:
        weights = {name.strip(): float(weight) for name, _, weight in pairs}
    except ValueError:
        weights = {}
    if len(weights) < len(pairs):
        raise InvalidParameter(parameter, expected=_EXAMPLE, received=repr(text)[:200])
    check_weights(parameter, weights)
    return weights


def check_weights(parameter: str, weights: Mapping[Any, Any]) -> None:
    """Check that there are weights, and that each is finite and above 0.

    Raises
    ------
    InvalidParameter
        There are none, or one is something else.
    """
    if not weights or not all(map(_is_weight, weights.values())):
        raise InvalidParameter(
            parameter,
            expected="at least one name, each with a finite weight above 0",
            received=repr(weights)[:200],
            remedy=f"pass {parameter}={{'mse': 0.5, 'ssim': 0.5}}, for example",
        )


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        return is_number and 0 < float(value) < math.inf
    except OverflowError:
        return False


def _shortest(weight: float) -> str:
    brief = f"{weight:g}"
    return brief if float(brief) == weight else repr(weight)
