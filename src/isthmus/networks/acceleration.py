"""The fast twin of a model: the same weights in the same order, other programs.

A model that people take away is made of Keras' own layers; the one that is trained on a CPU has
`isthmus.networks.fast_layers` in their place. On other devices Keras' layers are fast themselves.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import keras

from isthmus.networks import fast_layers
from isthmus.networks.initializers import without_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FAST: dict[type[Any], type[Any]] = {
    keras.layers.Conv2D: fast_layers.Conv2D,
    keras.layers.Conv2DTranspose: fast_layers.Conv2DTranspose,
    keras.layers.MaxPooling2D: fast_layers.MaxPooling2D,
    keras.layers.AveragePooling2D: fast_layers.AveragePooling2D,
    keras.layers.UpSampling2D: fast_layers.UpSampling2D,
}
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
_COUPLING = (keras.layers.BatchNormalization, keras.layers.SpectralNormalization)
_CACHE = 3_500_000
"""Bytes of one layer's output that the cores' caches hold beside what else they need."""
_FEWEST_ROWS = 4
"""Measured: in pieces of 2 a batch takes about as long as whole, in pieces of 1 far longer."""


def accelerated(full: keras.Model) -> keras.Model:
    """Return the fast twin of a model, the model itself where there is nothing to gain.

    A whole autoencoder, whose outputs have names, gives its logits, too, where its decoder ends in
    a sigmoid, so that losses need no logarithms. The twin is for `stateless_call` with the model's
    own values: its variables may have none.
    """
    on_cpu = jax.default_backend() == "cpu"
    graph = _Graph(full)
    made = getattr(full, "output", None)  # a Sequential has none before it is called
    whole = isinstance(made, dict) and "logits" not in made
    end = _final_sigmoid(graph) if whole else None
    gains = end is not None or (on_cpu and any(type(layer) in _FAST for layer in graph.layers))
    if not gains or any(isinstance(layer, keras.Model) for layer in graph.layers):
        return full  # what a model of a class of one's own computes is not in its graph
    factors = dict(_fused(graph)) if on_cpu else {}

    def fast(layer: Any) -> Any:
        config = layer.get_config()
        if layer is end:
            config["activation"] = "linear"
        if id(layer) in factors and isinstance(layer, keras.layers.UpSampling2D):
            return keras.layers.Identity(name=layer.name, dtype=layer.dtype_policy)
        if id(layer) in factors:
            config["factors"] = factors[id(layer)]
        own = _FAST.get(type(layer), type(layer)) if on_cpu else type(layer)
        return own.from_config(config)

    before = random.getstate()  # layers without a seed take one from Python's global generator
    try:
        twin = _built(lambda: _twin(full, fast, logits=end is not None), graph)
    finally:
        random.setstate(before)
    return twin if _slots(twin) == _slots(full) else full


def rows_at_once(model: keras.Model, batch_size: int) -> int:
    """Return how many rows of a batch to run through a model at a time.

    On a CPU the layers of a convolutional network are bound by memory, so that a batch whose
    images stay in the caches, taken piece by piece, is done in about half the time. Gradients add
    up to those of the whole batch; so this is for models whose samples do not meet in a layer.
    """
    layers = list(_layers(model))
    convolves = any(isinstance(layer, _CONVOLUTIONS) for layer in layers)
    if jax.default_backend() != "cpu" or not convolves or any(map(_couples, layers)):
        return batch_size
    largest = max(4 * _cells(layer) for layer in layers)
    fitting = [
        rows
        for rows in range(_FEWEST_ROWS, batch_size + 1)
        if batch_size % rows == 0 and rows * largest <= _CACHE
    ]
    return max(fitting, default=batch_size)


def _built(build: Callable[[], keras.Model], graph: _Graph) -> keras.Model:
    """Build a model; without values where no layer can have made a constant of them."""
    if any(_is_opaque(la) or isinstance(la, keras.layers.Normalization) for la in graph.layers):
        return build()
    return without_values(build)


def _twin(full: keras.Model, fast: Callable[[Any], Any], *, logits: bool) -> keras.Model:
    twin = keras.models.clone_model(full, clone_function=fast, recursive=True)
    if not logits:
        return twin
    made = dict(twin.output)
    made["logits"] = made["reconstruction"]
    name = "_".join(["shares", *(layer.name for layer in twin.layers)])  # as no layer is called
    shares = keras.layers.Activation("sigmoid", name=name, dtype="float32")
    made["reconstruction"] = shares(made["logits"])
    return keras.Model(twin.input, made, name=full.name)


def _slots(model: keras.Model) -> list[list[Any]]:
    """Return what must agree for the values of one model to fit another: layers and shapes."""
    return [
        [(_place(variable.path), tuple(variable.shape)) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]


def _place(path: str) -> str:
    # Which models stand before the layer depends on how they were built; seeds are numbered.
    return path.rpartition("/")[2] if "seed_generator" in path else "/".join(path.split("/")[-2:])


@dataclass
class _Graph:
    """Who calls whom in a model and in the models in it."""

    full: keras.Model
    layers: list[Any] = field(init=False)
    nodes: list[Any] = field(init=False)
    """Every call of a layer."""
    calls: Counter[int] = field(init=False)
    """How often a layer is called, by its identity."""
    uses: Counter[int] = field(init=False)
    """How often what a layer makes is taken: by another, or as an output of its model."""

    def __post_init__(self) -> None:
        models = list(_models(self.full))
        self.layers = list(_layers(self.full))
        self.nodes = [node for model in models for node in _nodes(model)]
        self.calls = Counter(id(node.operation) for node in self.nodes)
        taken = [tensor for node in self.nodes for tensor in node.input_tensors]
        given = [tensor for model in models for tensor in model.outputs]
        self.uses = Counter(id(_maker(tensor)) for tensor in [*taken, *given])

    def is_link(self, layer: Any) -> bool:
        """Whether a layer is called once, and what it makes taken once and not otherwise seen."""
        unseen = getattr(layer, "activity_regularizer", None) is None
        return unseen and self.calls[id(layer)] == self.uses[id(layer)] == 1


def _final_sigmoid(graph: _Graph) -> Any:
    """Return the layer whose sigmoid makes the reconstruction, None where there is none."""
    sources = {id(node.operation): node.input_tensors for node in graph.nodes}
    tensor = graph.full.output["reconstruction"]
    while graph.is_link(layer := _maker(tensor)):
        if _is_plain_model(layer):
            tensor = layer.outputs[tensor._keras_history.tensor_index]
        elif type(layer) is keras.layers.Reshape:
            tensor = sources[id(layer)][0]
        else:
            simple = type(layer) in (keras.layers.Dense, keras.layers.Activation, *_CONVOLUTIONS)
            return layer if simple and layer.activation is keras.activations.sigmoid else None
    return None


def _fused(graph: _Graph) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield, by identity, upsamplings and the convolutions that alone take their output."""
    for node in graph.nodes:
        taker = node.operation
        for layer in map(_maker, node.input_tensors):
            if graph.is_link(layer) and graph.calls[id(taker)] == 1 and _fuse(layer, taker):
                yield id(layer), layer.size
                yield id(taker), layer.size


