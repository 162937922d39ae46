"""Builds the parts of a fit from the parameters that all estimators share."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import DataWarning, InvalidParameter, TrainingWarning
from isthmus.data.augmentation import augmentation
from isthmus.data.schema import as_fractions
from isthmus.estimators import parameter_checks
from isthmus.networks.acceleration import accelerated
from isthmus.networks.architecture_settings import ArchitectureSettings
from isthmus.networks.catalogue import architecture_class
from isthmus.networks.network import check_pair, clone_given, join
from isthmus.networks.principal_components import GAIN
from isthmus.networks.residual import Residual
from isthmus.networks.serialization import model_to_config
from isthmus.objectives.catalogue import LOSSES, PENALTIES, loss_of, resolve_loss
from isthmus.objectives.likelihood import LIKELIHOODS
from isthmus.objectives.perceptual import Perceptual
from isthmus.objectives.reconstruction import check_custom, custom
from isthmus.training.callbacks import Callbacks
from isthmus.training.config import TrainingConfig

if TYPE_CHECKING:
    from isthmus.core.sample_words import SampleNoun
    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.networks.bottlenecks import Bottleneck
    from isthmus.networks.head import Head
    from isthmus.networks.network import Architecture, Network
    from isthmus.objectives.objective import PerSample, Term
    from isthmus.training.loop import History, TrainingData

# Defaults were measured: docs/adr/0004-defaults.md.
_LARGEST_AUTO_CODE = 32
_AUTO_STEPS = 5000
_AUTO_EPOCHS = (20, 500)
_STREAM_STEPS = 100_000
"""Steps of "auto" epochs over rows that are read while training, unless one epoch has more."""
_AUTO_BATCH = (16, 256)
_AUTO_BATCHES_AN_EPOCH = 50

_SERIES = ("convolutional-1d", "gru", "recurrent")
"""The architectures for series."""
_OF_FRACTIONS = {
    "loss": [name for name, loss in LOSSES.items() if loss.values == ("unit",)],
    "likelihood": [name for name, of in LIKELIHOODS.items() if of.fits == ("unit",)],
}
"""By parameter, the choices that are only defined for values within [0, 1]."""


def is_for_series(estimator: Any) -> bool:
    """Whether the architecture takes series (n, time, channels), so that the last axis is known."""
    return estimator.encoder is None and estimator.architecture in _SERIES


def has_images(estimator: Any, schema: Schema) -> bool:
    """Whether samples are images, in which neighbouring cells are neighbouring pixels."""
    return schema.is_image and not is_for_series(estimator)


def sample_noun(estimator: Any, schema: Schema) -> SampleNoun:
    """Return what samples are called in texts."""
    return "image" if has_images(estimator, schema) else "row"


def values_for_loss(estimator: Any, schema: Schema, matrix: Floats) -> Schema:
    """Return the schema with values of the kind that the loss needs, if unscaled rows have them.

    Unscaled numbers are real numbers. If all of them are within [0, 1], and the loss is only
    defined for such values, they are treated as fractions, which they are with other scales.

    Parameters
    ----------
    estimator : isthmus estimator
        Has a `loss` or a `likelihood`.
    schema : Schema
        The schema of the training rows.
    matrix : float32 array of shape (n, *sample_shape)
        The training rows.

    Raises
    ------
    InvalidParameter
        The loss needs values within [0, 1], and a value is outside.
    """
    if estimator.scale != "none" or schema.values != "real":
        return schema
    for parameter, names in _OF_FRACTIONS.items():
        name = first_of(names, getattr(estimator, parameter, None))
        if name is None:
            continue
        low, high = np.fmin.reduce(matrix, axis=None), np.fmax.reduce(matrix, axis=None)
        if low < 0 or high > 1:
            raise InvalidParameter(
                f"{parameter} {name!r} with scale='none'",
                expected="values within [0, 1]",
                received=f"values from {low:.6g} to {high:.6g}",
                remedy=f"scale='range', or leave {parameter}='auto'",
            )
        return as_fractions(schema)
    return schema


def first_of(names: list[str], given: Any) -> str | None:
    """Return the first of these names that was given, alone or with others; None without any."""
    chosen = list(given) if isinstance(given, Mapping) else [given]
    return next((name for name in chosen if isinstance(name, str) and name in names), None)


def latent_dim(estimator: Any, schema: Schema) -> int:
    """Return the size of the code for data of this schema; raises InvalidParameter."""
    given = estimator.latent_dim
    if estimator.encoder is not None or estimator.decoder is not None:
        kind = type(_bottleneck(estimator, 1))
        check_pair(estimator.encoder, estimator.decoder, schema.sample_shape, kind)
        own = int(math.prod(estimator.decoder.inputs[0].shape[1:]))
        if given not in ("auto", own):
            raise InvalidParameter(
                "latent_dim",
                expected=f"{own}, the numbers in the decoder's input, or 'auto'",
                received=repr(given),
                remedy="leave latent_dim='auto', or change the models",
            )
        return own
    cells = math.prod(schema.sample_shape)
    if given == "auto":
        quarter = max(min(2, cells - 1), math.ceil(cells / 4), 1)
        return min(_LARGEST_AUTO_CODE, quarter)
    size = int(given)
    if size > cells:
        warnings.warn(
            f"latent_dim={size} is larger than the {cells} cells of a sample: the code "
            "can copy its input and need not compress it. Try: a smaller latent_dim.",
            DataWarning,
            stacklevel=5,
        )
    return size


def callbacks(estimator: Any, given: Any) -> Callbacks | None:
    """Return the Keras callbacks of a fit; raises InvalidParameter."""
    if given is None:
        return None
    if estimator.checkpoint is not None:
        raise InvalidParameter(
            "callbacks with a checkpoint",
            expected="one of the two",
            received="both; a checkpoint does not store the state of callbacks",
            remedy="leave out checkpoint or callbacks",
        )
    return Callbacks(given)


def recipe(estimator: Any, rows: int, *, streamed: bool = False) -> TrainingConfig:
    """Return how to train on `rows` rows; raises InvalidParameter.

    If they are `streamed`, "auto" is few epochs, one at least: an epoch takes many steps.
    """
    batch_size = _auto_batch_size(rows)
    if estimator.batch_size != "auto":
        batch_size = int(estimator.batch_size)
    fewest, most = _AUTO_EPOCHS
    epochs = max(fewest, min(most, _AUTO_STEPS * batch_size // rows))
    if streamed:
        epochs = max(1, min(fewest, _STREAM_STEPS * batch_size // rows))
    if estimator.epochs != "auto":
        epochs = int(estimator.epochs)
    clip_norm = estimator.clip_norm
    return TrainingConfig(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=estimator.optimizer,
        learning_rate=float(estimator.learning_rate),
        schedule=estimator.schedule,
        clip_norm=None if clip_norm is None else float(clip_norm),
        patience=_patience(estimator.patience, epochs),
    )


def network(
    estimator: Any, schema: Schema, size: int, head: Head | None, seed: int
) -> tuple[Network, Architecture | None]:
    """Return the network for a code of `size`, and its architecture; raises InvalidParameter.

    A pair of models passed by the user has no architecture.

    Warns
    -----
    TrainingWarning
        Such a pair cannot be saved.
    """
    bottleneck = _bottleneck(estimator, size)
    if estimator.encoder is not None:
        cloned = clone_given(estimator.encoder, estimator.decoder, bottleneck, head, seed=seed)
        _warn_if_unsavable(estimator.encoder, estimator.decoder)
        return cloned, None
    settings = ArchitectureSettings(
        schema.sample_shape,
        schema.values,
        parameter_checks.layers("hidden", estimator.hidden),
        estimator.activation,
        estimator.normalization,
        bool(estimator.linear_path),
        estimator.precision,
    )
    architecture = architecture_of(estimator, schema).from_settings(settings)
    joined = join(
        architecture,
        schema.sample_shape,
        bottleneck,
        values=schema.values,
        segments=schema.segments,
        head=head,
        seed=seed,
    )
    return joined, architecture


def _bottleneck(estimator: Any, size: int) -> Bottleneck:
    made: Bottleneck = estimator._bottleneck_of(size, estimator.get_params(deep=False))
    return made


def _warn_if_unsavable(*models: Any) -> None:
    """Warn before training about models that `save` will refuse after it."""
    for model in models:
        try:
            model_to_config(model)
        except InvalidParameter as error:
            warnings.warn(
                f"After training, save will refuse this estimator: {error}",
                TrainingWarning,
                stacklevel=7,
            )


def start(
    network: Network,
    architecture: Architecture | None,
    data: TrainingData,
    seed: int,
    *,
    loss: str,
) -> TrainingData:
    """Set initial weights that depend on the data; return the data with how to train on it.

    Mirror images are only used without labels, which they may change ("b" and "d"), and without a
    posterior, whose samples would be mirrored too. In these cases the initial weights are a
    complete model for squared error, which is to be kept if training does not improve it.
    """
    if not isinstance(architecture, Residual):
        return data
    free = data.labels is None and network.noise_dim == 0 and data.validation is not None
    held_out = data.matrix[data.validation] if free else None
    rows = data.matrix[data.training]
    mirrored = architecture.start(network, rows, held_out, seed=seed)
    complete = free and architecture.linear_path and loss == "mse"
    return replace(data, mirrored=mirrored, start_gain=GAIN if complete else None)


def learn_start_again(
    network: Network,
    architecture: Architecture | None,
    data: TrainingData,
    history: History,
    seed: int,
) -> None:
    """Set initial weights that were kept by all rows: none is needed for validation any longer."""
    kept = data.start_gain is not None and history.best_epoch == 0 and history.epochs["epoch"]
    if kept and isinstance(architecture, Residual):
        architecture.start_again(network, data.matrix, data.mirrored, seed=seed)


def augmented(estimator: Any, schema: Schema, data: TrainingData) -> TrainingData:
    """Return the data with the augmentation that was asked for; raises InvalidParameter.

    Named changes replace the mirror images that `start` chose for training.
    """
    given = estimator.augmentation
    if given == "auto":
        return data
    if given == "none":
        return replace(data, mirrored=())
    if is_for_series(estimator):
        raise InvalidParameter(
            "augmentation",
            expected="pictures",
            received=f"series, by architecture={estimator.architecture!r}",
            remedy="leave augmentation='auto', or use an architecture for pictures",
        )
    changes = augmentation(given, schema, data.matrix[data.training])
    return replace(data, mirrored=(), augmentation=changes)


def reconstruction(estimator: Any, schema: Schema) -> tuple[PerSample, str]:
    """Return the loss and its name, with "auto" resolved; raises InvalidParameter.

    For a pair of models passed by the user, "auto" is the squared error, because the last
    activation is unknown. It is also that for the convolutional architecture, which learns
    pictures better by it.
    """
    loss = estimator.loss
    if isinstance(loss, Perceptual):
        return _perceptual(estimator, loss, schema), f"custom:{type(loss).__name__}"
    if callable(loss):
        name = getattr(loss, "__name__", type(loss).__name__)
        check_custom(loss, name, schema.sample_shape)
        return custom(loss), f"custom:{name}"
    own = estimator.encoder is not None
    if loss == "auto" and (own or issubclass(architecture_of(estimator, schema), Residual)):
        loss = "mse"
    name = resolve_loss(loss, schema.values, images=has_images(estimator, schema))
    return loss_of(name, schema.segments), name


def _perceptual(estimator: Any, loss: Perceptual, schema: Schema) -> PerSample:
    if not has_images(estimator, schema):
        raise InvalidParameter(
            "loss Perceptual",
            expected="images, of shape (n, h, w) or (n, h, w, channels)",
            received=f"samples of shape {schema.sample_shape}",
            remedy="X.reshape(-1, h, w) if rows are flattened images, or leave loss='auto'",
        )
    parameter_checks.number("Perceptual weight", loss.weight, above=0)
    loss.check(schema.sample_shape)
    pixels = None
    if loss.pixels is not None:
        name = resolve_loss(loss.pixels, schema.values, images=True)
        pixels = loss_of(name, schema.segments)
    return loss.per_sample(accelerated(loss.features), pixels)


def architecture_of(estimator: Any, schema: Schema) -> type[Architecture]:
    """Return the architecture that an estimator has for such samples."""
    given = not isinstance(estimator.hidden, str)
    return architecture_class(estimator.architecture, schema.sample_shape, layers_given=given)


def penalties(estimator: Any) -> tuple[Term, ...]:
    """Return the penalties with a nonzero weight."""
    weights = {name: float(getattr(estimator, name)) for name in PENALTIES}
    return tuple(PENALTIES[name](weight) for name, weight in weights.items() if weight > 0)


def _patience(given: Any, epochs: int) -> int | None:
    if given is None:
        return None
    if given == "auto":
        return max(10, epochs // 5)
    return int(given)


def _auto_batch_size(rows: int) -> int:
    smallest, largest = _AUTO_BATCH
    power: int = 2 ** round(math.log2(max(1, rows / _AUTO_BATCHES_AN_EPOCH)))
    return max(smallest, min(largest, power))
