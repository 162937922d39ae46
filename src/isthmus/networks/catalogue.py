"""The architectures by name. A new one is one file beside these and one line here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidArchive
from isthmus.networks.convolutional import Convolutional
from isthmus.networks.dense import Dense
from isthmus.networks.linear import Linear

if TYPE_CHECKING:
    from isthmus.networks.network import Architecture

_CLASSES: tuple[type[Architecture], ...] = (
    Convolutional,
    Dense,
    Linear,
)

ARCHITECTURES: Catalogue[type[Architecture]] = Catalogue(
    "architecture", {each.name: each for each in _CLASSES}
)


def architecture_to_config(architecture: Any) -> dict[str, Any]:
    """Return an architecture as names and numbers."""
    fields = asdict(architecture)
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}
    return {"name": architecture.name, **plain}


def architecture_from_config(config: Any) -> Architecture:
    """Return the architecture of a description, perhaps a stranger's; raises InvalidArchive."""
    name = config.get("name") if isinstance(config, dict) else None
    if isinstance(name, str) and name in ARCHITECTURES:
        fields = {key: value for key, value in config.items() if key != "name"}
        architecture = ARCHITECTURES[name].from_config(fields)
        if architecture is not None:
            return architecture
    raise InvalidArchive(
        "the archive's architecture",
        expected="one that this version of isthmus knows",
        received=repr(config)[:200],
    )
