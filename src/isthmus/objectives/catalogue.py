"""The losses and penalties by name. A new one is one file in this folder and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter
from isthmus.objectives.contraction import contraction
from isthmus.objectives.reconstruction import bce, huber, mae, mixture, mse
from isthmus.objectives.sparsity import l1

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from isthmus.core.types import Segment, Values
    from isthmus.objectives.objective import PerSample, Term


def _simple(loss: PerSample) -> Callable[[Sequence[Segment]], PerSample]:
    return lambda _segments: loss


LOSSES: Catalogue[Callable[[Sequence[Segment]], PerSample]] = Catalogue(
    "loss",
    {
        "mse": _simple(mse),
        "mae": _simple(mae),
        "huber": _simple(huber),
        "bce": _simple(bce),
        "mixture": mixture,
    },
)
_AUTO: dict[Values, str] = {"real": "mse", "unit": "bce", "mixed": "mixture"}
_FITTING: dict[str, tuple[Values, ...]] = {"bce": ("unit",), "mixture": ("mixed",)}


def resolve_loss(name: str, values: Values) -> str:
    """Resolve ``"auto"`` for the given kind of values; check any other name.

    Raises
    ------
    InvalidParameter
        The loss is unknown, or does not apply to such values.
    """
    if name == "auto":
        return _AUTO[values]
    if isinstance(name, str) and name.startswith("custom:"):
        raise InvalidParameter(
            "loss",
            expected="the function itself: a saved model keeps only its name",
            received=repr(name),
            remedy="set it again with set_params(loss=...)",
        )
    if name not in LOSSES:
        LOSSES[name]  # raises an error that suggests the closest name
    if values not in _FITTING.get(name, (values,)):
        wanted = {"bce": "values within [0, 1]", "mixture": "a table with categories or booleans"}
        received = {"real": "real numbers", "unit": "values within [0, 1]", "mixed": "such a table"}
        raise InvalidParameter(
            f"loss {name!r}",
            expected=wanted[name],
            received=received[values],
            remedy="leave loss='auto'" + (", or scale='range'" if name == "bce" else ""),
        )
    return name


PENALTIES: Catalogue[Callable[[float], Term]] = Catalogue(
    "penalty", {"l1": l1, "contraction": contraction}
)
"""Penalties by name, as functions of a weight; estimators have a parameter for each."""
