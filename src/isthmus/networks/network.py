"""Joins encoder, bottleneck and decoder into one Network."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.core.randomness import derive_seed
from isthmus.networks.bottlenecks import Point
from isthmus.networks.initial import draw, without_values
from isthmus.networks.layers import TableOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.core.types import Segment, Values


class Architecture(Protocol):
    """What an architecture offers: two Keras models, without bottleneck and output activation."""

    def encoder(self, sample_shape: tuple[int, ...]) -> keras.Model:
        """Return the model (n, *sample_shape) -> features (n, width)."""

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, *sample_shape)."""


@dataclass(frozen=True)
class Network:
    """An autoencoder as three Keras models that share their weights.

    Attributes
    ----------
    encoder : keras.Model
        (n, *sample_shape) -> code (n, latent_dim).
    decoder : keras.Model
        Code (n, latent_dim) -> reconstruction (n, *sample_shape).
    full : keras.Model
        (n, *sample_shape) -> a dict with the fields of `isthmus.core.types.Outputs`.
    """

    encoder: keras.Model
    decoder: keras.Model
    full: keras.Model


def join(
    architecture: Architecture,
    sample_shape: tuple[int, ...],
    latent_dim: int,
    *,
    values: Values,
    segments: Sequence[Segment] = (),
    seed: int,
) -> Network:
    """Build the network of an architecture around a point bottleneck, with initial weights.

    The other parameters are those of `assemble`.

    Parameters
    ----------
    seed : int
        Decides the initial weights.
    """
    network = without_values(
        lambda: assemble(architecture, sample_shape, latent_dim, values=values, segments=segments)
    )
    draw(network.full, seed)
    return network


def assemble(
    architecture: Architecture,
    sample_shape: tuple[int, ...],
    latent_dim: int,
    *,
    values: Values,
    segments: Sequence[Segment] = (),
) -> Network:
    """Join encoder, bottleneck and decoder of an architecture; the weights are left to the caller.

    Parameters
    ----------
    architecture : Architecture
        What lies left and right of the bottleneck.
    sample_shape : tuple of int
        Shape of one sample.
    latent_dim : int
        Numbers in a code.
    values : {"real", "unit", "mixed"}
        What output cells are; decides the output activation.
    segments : sequence of Segment
        The columns of a table with mixed values.
    """
    features = architecture.encoder(sample_shape)
    bottleneck = Point(latent_dim).build(features.outputs[0].shape[-1])
    expansion = architecture.decoder(sample_shape, latent_dim)

    inputs = keras.Input(sample_shape, name="inputs")
    code = bottleneck(features(inputs))
    encoder = keras.Model(inputs, code, name="encoder")

    code_inputs = keras.Input((latent_dim,), name="code")
    activation = _output_activation(values, segments)
    decoder = keras.Model(code_inputs, activation(expansion(code_inputs)), name="decoder")

    logits = expansion(code)
    outputs = {"code": code, "logits": logits, "reconstruction": activation(logits)}
    return Network(encoder, decoder, keras.Model(inputs, outputs, name="autoencoder"))


def join_given(encoder: keras.Model, decoder: keras.Model) -> Network:
    """Join a pair of Keras models of the user's own; the models themselves, not copies."""
    inputs = keras.Input(encoder.inputs[0].shape[1:], name="inputs")
    code = encoder(inputs)
    outputs = {"code": code, "reconstruction": decoder(code)}
    return Network(encoder, decoder, keras.Model(inputs, outputs, name="autoencoder"))


def clone_given(encoder: keras.Model, decoder: keras.Model, *, seed: int) -> Network:
    """Clone the user's pair with its present weights, and join it.

    The weights are copied, so a fit never changes the models that were passed, and starts from
    whatever they hold; the state of their random layers (dropout, noise) is keyed by `seed`.

    `check_pair` must have passed.

    Raises
    ------
    InvalidParameter
        A layer cannot be cloned.
    """
    network = join_given(_clone(encoder), _clone(decoder))
    _key_random_layers(network.full, seed)
    return network


def _clone(model: keras.Model) -> keras.Model:
    # Layers without a seed would take one from Python's global generator.
    before = random.getstate()
    try:
        copy = keras.models.clone_model(model)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise InvalidParameter(
            f"the model {model.name!r}",
            expected="layers that Keras can copy",
            received=f"one that it cannot ({type(error).__name__}), such as a Lambda",
            remedy="use built-in layers, or layers of your own whose get_config describes them",
        ) from error
    finally:
        random.setstate(before)
    for own, theirs in zip(copy.variables, model.variables, strict=True):
        own.assign(theirs.value)
    return copy


def _key_random_layers(model: keras.Model, seed: int) -> None:
    for index, variable in enumerate(model.non_trainable_variables):
        if variable.name == "seed_generator_state":
            state = np.array([derive_seed(seed, f"layer/{index}"), 0], dtype=np.uint32)
            variable.assign(state)


def check_pair(encoder: Any, decoder: Any, sample_shape: tuple[int, ...]) -> None:
    """Refuse models that cannot be the two halves of an autoencoder of such samples.

    Raises
    ------
    InvalidParameter
        One of them is no built Keras model, or their shapes do not fit the samples or each other.
    """
    for name, model in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(model, keras.Model):
            raise InvalidParameter(
                name,
                expected="a keras.Model (encoder and decoder are given together)",
                received=type(model).__name__,
                remedy="pass keras.Sequential or functional models for both",
            )
        if (
            not model.built
            or len(getattr(model, "inputs", None) or ()) != 1
            or (len(model.outputs) != 1)
        ):
            raise InvalidParameter(
                name,
                expected="a model that knows its shapes, of one input and one output",
                received=f"{model.name!r}, which is not built or has several",
                remedy="begin it with keras.Input(shape), and build a Sequential or functional one",
            )
    if {id(v) for v in encoder.variables} & {id(v) for v in decoder.variables}:
        raise InvalidParameter(
            "encoder and decoder",
            expected="two models without common layers",
            received="models that share weights, which cloning would untie",
            remedy="give each its own layers",
        )
    code_shape = tuple(encoder.outputs[0].shape[1:])
    _check_shape("encoder input", tuple(encoder.inputs[0].shape[1:]), sample_shape)
    if len(code_shape) != 1 or code_shape[0] is None:
        raise InvalidParameter(
            "encoder output",
            expected="codes of shape (n, latent_dim)",
            received=f"shape (n, {', '.join(map(str, code_shape))})",
            remedy="end the encoder with keras.layers.Flatten() or Dense(latent_dim)",
        )
    _check_shape("decoder input", tuple(decoder.inputs[0].shape[1:]), code_shape)
    _check_shape("decoder output", tuple(decoder.outputs[0].shape[1:]), sample_shape)


def _check_shape(
    subject: str, received: tuple[int | None, ...], expected: tuple[int | None, ...]
) -> None:
    fits = len(received) == len(expected) and all(
        r is None or r == e for r, e in zip(received, expected, strict=True)
    )
    if not fits:
        raise InvalidParameter(
            subject,
            expected=f"the shape {expected} for each sample",
            received=str(received),
            remedy="change the model, or reshape the data to fit it",
        )


def _output_activation(values: Values, segments: Sequence[Segment]) -> Any:
    if values == "unit":
        return keras.layers.Activation("sigmoid", name="shares", dtype="float32")
    if values == "mixed":
        cells = [(s.kind, s.start, s.stop) for s in segments]
        return TableOutput(cells, name="columns", dtype="float32")
    return keras.layers.Activation("linear", name="values", dtype="float32")
