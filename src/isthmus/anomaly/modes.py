"""What a detector is for: clean or contaminated rows, rows or a series."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sklearn.utils.metaestimators import available_if

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable

Method = TypeVar("Method")

MODES = Catalogue("mode", {"novelty": False, "outlier": True})
"""Whether some of the training rows are anomalies."""


def method_of(*, series: bool) -> Callable[[Method], Method]:
    """Return a decorator: a method is there with `window`, or only without."""
    decorator: Callable[[Method], Method] = available_if(
        lambda detector: (detector.window is not None) == series
    )
    return decorator


def not_for_series() -> InvalidParameter:
    """Return what to raise of a contaminated series."""
    return InvalidParameter(
        "mode",
        expected="'novelty' with a window",
        received="'outlier'",
        remedy="leave it out: a few anomalies in a series do little harm",
    )
