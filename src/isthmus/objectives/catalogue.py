"""The losses and penalties by name. A new one is one file in this folder and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter
from isthmus.core.weighted_names import as_text, check_weights, from_text
from isthmus.objectives.contraction import contraction
from isthmus.objectives.gradient_difference import gradient_difference
from isthmus.objectives.reconstruction import bce, charbonnier, huber, mae, mixture, mse
from isthmus.objectives.sparsity import l1
from isthmus.objectives.structural_similarity import ms_ssim, ssim

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import jax

    from isthmus.core.types import Batch, Outputs, Segment, Values
    from isthmus.objectives.objective import PerSample, Term


@dataclass(frozen=True)
class Loss:
    """A loss, and the data for which it is defined."""

    per_sample: Callable[[Sequence[Segment]], PerSample]
    """Makes the loss of samples with these columns."""
    values: tuple[Values, ...] = ("real", "unit", "mixed")
    remedy: str = "leave loss='auto'"
    images: bool = False
    """Whether it is only defined for images, because it compares neighbouring pixels."""

    def __call__(self, segments: Sequence[Segment]) -> PerSample:
        """Return the loss of samples with these columns; none for arrays."""
        return self.per_sample(segments)


def _of_cells(loss: PerSample, **limits: Any) -> Loss:
    """Return a loss that treats all columns alike."""
    return Loss(lambda _segments: loss, **limits)


_FRACTIONS: dict[str, Any] = {
    "values": ("unit",),
    "remedy": "leave loss='auto', or scale='range'",
}
LOSSES: Catalogue[Loss] = Catalogue(
    "loss",
    {
        "mse": _of_cells(mse),
        "mae": _of_cells(mae),
        "huber": _of_cells(huber),
        "charbonnier": _of_cells(charbonnier),
        "bce": _of_cells(bce, **_FRACTIONS),
        "mixture": Loss(mixture, values=("mixed",)),
        "ssim": _of_cells(ssim, images=True, **_FRACTIONS),
        "ms_ssim": _of_cells(ms_ssim, images=True, **_FRACTIONS),
        "gradient_difference": _of_cells(gradient_difference, images=True, values=("real", "unit")),
    },
)
_AUTO: dict[Values, str] = {"real": "mse", "unit": "bce", "mixed": "mixture"}
_IN_WORDS: dict[Values, str] = {
    "real": "real numbers",
    "unit": "values within [0, 1]",
    "mixed": "a table with categories or booleans",
}


def resolve_loss(given: str | Mapping[str, float], values: Values, *, images: bool) -> str:
    """Return the name of the loss for data of this kind, which `loss_of` accepts.

    Parameters
    ----------
    given : str or mapping of str to float
        ``"auto"``, a name, or the weights of several losses by name, also in the form of the
        result: ``"mse:0.5,ssim:0.5"``.
    values : {"real", "unit", "mixed"}
        The kind of values.
    images : bool
        Whether samples are images.

    Raises
    ------
    InvalidParameter
        A loss is unknown, or does not apply to such data.
    """
    if isinstance(given, str) and given == "auto":
        return _AUTO[values]
    if isinstance(given, str) and given.startswith("custom:"):
        raise InvalidParameter(
            "loss",
            expected="the function itself: a saved model keeps only its name",
            received=repr(given),
            remedy="set it again with set_params(loss=...)",
        )
    weights = from_text("loss", given) if _is_weighted(given) else given
    if not isinstance(weights, Mapping):
        _check_loss(weights, values, images=images)
        return weights
    check_weights("loss", weights)
    for name in weights:
        _check_loss(name, values, images=images)
    return as_text(weights)


def loss_of(name: str, segments: Sequence[Segment]) -> PerSample:
    """Return a loss, or the weighted sum of several.

    Parameters
    ----------
    name : str
        As returned by `resolve_loss`.
    segments : sequence of Segment
        The columns of a table in the order of the matrix; none for arrays.
    """
    if not _is_weighted(name):
        return LOSSES[name](segments)
    weights = from_text("loss", name)
    terms = [(weight, LOSSES[each](segments)) for each, weight in weights.items()]

    def loss(batch: Batch, outputs: Outputs) -> jax.Array:
        first, *others = (weight * term(batch, outputs) for weight, term in terms)
        return sum(others, start=first)

    return loss


def _is_weighted(name: Any) -> TypeGuard[str]:
    return isinstance(name, str) and ":" in name


def _check_loss(name: str, values: Values, *, images: bool) -> None:
    """Check that a loss is known and applies to such data; raises InvalidParameter."""
    loss = LOSSES[name]  # an error that suggests the closest name
    if loss.images and not images:
        raise InvalidParameter(
            f"loss {name!r}",
            expected="images, of shape (n, h, w) or (n, h, w, channels)",
            received="a table, flat rows or series",
            remedy="X.reshape(-1, h, w) if rows are flattened images, or leave loss='auto'",
        )
    if values not in loss.values:
        raise InvalidParameter(
            f"loss {name!r}",
            expected=" or ".join(_IN_WORDS[value] for value in loss.values),
            received=_IN_WORDS[values],
            remedy=loss.remedy,
        )


PENALTIES: Catalogue[Callable[[float], Term]] = Catalogue(
    "penalty", {"l1": l1, "contraction": contraction}
)
"""Penalties by name, as functions of a weight; estimators have a parameter for each."""
