"""The constructor parameters that all estimators share."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator


class SharedParameters(BaseEstimator):
    """Stores the parameters, which `isthmus.estimators.parameters` declares."""

    latent_dim: int | str
    architecture: str
    encoder: Any
    decoder: Any
    hidden: Any
    activation: str
    normalization: str
    linear_path: bool
    scale: str
    augmentation: str
    epochs: int | str
    batch_size: int | str
    optimizer: Any
    learning_rate: float
    schedule: str
    clip_norm: float | None
    patience: int | str | None
    validation_fraction: float
    precision: str
    checkpoint: Any
    checkpoint_every: int
    warm_start: bool
    verbose: int
    random_state: Any

    def _store(self, given: dict[str, Any]) -> None:
        """Store the constructor's arguments, its ``locals()``, unchanged for scikit-learn."""
        for name in self._get_param_names():
            setattr(self, name, given[name])
