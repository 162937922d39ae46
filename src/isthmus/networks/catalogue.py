"""The architectures by name. A new one is one file in this folder and one line here."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidArchive
from isthmus.networks.convolutional import Convolutional, Convolutional1D, Strided
from isthmus.networks.dense import Dense
from isthmus.networks.linear import Linear
from isthmus.networks.recurrent import GRU, LSTM

if TYPE_CHECKING:
    from isthmus.networks.network import Architecture

_CLASSES: tuple[type[Architecture], ...] = (
    Convolutional,
    Convolutional1D,
    Dense,
    GRU,
    Linear,
    LSTM,
    Strided,
)

ARCHITECTURES: Catalogue[type[Architecture]] = Catalogue(
    "architecture", {each.name: each for each in _CLASSES}
)

_MOST_DENSE_CELLS = 2**16
"""The cells of a 256 x 256 image, whose first dense layer alone has 2**25 weights."""


def architecture_class(name: str, sample_shape: tuple[int, ...]) -> type[Architecture]:
    """Return the architecture called `name`; raises InvalidParameter.

    "auto" is dense, which for the same time on a CPU is as good for images as convolution
    (docs/adr/0004-defaults.md), but convolutional for images that need too many dense weights.
    """
    if name != "auto":
        return ARCHITECTURES[name]
    picture = len(sample_shape) == 2 or (len(sample_shape) == 3 and sample_shape[2] <= 4)
    large = math.prod(sample_shape) > _MOST_DENSE_CELLS
    return Convolutional if picture and large else Dense


def architecture_to_config(architecture: Any) -> dict[str, Any]:
    """Return a JSON-able description of an architecture."""
    fields = asdict(architecture)
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}
    return {"name": architecture.name, **plain}


def architecture_from_config(config: Any) -> Architecture:
    """Return the architecture of a possibly untrusted description; raises InvalidArchive."""
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
