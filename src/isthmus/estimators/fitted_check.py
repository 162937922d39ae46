"""Refusing what has not been fitted."""

from __future__ import annotations

from typing import Any

from isthmus.core.errors import InvalidParameter


def require_fitted(model: Any, attribute: str, expected: str) -> None:
    """Check that `model` has what `fit` gives it.

    Raises
    ------
    InvalidParameter
        It has not been fitted, or is something else altogether.
    """
    if hasattr(model, attribute):
        return
    unfitted = hasattr(model, "fit")
    raise InvalidParameter(
        "model",
        expected=expected,
        received=type(model).__name__ + (" that is not fitted" if unfitted else ""),
        remedy="call fit first" if unfitted else "pass the model itself",
    )
