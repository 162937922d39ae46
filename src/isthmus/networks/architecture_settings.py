"""The user's settings of an architecture, and how the data decide those left on "auto"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from isthmus.core.types import Values

NORMALIZATIONS = Catalogue("normalization", {"batch": "batch", "layer": "layer", "none": "none"})
ACTIVATIONS = Catalogue(
    "activation",
    {
        name: name
        for name in (
            "elu", "gelu", "leaky_relu", "linear", "mish", "relu", "selu", "sigmoid", "silu",
            "softplus", "tanh",
        )
    },
)  # fmt: skip
POLICIES = Catalogue("precision", {"float32": "float32", "bfloat16": "mixed_bfloat16"})
MANY_CELLS = 64
"""Samples in [0, 1] with at least this many cells are treated as images."""
_MOST_LAYERS = 1000
_MOST_UNITS = 2**20
"""As in `isthmus.estimators.constraints`, which checks the settings."""


class LayerStyle(NamedTuple):
    """Settings that all hidden layers of a network share."""

    activation: str
    normalization: str
    policy: str
    """A Keras dtype policy."""


class ArchitectureSettings(NamedTuple):
    """The settings that an architecture is built from.

    If left open, ``hidden`` is None and ``normalization`` is "auto".
    """

    sample_shape: tuple[int, ...]
    values: Values
    hidden: tuple[int, ...] | None
    activation: str
    normalization: str
    linear_path: bool
    precision: str

    @property
    def cells(self) -> int:
        """Number of cells of a sample."""
        return math.prod(self.sample_shape)

    def some_hidden(
        self, default: tuple[int, ...], wanted: str, architecture: str
    ) -> tuple[int, ...]:
        """Return the hidden sizes, of which there must be at least one; raises InvalidParameter."""
        hidden = default if self.hidden is None else self.hidden
        if not hidden:
            raise InvalidParameter(
                "hidden",
                expected=f"{wanted} with architecture={architecture!r}",
                received="()",
                remedy="leave hidden='auto', or use architecture='linear'",
            )
        return hidden

    def style(self) -> LayerStyle:
        """Return the checked names; raises InvalidParameter.

        Batch normalization helps with images and overfits small tables (docs/adr/0004-defaults.md).
        """
        normalization = self.normalization
        if normalization == "auto":
            images = self.values == "unit" and self.cells >= MANY_CELLS
            normalization = "batch" if images else "none"
        return LayerStyle(
            ACTIVATIONS[self.activation], NORMALIZATIONS[normalization], POLICIES[self.precision]
        )


def are_sizes(value: Any) -> bool:
    """Whether a value from an untrusted description can be the sizes of layers."""
    return (
        isinstance(value, list)
        and len(value) <= _MOST_LAYERS
        and all(type(size) is int and 0 < size <= _MOST_UNITS for size in value)
    )


def is_style(activation: str, normalization: str, policy: str) -> bool:
    """Whether values from an untrusted description are valid for a `LayerStyle`."""
    return (
        activation in ACTIVATIONS
        and normalization in NORMALIZATIONS
        and policy in POLICIES.values()
    )
