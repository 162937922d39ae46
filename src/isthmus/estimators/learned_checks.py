"""Whether the settings of a fitted estimator agree with what it learned.

Settings can be changed after `fit`, and an archive can be forged. A setting that contradicts the
network or the schema would be a false statement about the model, so it is refused when a model is
saved and when it is loaded, before the network is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.core.errors import InvalidParameter
from isthmus.core.weighted_names import as_text
from isthmus.networks.architecture_settings import POLICIES
from isthmus.objectives.catalogue import resolve_loss
from isthmus.objectives.likelihood import resolve_likelihood

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isthmus.data.schema import Schema
    from isthmus.estimators.labels import Labelling
    from isthmus.networks.head import Head
    from isthmus.networks.network import Architecture

    Contradictable = Iterator[tuple[str, Any]]

_STYLE = ("activation", "normalization", "linear_path")
_SIZES = ("hidden", "filters", "units")
"""What architectures call the sizes of their layers."""


def check_settings(
    settings: Mapping[str, Any],
    fitted: Mapping[str, Any],
    schema: Schema,
    *,
    architecture: Architecture | None,
    labelling: Labelling | None,
    head: Head | None,
) -> None:
    """Check settings against what was learned; those left on "auto" fit anything.

    Parameters
    ----------
    settings : mapping of str to object
        The constructor's parameters as an archive stores them. Some may be absent.
    fitted : mapping of str to object
        The fitted attributes ``latent_dim_`` and ``loss_``, among others.
    schema : Schema
        Of the data.
    architecture : Architecture or None
        None if the user passed the encoder and decoder.
    labelling, head
        None without labels.

    Raises
    ------
    InvalidParameter
        A setting contradicts what was learned, or the loss does not apply to such data.
    """
    loss = fitted["loss_"]
    _check_loss(settings, loss, schema)
    learned = {"latent_dim": fitted["latent_dim_"], **dict(_of_schema(schema))}
    learned["likelihood" if "likelihood" in settings else "loss"] = loss
    if architecture is not None:
        learned |= dict(_of_architecture(architecture))
    if labelling is not None and head is not None:
        learned |= dict(_of_head(labelling, head))
    for name, value in learned.items():
        given = settings.get(name, "auto")
        given = _sizes(given) if name in ("hidden", "head_hidden") else given
        given = as_text(given) if isinstance(given, dict) else given
        if not (isinstance(given, str) and given == "auto") and given != value:
            raise contradicted(name, given, value)


def contradicted(name: str, given: Any, learned: Any) -> InvalidParameter:
    """Return the error for a parameter that contradicts what was learned."""
    return InvalidParameter(
        name,
        expected=f"{learned!r}, as the model was fitted"[:200],
        received=repr(given)[:200],
        remedy="fit again after changing a parameter",
    )


def layer_sizes(architecture: Architecture) -> tuple[int, ...]:
    """Return the sizes of the layers of an architecture."""
    fields = vars(architecture)
    return next((tuple(fields[name]) for name in _SIZES if name in fields), ())


def _check_loss(settings: Mapping[str, Any], loss: str, schema: Schema) -> None:
    """Check the name of the loss that was learned with; raises InvalidParameter."""
    if loss == "auto":
        raise InvalidParameter("loss", expected="the name of a loss", received=repr(loss))
    if "likelihood" in settings:
        resolve_likelihood(loss, schema.values)
    elif not loss.startswith("custom:"):
        resolve_loss(loss, schema.values, images=schema.is_image)


def _of_schema(schema: Schema) -> Contradictable:
    scaling = schema.scaling  # type: ignore[attr-defined]
    # Fractions that are learned as they are have the range from 0 to 1: see `as_fractions`.
    unscaled = not scaling.center.any() and bool((scaling.scale == 1).all())
    numeric = not schema.segments or any(s.kind == "numeric" for s in schema.segments)
    if numeric and not (scaling.method == "range" and unscaled):
        yield "scale", scaling.method
    if schema.kind == "table":
        yield "unknown", schema.unknown  # type: ignore[attr-defined]


def _of_architecture(architecture: Architecture) -> Contradictable:
    fields = vars(architecture)
    yield "architecture", architecture.name
    yield "hidden", layer_sizes(architecture)
    yield from ((name, fields[name]) for name in _STYLE if name in fields)
    if "policy" in fields:
        yield "precision", {policy: name for name, policy in POLICIES.items()}[fields["policy"]]


def _of_head(labelling: Labelling, head: Head) -> Contradictable:
    yield "task", "classification" if labelling.classifies else "regression"
    yield "head_hidden", head.hidden
    yield "head_activation", head.activation
    yield "head_dropout", head.dropout


def _sizes(given: Any) -> Any:
    """Return sizes as a tuple, also of a single layer."""
    if isinstance(given, (list, tuple)):
        return tuple(given)
    return given if isinstance(given, str) else (given,)
