"""The linear architecture: one matrix each way, like PCA learned by gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from isthmus.core.errors import InvalidParameter
from isthmus.networks.dense import Dense

if TYPE_CHECKING:
    import keras

    from isthmus.networks.architecture_settings import ArchitectureSettings


@dataclass(frozen=True)
class Linear:
    """No hidden layers and no activations.

    With squared error its optimum spans the principal components (Baldi and Hornik, 1989,
    "Neural networks and principal component analysis").
    """

    name: ClassVar[str] = "linear"
    variable_length: ClassVar[bool] = False

    @classmethod
    def from_settings(cls, settings: ArchitectureSettings) -> Self:
        """Return the architecture for these settings; raises InvalidParameter."""
        # These settings are unused here, but a misspelt one should be reported anyway.
        settings.style()
        if settings.hidden:
            raise InvalidParameter(
                "hidden",
                expected="no hidden layers with architecture='linear'",
                received=repr(settings.hidden),
                remedy="use architecture='dense', or leave hidden='auto'",
            )
        return cls()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self | None:
        """Return the architecture of a possibly untrusted description; None if it is invalid."""
        return None if config else cls()

    def encoder(self, sample_shape: tuple[int, ...]) -> keras.Model:
        """Return the model (n, *sample_shape) -> the flattened sample."""
        return Dense(()).encoder(sample_shape)

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, *sample_shape)."""
        return Dense(()).decoder(sample_shape, latent_dim)
