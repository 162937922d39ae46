"""Estimators as archives and as pickles: settings, schema, what was learned, weights by position.

Nothing that a file brings is run. The network is rebuilt from the names and numbers of an
architecture, or from a vetted description of the user's own models, and its size is bounded by
the arrays that are really in the file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from isthmus.core.artifact import Artifact
from isthmus.core.errors import InvalidArchive
from isthmus.data.schema import Schema, schema_from_config
from isthmus.estimators._inputs import remember_columns
from isthmus.networks.catalogue import architecture_from_config, architecture_to_config
from isthmus.networks.config import (
    assign_weights,
    build_with,
    model_from_config,
    model_to_config,
    variable_count,
)
from isthmus.networks.network import Architecture, Network, assemble, join_given

if TYPE_CHECKING:
    from isthmus.estimators._base import BaseAutoencoder

# What is learned and is a plain number, text, list or dictionary of these.
_PLAIN = (
    "latent_dim_",
    "loss_",
    "history_",
    "best_epoch_",
    "stop_reason_",
    "n_iter_",
    "n_samples_",
    "fit_seconds_",
)
_PICKLED = "_pickled_network"
_MODELS = ("network_", "encoder_", "decoder_", "_encode", "_decode")


def to_artifact(estimator: BaseAutoencoder) -> Artifact:
    """Return a fitted estimator as an artifact; see `BaseAutoencoder.save`."""
    network, architecture = estimator.network_, estimator._architecture
    if architecture is None:
        described = {
            "encoder": model_to_config(network.encoder),
            "decoder": model_to_config(network.decoder),
        }
    else:
        described = {"architecture": architecture_to_config(architecture)}
    manifest = {
        "params": {
            name: _storable(value) for name, value in estimator.get_params(deep=False).items()
        },
        "fitted": {name: getattr(estimator, name) for name in _PLAIN},
        "schema": estimator.schema_.to_config(),
        "network": described,
    }
    # What the estimator computes with; the public models are the person's to change.
    weights = {f"weights/{i}": array for i, array in enumerate(estimator._weights)}
    return Artifact(estimator.kind, manifest, weights)


def from_artifact(cls: type[Any], stored: Artifact) -> Any:
    """Return the estimator that an artifact holds; raises InvalidArchive."""
    content = stored.manifest
    if set(content) != {"params", "fitted", "schema", "network"}:
        raise InvalidArchive("the archive", expected="an estimator's parts", received="others")
    schema = schema_from_config(content["schema"])
    fitted = _fitted(content["fitted"])
    network, architecture = _network(content["network"], schema, fitted["latent_dim_"], stored)
    estimator = cls(**_params(cls, content["params"]))
    if architecture is None:
        estimator.encoder, estimator.decoder = network.encoder, network.decoder
    for name, value in fitted.items():
        setattr(estimator, name, value)
    remember_columns(estimator, schema)
    estimator.schema_, estimator._architecture = schema, architecture
    estimator._keep_network(network)
    return estimator


def picklable(state: dict[str, Any]) -> dict[str, Any]:
    """Return an estimator's state without compiled functions and models that share weights."""
    if "network_" not in state:
        return state
    network = state["network_"]
    pair = (network.encoder, network.decoder) if state["_architecture"] is None else None
    plain = {name: value for name, value in state.items() if name not in _MODELS}
    return {**plain, _PICKLED: pair}


def revive(estimator: Any) -> None:
    """Rebuild the models of an estimator that was unpickled."""
    if _PICKLED not in vars(estimator):
        return
    pair = vars(estimator).pop(_PICKLED)
    weights = estimator._weights
    if pair is None:
        network = _joined(
            estimator._architecture, estimator.schema_, estimator.latent_dim_, weights
        )
    else:
        network = join_given(*pair)
        assign_weights(network.full, weights)
    estimator._keep_network(network)


def _joined(
    architecture: Architecture, schema: Schema, latent_dim: int, weights: list[np.ndarray]
) -> Network:
    return build_with(
        lambda: assemble(
            architecture,
            schema.sample_shape,
            latent_dim,
            values=schema.values,
            segments=schema.segments,
        ),
        weights,
        model_of=lambda network: network.full,
    )