def _fuse(layer: Any, taker: Any) -> bool:
    return (
        type(layer) is keras.layers.UpSampling2D
        and fast_layers.is_repeat(layer)
        and type(taker) in _CONVOLUTIONS
        and fast_layers.is_plain_convolution(taker)
        and taker.strides == (1, 1)
        and taker.padding == "same"
    )


def _models(model: keras.Model) -> Iterator[keras.Model]:
    """Yield a model and the models in it, each once."""
    found = {id(model): model}
    waiting = [model]
    while waiting:
        for part in filter(_is_plain_model, _operations(waiting.pop())):
            if id(part) not in found:
                found[id(part)] = part
                waiting.append(part)
    yield from found.values()


def _layers(model: keras.Model) -> Iterator[Any]:
    """Yield the layers and operations of a model, of the models in it, and layers in layers."""
    for part in _models(model):
        for operation in _operations(part):
            if isinstance(operation, keras.layers.Layer) and not _is_plain_model(operation):
                yield from operation._flatten_layers()
            elif not _is_plain_model(operation):
                yield operation


def _operations(model: Any) -> list[Any]:
    """Return a model's layers, and functions of `keras.ops` that were called like layers."""
    return list(getattr(model, "operations", model.layers))


def _nodes(model: Any) -> Iterator[Any]:
    graph = model._functional if isinstance(model, keras.Sequential) else model
    for level in graph._nodes_by_depth.values():
        yield from level


def _is_plain_model(layer: Any) -> bool:
    """Whether a model is sequential or functional, and so no more than its graph."""
    return isinstance(layer, keras.Model) and type(layer).__module__.startswith("keras.")


def _maker(tensor: Any) -> Any:
    return tensor._keras_history.operation


def _is_opaque(layer: Any) -> bool:
    """Whether a layer or operation may do anything, for all that is known of it."""
    known = type(layer).__module__.split(".")[0] in ("keras", "isthmus")
    return not known or isinstance(layer, keras.layers.Lambda)


def _couples(layer: Any) -> bool:
    """Whether a step depends on which samples are together in a batch, or on how many are.

    Functions of `keras.ops` may work along any axis, and activity losses are means over all rows,
    those without weight included.
    """
    return (
        _is_opaque(layer)
        or not isinstance(layer, keras.layers.Layer)
        or isinstance(layer, _COUPLING)
        or layer.activity_regularizer is not None
    )


def _cells(layer: Any) -> int:
    nodes = layer._inbound_nodes
    shapes = [tensor.shape[1:] for node in nodes for tensor in node.outputs]
    return max((math.prod(n or 1 for n in shape) for shape in shapes), default=0)
