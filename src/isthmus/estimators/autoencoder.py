"""The autoencoder."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from isthmus.core.errors import DataWarning, InvalidParameter
from isthmus.estimators import _checks
from isthmus.estimators._base import BaseAutoencoder, Parts
from isthmus.networks.catalogue import ARCHITECTURES, Settings
from isthmus.networks.network import check_pair, clone_given, join
from isthmus.objectives.catalogue import LOSSES, PENALTIES, resolve_loss
from isthmus.objectives.objective import Objective, PerSample, Term
from isthmus.objectives.reconstruction import check_custom, custom
from isthmus.training.recipe import Recipe

if TYPE_CHECKING:
    from isthmus.data.schema import Schema

# Defaults by measurement: docs/adr/0004-defaults.md.
_LARGEST_AUTO_CODE = 32
_AUTO_STEPS = 5000
_AUTO_EPOCHS = (20, 500)
_AUTO_BATCH = (16, 256)
_AUTO_BATCHES_AN_EPOCH = 50


class Autoencoder(BaseAutoencoder):
    """Learns a short code from which its input can be rebuilt.

    Takes arrays (n, columns), images (n, height, width) or (n, height, width, channels), and
    DataFrames or Arrow tables with numbers, booleans, categories, dates and missing cells. Scales
    them, trains a network with early stopping on held-out rows, and keeps the best weights.

    Parameters
    ----------
    latent_dim : int or "auto", default="auto"
        Numbers in a code. "auto": a quarter of the cells of a sample, at most 32.
    architecture : {"dense", "linear"}, default="dense"
        The network to both sides of the code.
    encoder, decoder : keras.Model, default=None
        A pair of the user's own instead of `architecture`: samples -> code (n, latent_dim), and
        code -> reconstruction in scaled units (probabilities, for "bce" and "mixture"). They are
        cloned in `fit`, with their weights.
    hidden : tuple of int or "auto", default="auto"
        Units of the encoder's hidden layers; the decoder mirrors them.
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
        Share of rows held out to stop by and to choose the best weights by; 0 uses all rows and
        keeps the last weights, as do fewer than 20 rows.
    precision : {"float32", "bfloat16"}, default="float32"
        "bfloat16": hidden layers compute in bfloat16, weights and losses stay float32.
    checkpoint : path or None, default=None
        A file to which the run is written, so that a run that was killed goes on from it.
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
        self.latent_dim = latent_dim
        self.architecture = architecture
        self.encoder = encoder
        self.decoder = decoder
        self.hidden = hidden
        self.activation = activation
        self.normalization = normalization
        self.linear_path = linear_path
        self.loss = loss
        self.l1 = l1
        self.contraction = contraction
        self.scale = scale
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.precision = precision
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.verbose = verbose
        self.random_state = random_state

    def _latent_dim(self, schema: Schema) -> int:
        if self.encoder is not None or self.decoder is not None:
            check_pair(self.encoder, self.decoder, schema.sample_shape)
            own = int(self.encoder.outputs[0].shape[1])
            if self.latent_dim not in ("auto", own):
                raise InvalidParameter(
                    "latent_dim",
                    expected=f"{own}, the size of the encoder's output, or 'auto'",
                    received=repr(self.latent_dim),
                    remedy="leave latent_dim='auto', or change the encoder",
                )
            return own
        cells = math.prod(schema.sample_shape)
        if self.latent_dim == "auto":
            quarter = max(min(2, cells - 1), math.ceil(cells / 4), 1)
            return min(_LARGEST_AUTO_CODE, quarter)
        latent_dim = _checks.count("latent_dim", self.latent_dim)
        if latent_dim > cells:
            warnings.warn(
                f"latent_dim={latent_dim} is larger than the {cells} cells of a sample: the code "
                "can copy its input and need not compress it. Remedy: a smaller latent_dim.",
                DataWarning,
                stacklevel=3,
            )
        return latent_dim

    def _recipe(self, rows: int) -> Recipe:
        batch_size = _auto_batch_size(rows)
        if self.batch_size != "auto":
            batch_size = _checks.count("batch_size", self.batch_size)
        fewest, most = _AUTO_EPOCHS
        epochs = max(fewest, min(most, _AUTO_STEPS * batch_size // rows))
        if self.epochs != "auto":
            epochs = _checks.count("epochs", self.epochs)
        _checks.number("validation_fraction", self.validation_fraction, at_least=0, below=1)
        return Recipe(
            epochs=epochs,
            batch_size=batch_size,
            optimizer=self.optimizer,
            learning_rate=_checks.number("learning_rate", self.learning_rate, above=0),
            schedule=self.schedule,
            clip_norm=None
            if self.clip_norm is None
            else _checks.number("clip_norm", self.clip_norm, above=0),
            patience=self._patience(epochs),
        )

    def _patience(self, epochs: int) -> int | None:
        if self.patience is None:
            return None
        if self.patience == "auto":
            return max(10, epochs // 5)
        return _checks.count("patience", self.patience)

    def _parts(self, schema: Schema, latent_dim: int, seed: int) -> Parts:
        reconstruction, loss = self._reconstruction(schema)
        objective = Objective(reconstruction, self._penalties())
        if self.encoder is not None:
            network = clone_given(self.encoder, self.decoder, seed=seed)
            return Parts(network, None, objective, loss)
        settings = Settings(
            math.prod(schema.sample_shape),
            schema.values,
            _checks.layers("hidden", self.hidden),
            self.activation,
            self.normalization,
            _checks.flag("linear_path", self.linear_path),
            self.precision,
        )
        architecture = ARCHITECTURES[self.architecture](settings)
        network = join(
            architecture,
            schema.sample_shape,
            latent_dim,
            values=schema.values,
            segments=schema.segments,
            seed=seed,
        )
        return Parts(network, architecture, objective, loss)

    def _reconstruction(self, schema: Schema) -> tuple[PerSample, str]:
        if callable(self.loss):
            name = getattr(self.loss, "__name__", type(self.loss).__name__)
            check_custom(self.loss, name, schema.sample_shape)
            return custom(self.loss), f"custom:{name}"
        given = "mse" if self.encoder is not None and self.loss == "auto" else self.loss
        loss = resolve_loss(given, schema.values)
        return LOSSES[loss](schema.segments), loss

    def _penalties(self) -> tuple[Term, ...]:
        weights = {
            name: _checks.number(name, getattr(self, name), at_least=0) for name in PENALTIES
        }
        return tuple(PENALTIES[name](weight) for name, weight in weights.items() if weight > 0)


def _auto_batch_size(rows: int) -> int:
    smallest, largest = _AUTO_BATCH
    power: int = 2 ** round(math.log2(max(1, rows / _AUTO_BATCHES_AN_EPOCH)))
    return max(smallest, min(largest, power))
