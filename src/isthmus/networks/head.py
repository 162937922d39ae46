"""Heads predict labels from a code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import keras

from isthmus.core.randomness import derive_seed
from isthmus.networks.architecture_settings import ACTIVATIONS, are_sizes
from isthmus.networks.layer_blocks import dense
from isthmus.networks.layers import TableOutput


@dataclass(frozen=True)
class Head:
    """Dense layers from a code to the logits of classes, or to targets.

    Parameters
    ----------
    outputs : int
        Classes, or targets.
    classifies : bool
        Whether outputs are classes, whose probabilities are a softmax of the last layer.
    hidden : tuple of int
        Units of the hidden layers, from the code on.
    activation : str
        Activation of the hidden layers.
    dropout : float
        Fraction of each hidden layer's units that a training step drops.
    """

    outputs: int
    classifies: bool
    hidden: tuple[int, ...] = ()
    activation: str = "gelu"
    dropout: float = 0.0

    @classmethod
    def from_config(cls, config: Any, *, outputs: int, classifies: bool) -> Self | None:
        """Return the head of a possibly untrusted description; None if it is invalid."""
        match config:
            case {
                "hidden": hidden,
                "activation": str(activation),
                "dropout": float(dropout),
                **rest,
            } if not rest and are_sizes(hidden) and activation in ACTIVATIONS and 0 <= dropout < 1:
                return cls(outputs, classifies, tuple(hidden), activation, dropout)
        return None

    @property
    def variable_count(self) -> int:
        """Number of arrays of the head: kernels, biases and dropout states."""
        return 2 * (1 + len(self.hidden)) + (len(self.hidden) if self.dropout else 0)

    def to_config(self) -> dict[str, Any]:
        """Return the input of `from_config`, without what the labels determine."""
        return {
            "hidden": list(self.hidden),
            "activation": self.activation,
            "dropout": self.dropout,
        }

    def branch(self, latent_dim: int) -> keras.Model:
        """Return the model from code (n, latent_dim) to logits or targets (n, outputs)."""
        x = code = keras.Input((latent_dim,), name="code")
        for index, units in enumerate(self.hidden):
            name = f"head_{index}"
            x = dense(units, name, policy="float32")(x)
            x = keras.layers.Activation(
                self.activation, name=f"{name}_{self.activation}", dtype="float32"
            )(x)
            if self.dropout:
                seed = derive_seed(0, name)  # fit sets its state
                x = keras.layers.Dropout(
                    self.dropout, seed=seed, name=f"{name}_dropout", dtype="float32"
                )(x)
        return keras.Model(
            code, dense(self.outputs, "response", policy="float32")(x), name="supervised_head"
        )

    def predictor(self, branch: keras.Model) -> keras.Model:
        """Return `branch` with its output activation: class probabilities, or targets."""
        if not self.classifies:
            return branch
        code = keras.Input(branch.inputs[0].shape[1:], name="code")
        # Unlike Keras's softmax, it gives 1 for a single class without a warning.
        classes = [("categorical", 0, self.outputs)]
        shares = TableOutput(classes, name="probabilities", dtype="float32")
        return keras.Model(code, shares(branch(code)), name="classifier")
