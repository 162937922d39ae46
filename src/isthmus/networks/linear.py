"""The linear architecture: one matrix in, one matrix out; what PCA is, learned by descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isthmus.networks.dense import Dense

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Linear:
    """No hidden layers and no activations.

    With squared error its optimum spans the principal components (Baldi and Hornik, 1989,
    "Neural networks and principal component analysis").
    """

    def encoder(self, sample_shape: tuple[int, ...]) -> keras.Model:
        """Return the model (n, *sample_shape) -> the flattened sample."""
        return Dense(()).encoder(sample_shape)

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, *sample_shape)."""
        return Dense(()).decoder(sample_shape, latent_dim)