def _network(
    described: Any, schema: Schema, latent_dim: int, stored: Artifact
) -> tuple[Network, Architecture | None]:
    arrays = _arrays(stored)
    if isinstance(described, dict) and set(described) == {"architecture"}:
        architecture = architecture_from_config(described["architecture"])
        return _joined(architecture, schema, latent_dim, arrays), architecture
    if not (isinstance(described, dict) and set(described) == {"encoder", "decoder"}):
        raise InvalidArchive("the archive's network", expected="an architecture or a pair")
    cut = variable_count(described["encoder"])
    encoder = model_from_config(described["encoder"], arrays[:cut])
    decoder = model_from_config(described["decoder"], arrays[cut:])
    _check_fit(encoder, decoder, schema.sample_shape, latent_dim)
    return join_given(encoder, decoder), None


def _check_fit(encoder: Any, decoder: Any, sample_shape: tuple[int, ...], latent_dim: int) -> None:
    shapes = [encoder.input_shape, encoder.output_shape, decoder.input_shape, decoder.output_shape]
    expected = [sample_shape, (latent_dim,), (latent_dim,), sample_shape]
    if any(tuple(s[1:]) != e for s, e in zip(shapes, expected, strict=True)):
        raise InvalidArchive(
            "the archive's networks",
            expected=f"samples of shape {sample_shape} and codes of {latent_dim} numbers",
            received=str(shapes)[:200],
        )


def _arrays(stored: Artifact) -> list[np.ndarray]:
    """Return the arrays ``weights/0``, ``weights/1``... of an artifact."""
    names = [f"weights/{index}" for index in range(len(stored.arrays))]
    if set(names) != set(stored.arrays):
        raise InvalidArchive(
            "the archive's weights",
            expected="weights/0, weights/1, ...",
            received=str(sorted(stored.arrays))[:200],
        )
    return [stored.arrays[name] for name in names]


def _storable(value: Any) -> Any:
    """Return a setting as JSON has it; functions and optimizers only by name."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, (tuple, list)):
        return [_storable(item) for item in value]
    if isinstance(value, (keras.Model, np.random.RandomState, np.random.Generator)):
        return None
    if callable(value) or isinstance(value, keras.optimizers.Optimizer):
        return f"custom:{getattr(value, '__name__', type(value).__name__)}"
    return str(value)


def _params(cls: type[Any], stored: Any) -> dict[str, Any]:
    known = set(cls._get_param_names())
    if not isinstance(stored, dict) or not set(stored) <= known:
        raise InvalidArchive(
            "the archive's settings",
            expected=f"settings of {cls.__name__}",
            received=str(sorted(set(stored) - known) if isinstance(stored, dict) else stored)[:200],
        )
    for name, value in stored.items():
        plain = value is None or isinstance(value, (bool, int, float, str))
        if not plain and not (isinstance(value, list) and all(type(v) is int for v in value)):
            raise InvalidArchive(f"the archive's setting {name!r}", received=repr(value)[:200])
    return {n: tuple(v) if isinstance(v, list) else v for n, v in stored.items()}


def _fitted(stored: Any) -> dict[str, Any]:
    counts = ("latent_dim_", "best_epoch_", "n_iter_", "n_samples_")
    valid = (
        isinstance(stored, dict)
        and set(stored) == set(_PLAIN)
        and all(type(stored[name]) is int and 0 <= stored[name] < 2**62 for name in counts)
        and stored["latent_dim_"] > 0
        and all(isinstance(stored[name], str) for name in ("loss_", "stop_reason_"))
        and isinstance(stored["fit_seconds_"], (int, float))
        and math.isfinite(stored["fit_seconds_"])
        and _is_history(stored["history_"])
    )
    if not valid:
        raise InvalidArchive(
            "the archive's record of training", expected="numbers, names and a history"
        )
    return dict(stored)


def _is_history(history: Any) -> bool:
    return (
        isinstance(history, dict)
        and all(isinstance(values, list) for values in history.values())
        and len({len(values) for values in history.values()}) <= 1
        and all(type(v) in (int, float) for values in history.values() for v in values)
    )
