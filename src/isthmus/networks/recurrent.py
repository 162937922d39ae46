"""Recurrent architectures: cells that read a sequence step by step, and cells that write it."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras

from isthmus.core.errors import InvalidParameter
from isthmus.core.randomness import derive_seed
from isthmus.networks.architecture_settings import POLICIES, are_sizes
from isthmus.networks.layer_blocks import dense, with_inputs, with_straight
from isthmus.networks.layers import LastStep

if TYPE_CHECKING:
    from isthmus.networks.architecture_settings import ArchitectureSettings

_DEFAULT_UNITS = (64,)
_GUIDES = 8
"""Number of inputs to a decoder's cells at each step."""


@dataclass(frozen=True)
class Recurrent(ABC):
    """Abstract: recurrent layers for sequences (time, channels), mirrored in the decoder.

    A sequence shorter than the longest has NaN in all channels after its end. The encoder uses the
    state of its cells at the last step, so its output does not depend on the padding. Since missing
    cells reach a network as 0, a sequence whose last steps are exactly 0 in all channels ends
    before them.

    The decoder's first cells start from a state computed from the code, and receive `_GUIDES`
    numbers at each step, which are also computed from the code. So every step is one layer away
    from the code, whereas a repeated code reaches late steps only through the early ones (measured
    on sines: a fifth less error).

    The cells have their own gates and activations, so the settings `activation` and
    `normalization` have no effect.

    Parameters
    ----------
    units : tuple of int
        Units of the encoder's layers, from the sequence towards the code.
    linear_path : bool
        Whether to add a linear path between sample and code, as in `Dense`.
    policy : str
        Keras dtype policy of the cells.
    """

    name: ClassVar[str]
    variable_length: ClassVar[bool] = True
    cells: ClassVar[type[keras.layers.RNN]]
    """The Keras layer."""
    states: ClassVar[int]
    """Number of vectors in a cell's state."""

    units: tuple[int, ...]
    linear_path: bool = True
    policy: str = "float32"

    @classmethod
    def from_settings(cls, settings: ArchitectureSettings) -> Self:
        """Return the architecture for these settings; raises InvalidParameter."""
        # Some names are unused here, but a misspelt one should be reported anyway.
        policy = settings.style().policy
        if len(settings.sample_shape) != 2:
            raise InvalidParameter(
                f"architecture={cls.name!r}",
                expected="sequences, an array (n, time, channels)",
                received=f"samples of shape {settings.sample_shape}",
                remedy="X[..., None] makes sequences of one channel, or use architecture='dense'",
            )
        units = settings.some_hidden(_DEFAULT_UNITS, "the units of at least one layer", cls.name)
        return cls(units, settings.linear_path, policy)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self | None:
        """Return the architecture of a possibly untrusted description; None if it is invalid."""
        match config:
            case {
                "units": units,
                "linear_path": bool(linear_path),
                "policy": str(policy),
                **rest,
            } if not rest and are_sizes(units) and units and policy in POLICIES.values():
                return cls(tuple(units), linear_path, policy)
        return None

    def encoder(self, sample_shape: tuple[int, ...]) -> keras.Model:
        """Return the model (n, time, channels) -> features (n, width)."""
        inputs = keras.Input(sample_shape, name="inputs")
        x = inputs
        for index, units in enumerate(self.units):
            x = self._layer(units, f"encoder_{index}")(x)
        x = LastStep(name="last_step", dtype=self.policy)([inputs, x])
        if self.linear_path:
            x = with_inputs(x, inputs)
        return keras.Model(inputs, x, name="features")

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, time, channels), without output activation."""
        time, channels = sample_shape
        code = keras.Input((latent_dim,), name="code")
        x = dense(time * _GUIDES, "guides", policy=self.policy)(code)
        x = keras.layers.Activation("gelu", name="guides_gelu", dtype=self.policy)(x)
        x = keras.layers.Reshape((time, _GUIDES), name="steps")(x)
        state: list[Any] | None = self._state(code)
        for index, units in reversed(list(enumerate(self.units))):
            x = self._layer(units, f"decoder_{index}")(x, initial_state=state)
            state = None
        x = dense(channels, "output", policy="float32")(x)
        if self.linear_path:
            x = with_straight(x, code, sample_shape)
        return keras.Model(code, x, name="expansion")

    def _state(self, code: Any) -> list[Any]:
        """Return the initial state of the decoder's first cells."""
        made = []
        for number in range(self.states):
            name = f"state_{number}"
            state = dense(self.units[-1], name, policy=self.policy)(code)
            bounded = keras.layers.Activation("tanh", name=f"{name}_tanh", dtype=self.policy)
            made.append(bounded(state))
        return made

    def _layer(self, units: int, name: str) -> Any:
        seed = derive_seed(0, name)
        return self.cells(
            units,
            return_sequences=True,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seed),
            seed=seed,
            name=name,
            dtype=self.policy,
        )


@dataclass(frozen=True)
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997); see `Recurrent`.

    The default of the two: on sines, it reaches half the error of `GRU` in the same time.
    """

    name: ClassVar[str] = "recurrent"
    cells: ClassVar[type[keras.layers.RNN]] = keras.layers.LSTM
    states: ClassVar[int] = 2


@dataclass(frozen=True)
class GRU(Recurrent):
    """Gated recurrent units (Cho et al., 2014); see `Recurrent` for the parameters."""

    name: ClassVar[str] = "gru"
    cells: ClassVar[type[keras.layers.RNN]] = keras.layers.GRU
    states: ClassVar[int] = 1
