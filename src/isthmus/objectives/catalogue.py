"""The losses and penalties by name. A new one is one file in this folder and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter
from isthmus.objectives.contraction import contraction
from isthmus.objectives.reconstruction import bce, huber, mae, mixture, mse
from isthmus.objectives.sparsity import l1

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from isthmus.core.types import Segment, Values
    from isthmus.objectives.objective import PerSample, Term


@dataclass(frozen=True)
class Loss:
    """A loss, and the data for which it is defined."""

    per_sample: Callable[[Sequence[Segment]], PerSample]
    """Makes the loss of samples with these columns."""
    values: tuple[Values, ...] = ("real", "unit", "mixed")
    remedy: str = "leave loss='auto'"

    def __call__(self, segments: Sequence[Segment]) -> PerSample:
        """Return the loss of samples with these columns; none for arrays."""
        return self.per_sample(segments)


def _of_cells(loss: PerSample, **limits: Any) -> Loss:
    """Return a loss that treats all columns alike."""
    return Loss(lambda _segments: loss, **limits)


LOSSES: Catalogue[Loss] = Catalogue(
    "loss",
    {
        "mse": _of_cells(mse),
        "mae": _of_cells(mae),
        "huber": _of_cells(huber),
        "bce": _of_cells(
            bce,
            values=("unit",),
            remedy="leave loss='auto', or scale='range'",
        ),
        "mixture": Loss(mixture, values=("mixed",)),
    },
)
_AUTO: dict[Values, str] = {"real": "mse", "unit": "bce", "mixed": "mixture"}
_IN_WORDS: dict[Values, str] = {
    "real": "real numbers",
    "unit": "values within [0, 1]",
    "mixed": "a table with categories or booleans",
}


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
    loss = LOSSES[name]  # an error that suggests the closest name
    if values not in loss.values:
        raise InvalidParameter(
            f"loss {name!r}",
            expected=" or ".join(_IN_WORDS[value] for value in loss.values),
            received=_IN_WORDS[values],
            remedy=loss.remedy,
        )
    return name


PENALTIES: Catalogue[Callable[[float], Term]] = Catalogue(
    "penalty", {"l1": l1, "contraction": contraction}
)
"""Penalties by name, as functions of a weight; estimators have a parameter for each."""
