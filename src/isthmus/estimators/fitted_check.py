"""A check that a model has been fitted."""

from __future__ import annotations

from typing import Any

from isthmus.core.errors import InvalidParameter


def require_fitted(model: Any, attribute: str, expected: str) -> None:
    """Check that `model` has an attribute that `fit` sets.

    Raises
    ------
    InvalidParameter
        It is not fitted, or is not a model.
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
