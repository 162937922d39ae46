"""The architectures by name. A new one is one file beside these and one line here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.networks.blocks import ACTIVATIONS, NORMALIZATIONS, POLICIES
from isthmus.networks.dense import Dense
from isthmus.networks.linear import Linear

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.core.types import Values
    from isthmus.networks.network import Architecture

_NAMES: dict[type[Any], str] = {Dense: "dense", Linear: "linear"}
_MOST_LAYERS = 1000
_MANY_CELLS = 64


class Settings(NamedTuple):
    """What a person may say of an architecture, and what of the data decides what they left open.

    ``hidden`` is None and ``normalization`` "auto" where it is left open.
    """

    cells: int
    values: Values
    hidden: tuple[int, ...] | None
    activation: str
    normalization: str
    linear_path: bool
    precision: str


def _dense(settings: Settings) -> Architecture:
    hidden = settings.hidden
    if hidden is None:
        hidden = default_hidden(settings.cells)
    return Dense(
        hidden,
        ACTIVATIONS[settings.activation],
        _normalization(settings),
        settings.linear_path,
        POLICIES[settings.precision],
    )


def _linear(settings: Settings) -> Architecture:
    # Checked though they change nothing here: a misspelt setting should not wait to be noticed.
    (ACTIVATIONS[settings.activation], _normalization(settings), POLICIES[settings.precision])
    if settings.hidden:
        raise InvalidParameter(
            "hidden",
            expected="no hidden layers with architecture='linear'",
            received=repr(settings.hidden),
            remedy="use architecture='dense', or leave hidden='auto'",
        )
    return Linear()


def _normalization(settings: Settings) -> str:
    """Batch statistics help with pictures, and overfit small tables (docs/adr/0004-defaults.md)."""
    if settings.normalization != "auto":
        return NORMALIZATIONS[settings.normalization]
    return "batch" if settings.values == "unit" and settings.cells >= _MANY_CELLS else "none"


def default_hidden(cells: int) -> tuple[int, ...]:
    """Return the hidden units for samples of so many cells (docs/adr/0004-defaults.md)."""
    first = min(512, max(64, 4 * cells))
    layers = 3 if cells >= _MANY_CELLS else 2
    return tuple(max(64, first // 2**depth) for depth in range(layers))


ARCHITECTURES: Catalogue[Callable[[Settings], Architecture]] = Catalogue(
    "architecture", {"dense": _dense, "linear": _linear}
)


def architecture_to_config(architecture: Any) -> dict[str, Any]:
    """Return an architecture as names and numbers."""
    fields = asdict(architecture)
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}
    return {"name": _NAMES[type(architecture)], **plain}


def architecture_from_config(config: Any) -> Architecture:
    """Return the architecture of a description, perhaps a stranger's; raises InvalidArchive."""
    match config:
        case {"name": "linear", **rest} if not rest:
            return Linear()
        case {
            "name": "dense",
            "hidden": list(hidden),
            "activation": str(activation),
            "normalization": str(normalization),
            "linear_path": bool(linear_path),
            "policy": str(policy),
            **rest,
        } if (
            not rest
            and len(hidden) <= _MOST_LAYERS
            and all(type(units) is int and 0 < units < 2**31 for units in hidden)
            and activation in ACTIVATIONS
            and normalization in NORMALIZATIONS
            and policy in POLICIES.values()
        ):
            return Dense(tuple(hidden), activation, normalization, linear_path, policy)
    raise InvalidArchive(
        "the archive's architecture",
        expected="one that this version of isthmus knows",
        received=repr(config)[:200],
    )
