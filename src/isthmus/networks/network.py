"""Joins an encoder, a bottleneck and a decoder into a Network."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import keras
import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.core.randomness import derive_seed
from isthmus.networks.acceleration import accelerated, rows_at_once
from isthmus.networks.bottlenecks import DeterministicBottleneck, Sampled
from isthmus.networks.initializers import draw, without_values
from isthmus.networks.layers import TableOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.core.types import Segment, Values
    from isthmus.networks.architecture_settings import ArchitectureSettings
    from isthmus.networks.bottlenecks import Bottleneck
    from isthmus.networks.head import Head


class Architecture(Protocol):
    """The interface of an architecture: two Keras models without bottleneck or output activation.

    An architecture is a frozen dataclass of names and numbers, so that an archive can store it.
    """

    name: ClassVar[str]
    variable_length: ClassVar[bool]
    """Whether sequences may differ in length: NaN in all channels marks the end of one."""

    @classmethod
    def from_settings(cls, settings: ArchitectureSettings) -> Self:
        """Return the architecture for these settings; raises InvalidParameter."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self | None:
        """Return the architecture of a possibly untrusted description; None if it is invalid."""

    def encoder(self, sample_shape: tuple[int, ...]) -> keras.Model:
        """Return the model (n, *sample_shape) -> features (n, width)."""

    def decoder(self, sample_shape: tuple[int, ...], latent_dim: int) -> keras.Model:
        """Return the model (n, latent_dim) -> (n, *sample_shape)."""


