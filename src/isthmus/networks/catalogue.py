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
from isthmus.networks.residual import Residual
from isthmus.networks.residual_volumes import ResidualVolumes

if TYPE_CHECKING:
    from isthmus.networks.network import Architecture

_CLASSES: tuple[type[Architecture], ...] = (
    Convolutional1D,
    Dense,
    GRU,
    Linear,
    LSTM,
    Residual,
    ResidualVolumes,
    Strided,
)

ARCHITECTURES: Catalogue[type[Architecture]] = Catalogue(
    "architecture", {each.name: each for each in _CLASSES}
)
_EARLIER: dict[str, type[Architecture]] = {"convolutional": Convolutional}
"""What a name stood for in earlier versions, for their archives."""

_MOST_DENSE_CELLS = 2**16
"""The cells of a 256 x 256 image, whose first dense layer alone has 2**25 weights."""
_SMALLEST_SIDE, _MOST_CHANNELS = 8, 16
"""The smallest side of a picture, and the most channels."""


def architecture_class(
    name: str, sample_shape: tuple[int, ...], *, layers_given: bool = False
) -> type[Architecture]:
    """Return the architecture called `name`; raises InvalidParameter.

    "auto" is convolutional for samples of shape (height, width, channels) or (depth, height, width,
    channels), and for those of shape (height, width) that need too many dense weights; for others,
    which may be series, it is dense.
    It is also dense if the user gives the sizes of hidden layers, which mean units there.
    """
    if name != "auto":
        return ARCHITECTURES[name]
    if layers_given:
        return Dense
    if len(sample_shape) in (3, 4):
        small = min(sample_shape[-3:-1]) < _SMALLEST_SIDE or sample_shape[-1] > _MOST_CHANNELS
        found: type[Architecture] = Residual if len(sample_shape) == 3 else ResidualVolumes
        return Dense if small else found
    large = len(sample_shape) == 2 and math.prod(sample_shape) > _MOST_DENSE_CELLS
    return Residual if large else Dense


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
        classes = (ARCHITECTURES[name], _EARLIER.get(name, ARCHITECTURES[name]))
        for architecture in (each.from_config(fields) for each in classes):
            if architecture is not None:
                return architecture
    raise InvalidArchive(
        "the archive's architecture",
        expected="one that this version of isthmus knows",
        received=repr(config)[:200],
    )
