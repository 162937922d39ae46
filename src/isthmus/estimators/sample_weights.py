"""Refuses weights of rows in `fit`, without making them one of its parameters.

scikit-learn takes a parameter `sample_weight` as a promise that a weight of 2 is the same as a
repeated row. So `fit` takes any keyword, none of which is in its signature.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Method = TypeVar("Method", bound=Callable[..., Any])


def without_keywords(method: Method) -> Method:
    """Leave ``**keywords`` out of the signature of a method that refuses all of them."""
    signature = inspect.signature(method)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    method.__signature__ = signature.replace(parameters=named)  # type: ignore[attr-defined]
    return method


def refuse_keywords(given: Mapping[str, Any]) -> None:
    """Refuse keywords that a method has no parameter for.

    Raises
    ------
    InvalidParameter
        One is a `sample_weight` other than None.
    TypeError
        One is anything else, as Python would say.
    """
    if given.get("sample_weight") is not None:
        raise InvalidParameter(
            "sample_weight",
            expected="none: training uses shuffled mini-batches, in which a weight of 2 is "
            "not the same as a repeated row",
            received="weights",
            remedy="repeat rows instead, such as X[numpy.repeat(numpy.arange(len(X)), counts)]",
        )
    for name in given:
        if name != "sample_weight":
            raise TypeError(f"got an unexpected keyword argument {name!r}")