@dataclass(frozen=True)
class Network:
    """An autoencoder as Keras models that share their weights.

    Attributes
    ----------
    encoder : keras.Model
        (n, *sample_shape) -> code (n, latent_dim), or the mean of its posterior.
    decoder : keras.Model
        Code (n, latent_dim) -> reconstruction (n, *sample_shape).
    full : keras.Model
        (n, *sample_shape) -> a dict with the fields of `isthmus.core.types.Outputs`.
    halves : pair of keras.Model
        The models before and after the bottleneck, without output activation; for a pair passed by
        the user, that pair, whose code may have more dimensions: see `code_shape`.
    noise_dim : int
        Size of the standard normal noise (n, noise_dim) that `full` takes as its second input to
        sample the code; 0 if the code is deterministic and `full` has one input.
    head : keras.Model or None
        Code (n, latent_dim) -> class probabilities (n, classes), or targets (n, targets).
    prior : keras.Model or None
        Noise (n, noise_dim) -> code (n, latent_dim) from a learned prior; None if there is none, or
        if it is standard normal.
    """

    encoder: keras.Model
    decoder: keras.Model
    full: keras.Model
    halves: tuple[keras.Model, keras.Model]
    noise_dim: int = 0
    head: keras.Model | None = None
    prior: keras.Model | None = None

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of the code of a sample between the two halves; flattened, it is (latent_dim,)."""
        return tuple(self.halves[1].inputs[0].shape[1:])

    def fast(self) -> keras.Model:
        """Return a model that computes the same as `full`, as fast as possible on this machine."""
        return accelerated(self.full)

    def rows_at_once(self, batch_size: int, codes: int = 1) -> int:
        """Return how many rows of a batch to run through `full` at a time on this machine.

        With several codes for each row, `full` computes that many outputs of it.
        """
        return rows_at_once(self.full, batch_size, codes)


def join(
    architecture: Architecture,
    sample_shape: tuple[int, ...],
    bottleneck: Bottleneck,
    *,
    values: Values,
    segments: Sequence[Segment] = (),
    head: Head | None = None,
    seed: int,
) -> Network:
    """Build the network of an architecture around a bottleneck, with initial weights.

    The other parameters are those of `assemble`.

    Parameters
    ----------
    seed : int
        Determines the initial weights.
    """
    network = without_values(
        lambda: assemble(
            architecture, sample_shape, bottleneck, values=values, segments=segments, head=head
        )
    )
    draw(network.full, seed)
    _key_random_layers(network.full, seed)
    return network


def assemble(
    architecture: Architecture,
    sample_shape: tuple[int, ...],
    bottleneck: Bottleneck,
    *,
    values: Values,
    segments: Sequence[Segment] = (),
    head: Head | None = None,
) -> Network:
    """Join an architecture's encoder and decoder with a bottleneck; the caller sets the weights.

    Parameters
    ----------
    architecture : Architecture
        Provides the models before and after the bottleneck.
    sample_shape : tuple of int
        Shape of one sample.
    bottleneck : Bottleneck
        Computes the code.
    values : {"real", "unit", "mixed"}
        The kind of output cells, which determines the output activation.
    segments : sequence of Segment
        The columns of a table with mixed values.
    head : Head or None
        Predicts labels from the code.
    """
    halves = (
        architecture.encoder(sample_shape),
        architecture.decoder(sample_shape, bottleneck.latent_dim),
    )
    return _connect(halves, bottleneck, _output_activation(values, segments), head)


def join_given(
    encoder: keras.Model,
    decoder: keras.Model,
    bottleneck: Bottleneck,
    head: Head | None = None,
) -> Network:
    """Join a pair of Keras models passed by the user, without copying them.

    With a deterministic bottleneck, the encoder's output is the code. A spatial code, such as (h,
    w, channels), is flattened after the encoder and restored before the decoder, so that codes are
    vectors everywhere else. A Gaussian bottleneck takes the encoder's output as features and adds
    layers for mean and log variance.
    """
    between = None if isinstance(bottleneck, DeterministicBottleneck) else bottleneck
    return _connect((encoder, decoder), between, None, head)


def _connect(
    halves: tuple[keras.Model, keras.Model],
    bottleneck: Bottleneck | None,
    activation: Any,
    head: Head | None,
) -> Network:
    """Join two halves; without a bottleneck the features are the code."""
    inputs = keras.Input(halves[0].inputs[0].shape[1:], name="inputs")
    features = halves[0](inputs)
    decode = _from_flat(halves[1])
    if bottleneck is None and len(features.shape) == 2:
        encoder, made = halves[0], Sampled(features, features)
    elif bottleneck is None:
        flat = keras.layers.Flatten(name="flat_code", dtype="float32")(features)
        encoder, made = keras.Model(inputs, flat, name="encoder"), Sampled(flat, flat)
    else:
        made = bottleneck.apply(features)
        encoder = keras.Model(inputs, made.point, name="encoder")
    outputs = {"code": made.code}
    if made.mean is not None:
        outputs |= {"mean": made.mean, "log_variance": made.log_variance, **made.levels}

    expanded = decode(made.code)
    if activation is None and decode is halves[1]:
        decoder = halves[1]
        outputs["reconstruction"] = expanded
    elif activation is None:
        code = keras.Input(made.code.shape[1:], name="code")
        decoder = keras.Model(code, decode(code), name="decoder")
        outputs["reconstruction"] = expanded
    else:
        code = keras.Input(made.code.shape[1:], name="code")
        decoder = keras.Model(code, activation(decode(code)), name="decoder")
        outputs |= {"logits": expanded, "reconstruction": activation(expanded)}
    predictor = None
    if head is not None:
        # Keras orders the weights of branches by the names of their outputs. "response" comes
        # after "reconstruction", so a head's weights come last, whatever the decoder ends with.
        branch = head.branch(made.code.shape[1])
        outputs["response"] = branch(made.code)
        predictor = head.predictor(branch)
    taken = inputs if made.noise is None else [inputs, made.noise]
    full = keras.Model(taken, outputs, name="autoencoder")
    noise_dim = 0 if made.noise is None else made.noise.shape[1]
    return Network(encoder, decoder, full, halves, noise_dim, predictor, made.prior)


def _from_flat(decoder: keras.Model) -> Any:
    """Return a function of flat codes that runs a decoder of codes of any shape."""
    shape = tuple(decoder.inputs[0].shape[1:])
    if len(shape) == 1:
        return decoder
    restored = keras.layers.Reshape(shape, name="spatial_code", dtype="float32")
    return lambda code: decoder(restored(code))


def clone_given(
    encoder: keras.Model,
    decoder: keras.Model,
    bottleneck: Bottleneck,
    head: Head | None = None,
    *,
    seed: int,
) -> Network:
    """Clone the user's pair with its current weights, and join it as `join_given` does.

    The weights are copied, so a fit starts from them and never changes the models that were
    passed. The weights of a bottleneck and a head and the state of random layers (dropout, noise)
    are determined by `seed`.

    Call `check_pair` first.

    Raises
    ------
    InvalidParameter
        A layer cannot be cloned.
    """
    network = join_given(_clone(encoder), _clone(decoder), bottleneck, head)
    _key_random_layers(network.full, seed)
    if network.noise_dim:
        draw(network.full.get_layer("posterior"), seed)
    if network.prior is not None:
        draw(network.full.get_layer("levels"), derive_seed(seed, "levels"))
    if head is not None:
        draw(branch_of(network), seed)
    return network


def branch_of(network: Network) -> keras.Model:
    """Return the model from code to logits or targets of a network with a head."""
    return network.full.output["response"]._keras_history.operation


def _clone(model: keras.Model) -> keras.Model:
    # Layers without a seed draw one from Python's global generator.
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


def check_pair(
    encoder: Any,
    decoder: Any,
    sample_shape: tuple[int, ...],
    bottleneck: Any = DeterministicBottleneck,
) -> None:
    """Refuse models that cannot be the two halves of an autoencoder for such samples.

    Parameters
    ----------
    encoder, decoder : object
        What the user passed.
    sample_shape : tuple of int
        Shape of one sample.
    bottleneck : class
        Joins them: with `DeterministicBottleneck` the encoder's output is the decoder's input, with
        another class the encoder returns features of any size.

    Raises
    ------
    InvalidParameter
        One of them is not a built Keras model, or their shapes do not fit the samples or each
        other.
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
                expected="a built model with one input and one output",
                received=f"{model.name!r}, which is not built or has several",
                remedy="begin it with keras.Input(shape), and build a Sequential or functional one",
            )
    if {id(v) for v in encoder.variables} & {id(v) for v in decoder.variables}:
        raise InvalidParameter(
            "encoder and decoder",
            expected="two models without shared layers",
            received="models that share weights, which cloning would separate",
            remedy="give each its own layers",
        )
    _check_shape("encoder input", tuple(encoder.inputs[0].shape[1:]), sample_shape)
    made, taken = tuple(encoder.outputs[0].shape[1:]), tuple(decoder.inputs[0].shape[1:])
    if bottleneck is DeterministicBottleneck:
        _check_sizes("encoder output", made)
        _check_shape("decoder input", taken, made)
        _check_sizes("decoder input", taken)
    else:
        remedy = "end it with keras.layers.Flatten() or Dense(latent_dim)"
        _check_vector("encoder output", made, remedy)
        _check_vector("decoder input", taken, "begin it with keras.Input((latent_dim,))")
    _check_shape("decoder output", tuple(decoder.outputs[0].shape[1:]), sample_shape)


def _check_sizes(subject: str, shape: tuple[int | None, ...]) -> None:
    if shape and all(shape):
        return
    raise InvalidParameter(
        subject,
        expected="codes of one shape, such as (n, latent_dim) or (n, height, width, channels)",
        received=f"shape ({', '.join(['n', *map(str, shape)])})",
        remedy="begin the models with keras.Input of the sizes of a sample and of a code",
    )


def _check_vector(subject: str, shape: tuple[int | None, ...], remedy: str) -> None:
    if len(shape) == 1 and shape[0] is not None:
        return
    raise InvalidParameter(
        subject,
        expected="codes of shape (n, latent_dim)",
        received=f"shape (n, {', '.join(map(str, shape))})",
        remedy=remedy,
    )


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
