"""The autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.estimators import resolved_settings
from isthmus.estimators.base import BaseAutoencoder, TrainingGoal
from isthmus.objectives.objective import Objective

if TYPE_CHECKING:
    from isthmus.data.schema import Schema


class Autoencoder(BaseAutoencoder):
    """Learns a short code from which its input can be rebuilt.

    Takes arrays (n, columns), images (n, height, width) or (n, height, width, channels), and
    DataFrames or Arrow tables with numbers, booleans, categories, dates and missing cells. Scales
    them, trains a network with early stopping on held-out rows, and keeps the best weights.

    Parameters
    ----------
    latent_dim : int or "auto", default="auto"
        Numbers in a code. "auto": a quarter of the cells of a sample, at most 32.
    architecture : str, default="dense"
        The network to both sides of the code: "dense"; "linear"; for pictures "convolutional"
        (with pooling) or "strided" (with strides and transposed convolutions); for series
        (n, time, channels) "convolutional-1d", "recurrent" (an LSTM) or "gru". "auto": dense, but
        convolutional for pictures of more than 65,536 cells. Sequences for recurrent networks may
        differ in length: a shorter one has NaN in all channels behind its end.
    encoder, decoder : keras.Model, default=None
        A pair of the user's own instead of `architecture`: samples -> code (n, latent_dim), and
        code -> reconstruction in scaled units (probabilities, for "bce" and "mixture"). They are
        cloned in `fit`, with their weights.
    hidden : tuple of int or "auto", default="auto"
        Units of the encoder's hidden or recurrent layers, or filters of its convolutions, from
        the input towards the code; the decoder mirrors them.
    activation : str, default="gelu"
        Activation of hidden layers.
    normalization : {"batch", "layer", "none", "auto"}, default="auto"
        Normalisation in hidden layers. "auto": batch for images, none for tables.
    linear_path : bool, default=True
        Whether a matrix joins sample and code beside the hidden layers; False gives the plain
        network of textbooks.
    loss : str or callable, default="auto"
        "mse", "mae", "huber", "bce", "mixture", or a function of (target, reconstruction) in
        Keras' signature. "auto": cross-entropy for images and values in [0, 1], squared error
        for numeric columns, a mixture by column for tables with categories or booleans; squared
        error for a pair of your own, whose last activation is not known.
    l1 : float, default=0.0
        Weight of the mean absolute code (a sparse autoencoder).
    contraction : float, default=0.0
        Weight of the encoder's squared Jacobian norm (a contractive autoencoder).
    scale : {"auto", "range", "robust", "none"}, default="auto"
        How data become scaled units; see `isthmus.data.schema.infer_schema`.
    epochs : int or "auto", default="auto"
        Passes over the rows, at most. "auto": about 5,000 steps, within 20 to 500 epochs.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": about 50 batches an epoch, within 16 to 256 rows.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        A name, used with the settings below, or an optimizer that is used as it is.
    learning_rate : float, default=0.005
        The highest learning rate.
    schedule : {"cosine", "constant"}, default="cosine"
        How the rate falls over the epochs, after a warm-up of a twentieth of them.
    clip_norm : float or None, default=1.0
        Upper bound of the gradient's norm.
    patience : int, "auto" or None, default="auto"
        Epochs without a better validation loss after which training stops; None: never. "auto":
        a fifth of `epochs`, at least 10.
    validation_fraction : float, default=0.1
        Fraction of rows held out to stop by and to choose the best weights by; 0 uses all rows and
        keeps the last weights, as do fewer than 20 rows.
    precision : {"float32", "bfloat16"}, default="float32"
        "bfloat16": hidden layers compute in bfloat16, weights and losses stay float32.
    checkpoint : path or None, default=None
        A file to which the run is written, so that a run that was killed resumes from it.
    checkpoint_every : int, default=1
        Epochs between two checkpoints.
    verbose : int, default=1
        1 shows a progress bar where standard error is a terminal; 0 never.
    random_state : None, int, RandomState or Generator, default=None
        An integer makes `fit` repeat its bits on the same machine and versions.

    Attributes
    ----------
    encoder_, decoder_ : keras.Model
        Samples in scaled units -> codes, and codes -> samples in scaled units. They are the
        user's to take away; changing them does not change the estimator.
    network_ : Network
        The two and the whole, sharing weights.
    schema_ : Schema
        The map between the data and scaled units.
    latent_dim_, loss_ : int, str
        What "auto" became.
    history_ : dict of str to list
        Per epoch: ``epoch``, ``loss``, ``val_loss``, ``learning_rate``, ``seconds``.
    best_epoch_, stop_reason_, fit_seconds_, n_iter_, n_samples_
        Which epoch's weights were kept; why training ended ("finished", "early stopping",
        "interrupted", "diverged"); seconds in `fit`; epochs run; rows given.
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
        architecture: str = "dense",
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
        verbose: int = 1,
        random_state: Any = None,
    ) -> None:
        self._store(locals())

    def _goal(self, schema: Schema) -> TrainingGoal:
        reconstruction, loss = resolved_settings.reconstruction(self, schema)
        return TrainingGoal(Objective(reconstruction, resolved_settings.penalties(self)), loss)
