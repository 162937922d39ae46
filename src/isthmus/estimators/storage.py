"""Converts estimators to archives and pickles: settings, schema, fitted attributes and weights.

Nothing in a file is executed. The network is rebuilt from the names and numbers of an architecture,
or from a checked description of models passed by the user, and its size is bounded by the arrays in
the file.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.core.weighted_names import as_text
from isthmus.data.schema import Schema, schema_from_config
from isthmus.estimators.constraints import CUSTOM
from isthmus.estimators.labels import labelling_from_config
from isthmus.estimators.learned_checks import check_settings, layer_sizes
from isthmus.networks.catalogue import architecture_from_config, architecture_to_config
from isthmus.networks.head import Head
from isthmus.networks.network import Architecture, Network, assemble, check_pair, join_given
from isthmus.networks.serialization import (
    assign_weights,
    build_with,
    model_from_config,
    model_to_config,
    variable_count,
)
from isthmus.persistence import config_checks
from isthmus.persistence.artifact import Artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from isthmus.estimators.labels import Labelling
    from isthmus.estimators.parameters import Parameter
    from isthmus.networks.bottlenecks import Bottleneck

LEARNED = (
    "latent_dim_",
    "loss_",
    "history_",
    "best_epoch_",
    "stop_reason_",
    "n_iter_",
    "n_samples_",
    "fit_seconds_",
)
"""Attributes of every fitted estimator that are plain numbers, text or collections of these."""
_PARTS = ("params", "fitted", "schema", "network")
_SUPERVISED_PARTS = ("labels", "head")
_PICKLED = "_pickled_network"
_REMEDY = "get the file again from its author"
_MODELS = (
    *("network_", "encoder_", "decoder_", "head_"),
    *("_encode", "_decode", "_reconstruct", "_respond", "_whole", "_from_prior"),
)


class FittedParts(NamedTuple):
    """The parts of a fitted estimator that an archive stores, except settings and weights."""

    learned: dict[str, Any]
    """Plain attributes: sizes, the history and figures."""
    schema: Schema
    network: Network
    architecture: Architecture | None
    """None if the user passed the encoder and decoder."""
    labelling: Labelling | None
    head: Head | None


def to_artifact(
    kind: str, params: dict[str, Any], parts: FittedParts, weights: list[np.ndarray]
) -> Artifact:
    """Return a fitted estimator as an artifact; see `BaseAutoencoder.save`.

    Parameters
    ----------
    kind : str
        The estimator's kind in archives.
    params : dict
        The constructor's parameters.
    parts : FittedParts
        The other fitted parts.
    weights : list of ndarray
        The estimator's own weights; users may have changed those of the public models.

    Raises
    ------
    InvalidParameter
        A parameter contradicts what was learned: it was changed after `fit`.
    """
    settings = {name: storable(value) for name, value in params.items()}
    check_settings(
        settings,
        parts.learned,
        parts.schema,
        architecture=parts.architecture,
        labelling=parts.labelling,
        head=parts.head,
    )
    if parts.architecture is None:
        described = {
            "encoder": model_to_config(parts.network.halves[0]),
            "decoder": model_to_config(parts.network.halves[1]),
        }
    else:
        described = {"architecture": architecture_to_config(parts.architecture)}
    manifest = {
        "params": settings,
        "fitted": {name: _plain_figure(value) for name, value in parts.learned.items()},
        "schema": parts.schema.to_config(),
        "network": described,
    }
    if parts.head is not None and parts.labelling is not None:
        manifest["labels"] = parts.labelling.to_config()
        manifest["head"] = parts.head.to_config()
    return Artifact(kind, manifest, {f"weights/{i}": array for i, array in enumerate(weights)})


def from_artifact(cls: type[Any], stored: Artifact) -> tuple[dict[str, Any], FittedParts]:
    """Return the settings and fitted parts of a `cls` in an artifact; raises InvalidArchive."""
    parts = _PARTS + (_SUPERVISED_PARTS if cls.supervised else ())
    content = config_checks.entries(stored.manifest, parts, "estimator")
    schema = schema_from_config(content["schema"])
    params = plain_params(cls, content["params"], cls._parameters)
    learned = _fitted(cls, content["fitted"], params)
    labelling, head = _supervision(content) if cls.supervised else (None, None)
    described = content["network"]
    architecture = _architecture(described)
    # Settings, learned values and sizes are checked together before anything is built.
    try:
        check_settings(
            params, learned, schema, architecture=architecture, labelling=labelling, head=head
        )
    except InvalidParameter as error:
        raise InvalidArchive.of(error).about("the archive's settings", remedy=_REMEDY) from error
    cls._check_figures(learned)
    arrays, bottleneck = _arrays(stored), cls._bottleneck_of(learned["latent_dim_"], params)
    _check_counts(architecture, head, arrays)
    if architecture is None:
        network = _given_network(described, schema, bottleneck, head, arrays)
        params["encoder"], params["decoder"] = network.halves
    else:
        network = _joined(architecture, schema, bottleneck, head, arrays)
    return params, FittedParts(learned, schema, network, architecture, labelling, head)


def picklable(state: dict[str, Any]) -> dict[str, Any]:
    """Return an estimator's state without compiled functions or models that share weights."""
    if "network_" not in state:
        return state
    network = state["network_"]
    pair = network.halves if state["_architecture"] is None else None
    plain = {name: value for name, value in state.items() if name not in _MODELS}
    return {**plain, _PICKLED: pair}


