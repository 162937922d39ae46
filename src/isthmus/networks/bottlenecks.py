"""Bottlenecks: what turns the encoder's features into a code."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from isthmus.networks.blocks import dense


@dataclass(frozen=True)
class Point:
    """A code that is one point: a dense layer without activation, so that no code is out of reach.

    Parameters
    ----------
    latent_dim : int
        Numbers in a code.
    """

    latent_dim: int

    def build(self, features: int) -> keras.Model:
        """Return the model (n, features) -> code (n, latent_dim)."""
        inputs = keras.Input((features,), name="features")
        code = dense(self.latent_dim, "code", policy="float32")(inputs)
        return keras.Model(inputs, code, name="bottleneck")
