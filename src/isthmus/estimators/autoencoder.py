"""The autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.estimators import resolved_settings
from isthmus.estimators.base import BaseAutoencoder, TrainingGoal
from isthmus.objectives.objective import Objective

if TYPE_CHECKING:
    from isthmus.data.schema import Schema


class Autoencoder(BaseAutoencoder):
    """Learns a low-dimensional code from which the input can be reconstructed.

    Accepts arrays (n, columns), images (n, height, width) or (n, height, width, channels), and
    DataFrames or Arrow tables with numbers, booleans, categories, dates and missing cells. `fit`
    scales the data, trains a network with early stopping on held-out rows, and keeps the best
    weights.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    encoder_, decoder_ : keras.Model
        Samples in scaled units -> codes, and codes -> samples in scaled units. Changing these
        models does not change the estimator.
    network_ : Network
        Encoder, decoder and complete model, which share weights.
    schema_ : Schema
        The map between the data and scaled units.
    latent_dim_, loss_ : int, str
        The values used, with "auto" resolved.
    code_shape_ : tuple of int
        Shape of the code of a sample: (latent_dim,), or that of the output of your own encoder,
        which `transform` flattens.
    history_ : dict of str to list
        Per epoch: ``epoch``, ``loss``, ``val_loss``, ``learning_rate``, ``seconds``.
    best_epoch_, stop_reason_, fit_seconds_, n_iter_, n_samples_
        Epoch whose weights were kept, 0 for the initial ones; why training ended ("finished",
        "early stopping", "callback", "interrupted", "diverged"); seconds in `fit`; number of
        epochs; number of rows.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> autoencoder = ist.Autoencoder(latent_dim=2, epochs=5, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (150, 2)
    """

    kind = "autoencoder"

    def __init__(
        self,
        latent_dim: int | str = "auto",
        *,
        architecture: str = "auto",
        encoder: Any = None,
        decoder: Any = None,
        hidden: Any = "auto",
        activation: str = "gelu",
        normalization: str = "auto",
        linear_path: bool = True,
        loss: Any = "auto",
        l1: float = 0.0,
        contraction: float = 0.0,
        scale: str = "auto",
        unknown: str = "warn",
        augmentation: str = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        optimizer: Any = "adam",
        learning_rate: float = 0.005,
        schedule: str = "cosine",
        clip_norm: float | None = 1.0,
        patience: int | str | None = "auto",
        validation_fraction: float = 0.1,
        precision: str = "float32",
        checkpoint: Any = None,
        checkpoint_every: int = 1,
        warm_start: bool = False,
        verbose: int = 1,
        random_state: Any = None,
    ) -> None:
        self._store(locals())

    def _goal(self, schema: Schema) -> TrainingGoal:
        reconstruction, loss = resolved_settings.reconstruction(self, schema)
        return TrainingGoal(Objective(reconstruction, resolved_settings.penalties(self)), loss)