def rebuilt_network(
    state: dict[str, Any], bottleneck: Callable[[int, dict[str, Any]], Bottleneck]
) -> Network | None:
    """Rebuild the network of an unpickled estimator; None if it is not fitted.

    Parameters
    ----------
    state : dict
        The result of `picklable`, from which the pickled models are removed.
    bottleneck : callable
        Returns the bottleneck for the size of the code and the state.
    """
    if _PICKLED not in state:
        return None
    pair, made = state.pop(_PICKLED), bottleneck(state["latent_dim_"], state)
    head, weights = state.get("_head"), state["_weights"]
    if pair is None:
        return _joined(state["_architecture"], state["schema_"], made, head, weights)
    network = join_given(pair[0], pair[1], made, head)
    assign_weights(network.full, weights)
    return network


def _supervision(content: dict[str, Any]) -> tuple[Labelling, Head]:
    """Return the labels of an archive and the head that predicts them."""
    labelling = labelling_from_config(content["labels"])
    head = Head.from_config(
        content["head"], outputs=labelling.outputs, classifies=labelling.classifies
    )
    if head is None:
        config_checks.refuse("head", "its layers", content["head"])
    return labelling, head


def _joined(
    architecture: Architecture,
    schema: Schema,
    bottleneck: Bottleneck,
    head: Head | None,
    weights: list[np.ndarray],
) -> Network:
    return build_with(
        lambda: assemble(
            architecture,
            schema.sample_shape,
            bottleneck,
            values=schema.values,
            segments=schema.segments,
            head=head,
        ),
        weights,
        model_of=lambda network: network.full,
    )


def _architecture(described: Any) -> Architecture | None:
    """Return the architecture of an archive's network; None if it is a pair of models."""
    if isinstance(described, dict) and set(described) == {"architecture"}:
        return architecture_from_config(described["architecture"])
    config_checks.entries(described, ("encoder", "decoder"), "network")
    return None


def _check_counts(
    architecture: Architecture | None, head: Head | None, arrays: list[np.ndarray]
) -> None:
    """Refuse more layers than there are arrays: building thousands of layers takes minutes."""
    layers = 0 if architecture is None else len(layer_sizes(architecture))
    layers += 0 if head is None else len(head.hidden)
    if layers > len(arrays):
        raise InvalidArchive(
            "the archive's network",
            expected=f"at most {len(arrays)} layers, as there are so many arrays of weights",
            received=str(layers),
            remedy=_REMEDY,
        )


