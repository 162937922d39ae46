"""The dense architecture: hidden layers down to the code, mirrored in the decoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras

from isthmus.networks.architecture_settings import MANY_CELLS, LayerStyle, are_sizes, is_style
from isthmus.networks.layer_blocks import dense, hidden_block

if TYPE_CHECKING:
    from isthmus.networks.architecture_settings import ArchitectureSettings


@dataclass(frozen=True)
class Dense:
    """Fully connected hidden layers, mirrored in the decoder, with a linear skip path.

    With the linear path a code is a matrix times the sample plus the output of the hidden layers,
    and likewise in the decoder. The network then starts close to PCA instead of having to learn
    linear maps with nonlinear layers; docs/adr/0004-defaults.md has measurements.

    Parameters
    ----------
    hidden : tuple of int
        Units of the encoder's hidden layers, from the input towards the code.
    activation : str
        Activation of the hidden layers.
    normalization : {"batch", "layer", "none"}
        Normalisation before each activation.
    linear_path : bool
        Whether to add the linear path between sample and code.
    policy : str
        Keras dtype policy of the hidden layers.
    """

    name: ClassVar[str] = "dense"
    variable_length: ClassVar[bool] = False

    hidden: tuple[int, ...]
    activation: str = "gelu"
    normalization: str = "batch"
    linear_path: bool = True
    policy: str = "float32"

    @classmethod
    def from_settings(cls, settings: ArchitectureSettings) -> Self:
        """Return the architecture for these settings; raises InvalidParameter."""
        hidden = settings.hidden
        if hidden is None:
            hidden = default_hidden(settings.cells)
        activation, normalization, policy = settings.style()
        return cls(hidden, activation, normalization, settings.linear_path, policy)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self | None:
        """Return the architecture of a possibly untrusted description; None if it is invalid."""
        match config:
            case {
                "hidden": hidden,
                "activation": str(activation),
                "normalization": str(normalization),
                "linear_path": bool(linear_path),
                "policy": str(policy),
                **rest,
            } if not rest and are_sizes(hidden) and is_style(activation, normalization, policy):
                return cls(tuple(hidden), activation, normalization, linear_path, policy)
        return None

    def encoder(self, sample_shape: tuple[int, ...]) -> keras.Model:
        """Return the model (n, *sample_shape) -> features (n, width)."""
        inputs = keras.Input(sample_shape, name="inputs")
        flat = inputs
        if len(sample_shape) > 1:
            flat = keras.layers.Flatten(name="flatten", data_format="channels_last")(flat)
        x = flat
        for index, units in enumerate(self.hidden):
            x = self._block(x, units, f"encoder_{index}")
        if self.hidden and self.linear_path:
            x = keras.layers.Concatenate(name="with_inputs", dtype="float32")([x, flat])
        return keras.Model(inputs, x, name="features")

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, *sample_shape), without output activation."""
        code = keras.Input((latent_dim,), name="code")
        x = code
        for index, units in enumerate(reversed(self.hidden)):
            x = self._block(x, units, f"decoder_{index}")
        cells = math.prod(sample_shape)
        x = dense(cells, "output", policy="float32")(x)
        if self.hidden and self.linear_path:
            straight = dense(cells, "linear_output", policy="float32", bias=False)(code)
            x = keras.layers.Add(name="sum", dtype="float32")([x, straight])
        if len(sample_shape) > 1:
            x = keras.layers.Reshape(sample_shape, name="reshape")(x)
        return keras.Model(code, x, name="expansion")

    def _block(self, x: Any, units: int, name: str) -> Any:
        style = LayerStyle(self.activation, self.normalization, self.policy)
        return hidden_block(x, units, name, style)


def default_hidden(cells: int) -> tuple[int, ...]:
    """Return the default units for samples of `cells` cells (docs/adr/0004-defaults.md)."""
    first = min(512, max(64, 4 * cells))
    layers = 3 if cells >= MANY_CELLS else 2
    return tuple(max(64, first // 2**depth) for depth in range(layers))