def _given_network(
    described: Any,
    schema: Schema,
    bottleneck: Bottleneck,
    head: Head | None,
    arrays: list[np.ndarray],
) -> Network:
    """Return the network of a pair of models that the user passed."""
    # The weights are those of the encoder, the bottleneck if any, the decoder and the head.
    first, last = (variable_count(described[half]) for half in ("encoder", "decoder"))
    end = len(arrays) - (head.variable_count if head else 0)
    encoder = model_from_config(described["encoder"], arrays[:first])
    decoder = model_from_config(described["decoder"], arrays[max(first, end - last) : end])
    try:
        check_pair(encoder, decoder, schema.sample_shape, type(bottleneck))
    except InvalidParameter as error:
        raise InvalidArchive.of(error).about("the archive's networks") from error
    size = math.prod(decoder.inputs[0].shape[1:])
    if size != bottleneck.latent_dim:
        raise InvalidArchive(
            "the archive's networks",
            expected=f"codes of {bottleneck.latent_dim} numbers",
            received=str(size),
        )
    return build_with(
        lambda: join_given(encoder, decoder, bottleneck, head),
        arrays,
        model_of=lambda network: network.full,
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


def storable(value: Any) -> Any:
    """Return a setting as a JSON value.

    Functions and optimizers become their names, and weights by name become text.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, Mapping):
        return as_text(value)
    if isinstance(value, (tuple, list)):
        return [storable(item) for item in value]
    if isinstance(value, (keras.Model, np.random.RandomState, np.random.Generator)):
        return None
    if callable(value) or isinstance(value, keras.optimizers.Optimizer):
        return f"{CUSTOM}{getattr(value, '__name__', type(value).__name__)}"
    return str(value)


def plain_params(
    cls: type[Any], stored: Any, parameters: Iterable[Parameter] = ()
) -> dict[str, Any]:
    """Return the settings of `cls` in an archive; raises InvalidArchive.

    Parameters
    ----------
    cls : type
        An estimator.
    stored : object
        The settings, which may be untrusted.
    parameters : iterable of Parameter
        The records with which values are checked; a setting without one must only be plain.
    """
    names = set(cls._get_param_names())
    if not isinstance(stored, dict) or not set(stored) <= names:
        raise InvalidArchive(
            "the archive's settings",
            expected=f"settings of {cls.__name__}",
            received=str(sorted(set(stored) - names) if isinstance(stored, dict) else stored)[:200],
        )
    for name, value in stored.items():
        plain = value is None or isinstance(value, (bool, int, float, str))
        if not plain and not (isinstance(value, list) and all(type(v) is int for v in value)):
            config_checks.refuse(f"setting {name!r}", "a plain value", value)
    settings = {n: tuple(v) if isinstance(v, list) else v for n, v in stored.items()}
    for each in parameters:
        try:
            if each.name in settings:
                settings[each.name] = each.constraint.from_archive(each.name, settings[each.name])
        except InvalidParameter as error:
            raise InvalidArchive.of(error).about("the archive's settings") from error
    return settings


def _plain_figure(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _figure(stored: Any, size: int) -> Any:
    """Return an estimator's figure: a number, an array of this size, or None."""
    numbers = stored if isinstance(stored, list) else [stored] * (stored is not None)
    fits = not isinstance(stored, list) or len(stored) == size
    if not (fits and all(type(v) is float and math.isfinite(v) for v in numbers)):
        raise InvalidArchive(
            "the archive's figures", expected="numbers", received=repr(stored)[:200]
        )
    return np.array(stored) if isinstance(stored, list) else stored


def _fitted(cls: type[Any], stored: Any, params: dict[str, Any]) -> dict[str, Any]:
    figures = cls.figures
    if isinstance(stored, dict):
        stored = {**dict.fromkeys(cls.later_figures), **stored}
    counts = ("latent_dim_", "best_epoch_", "n_iter_", "n_samples_")
    valid = (
        isinstance(stored, dict)
        and set(stored) == {*LEARNED, *figures}
        and all(type(stored[name]) is int and 0 <= stored[name] < 2**62 for name in counts)
        and stored["latent_dim_"] > 0
        and all(isinstance(stored[name], str) for name in ("loss_", "stop_reason_"))
        and isinstance(stored["fit_seconds_"], (int, float))
        and math.isfinite(stored["fit_seconds_"])
        and _is_history(stored["history_"])
        and stored["n_iter_"] == max(1, len(stored["history_"].get("epoch", ())))
        and stored["best_epoch_"] <= stored["n_iter_"]
        and stored["n_samples_"] > 0
    )
    if not valid:
        raise InvalidArchive(
            "the archive's record of training", expected="numbers, names and a history"
        )
    size = stored["latent_dim_"]
    return {
        **stored,
        **{n: _figure(stored[n], cls._size_of_figure(n, size, params)) for n in figures},
    }


def _is_history(history: Any) -> bool:
    return (
        isinstance(history, dict)
        and all(isinstance(values, list) for values in history.values())
        and len({len(values) for values in history.values()}) <= 1
        and all(type(v) in (int, float) for values in history.values() for v in values)
    )
