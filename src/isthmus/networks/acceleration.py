"""The fast twin of a model: the same weights in the same order, but faster programs.

The models that users get consist of Keras's own layers. On a CPU, training uses a twin with layers
of `isthmus.networks.fast_layers` instead; on other devices Keras's layers are fast enough.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import keras

from isthmus.networks import fast_layers, volume_layers
from isthmus.networks.initializers import without_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FAST: dict[type[Any], type[Any]] = {
    keras.layers.Conv2D: fast_layers.Conv2D,
    keras.layers.Conv3D: volume_layers.Conv3D,
    keras.layers.Conv2DTranspose: fast_layers.Conv2DTranspose,
    keras.layers.MaxPooling2D: fast_layers.MaxPooling2D,
    keras.layers.AveragePooling2D: fast_layers.AveragePooling2D,
    keras.layers.UpSampling2D: fast_layers.UpSampling2D,
}
_ALSO: dict[type[Any], type[Any]] = {keras.layers.Activation: fast_layers.Activation}
"""Layers that are not worth a twin on their own."""
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
_COUPLING = (keras.layers.BatchNormalization, keras.layers.SpectralNormalization)
_CACHE = 3_500_000
"""Bytes of one layer's output that fit in the cores' caches along with everything else."""
_FEWEST_ROWS = 4
"""Measured: pieces of 2 rows take about as long as a whole batch, pieces of 1 far longer."""


def accelerated(full: keras.Model) -> keras.Model:
    """Return the fast twin of a model, or the model itself if there is nothing to gain.

    The twin of a complete autoencoder, which has named outputs, also returns logits if the decoder
    ends in a sigmoid, so that losses need no logarithms. Call it with `stateless_call` and the
    model's values; its own variables may have none.
    """
    on_cpu = jax.default_backend() == "cpu"
    graph = _Graph(full)
    made = getattr(full, "output", None)  # a Sequential has none before it is called
    complete = isinstance(made, dict) and "logits" not in made
    end = _final_sigmoid(graph) if complete else None
    gains = end is not None or (on_cpu and any(type(layer) in _FAST for layer in graph.layers))
    if not gains or any(isinstance(layer, keras.Model) for layer in graph.layers):
        return full  # the graph does not show what a subclassed model computes
    factors = dict(_fused(graph)) if on_cpu else {}

    def fast(layer: Any) -> Any:
        config = layer.get_config()
        if layer is end:
            config["activation"] = "linear"
        if id(layer) in factors and isinstance(layer, keras.layers.UpSampling2D):
            return keras.layers.Identity(name=layer.name, dtype=layer.dtype_policy)
        if id(layer) in factors:
            config["factors"] = factors[id(layer)]
        own = (_FAST | _ALSO).get(type(layer), type(layer)) if on_cpu else type(layer)
        return own.from_config(config)

    before = random.getstate()  # layers without a seed take one from Python's global generator
    try:
        twin = _built(lambda: _twin(full, fast, logits=end is not None), graph)
    finally:
        random.setstate(before)
    return twin if _slots(twin) == _slots(full) else full


def rows_at_once(model: keras.Model, batch_size: int, outputs: int = 1) -> int:
    """Return how many rows of a batch, with so many outputs each, to run through a model at a time.

    On a CPU the layers of a convolutional network are memory-bound: processing a batch in pieces
    that stay in the caches takes about half the time. The gradients of the pieces are summed, which
    requires that no layer combines samples; for other models the whole batch is returned.
    """
    layers = list(_layers(model))
    convolves = any(isinstance(layer, _CONVOLUTIONS) for layer in layers)
    if jax.default_backend() != "cpu" or not convolves or any(map(_couples, layers)):
        return batch_size
    largest = outputs * max(4 * _cells(layer) for layer in layers)
    fewest = max(1, _FEWEST_ROWS // outputs)
    sizes = [rows for rows in range(fewest, batch_size + 1) if batch_size % rows == 0]
    fitting = [rows for rows in sizes if rows * largest <= _CACHE]
    # Many outputs of a row are a batch of their own, even if they do not fit.
    otherwise = batch_size if outputs < _FEWEST_ROWS else min(sizes)
    return max(fitting, default=otherwise)


def _built(build: Callable[[], keras.Model], graph: _Graph) -> keras.Model:
    """Build a model, without values unless a layer may have turned them into constants."""
    if any(_is_opaque(la) or isinstance(la, keras.layers.Normalization) for la in graph.layers):
        return build()
    return without_values(build)


def _twin(full: keras.Model, fast: Callable[[Any], Any], *, logits: bool) -> keras.Model:
    twin = keras.models.clone_model(full, clone_function=fast, recursive=True)
    if not logits:
        return twin
    made = dict(twin.output)
    made["logits"] = made["reconstruction"]
    name = "_".join(["shares", *(layer.name for layer in twin.layers)])  # unique among the layers
    shares = keras.layers.Activation("sigmoid", name=name, dtype="float32")
    made["reconstruction"] = shares(made["logits"])
    return keras.Model(twin.input, made, name=full.name)


def _slots(model: keras.Model) -> list[list[Any]]:
    """Return the layers and shapes of the variables, which must agree to exchange values."""
    return [
        [(_place(variable.path), tuple(variable.shape)) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]


def _place(path: str) -> str:
    # The models before the layer's name depend on how they were built; seeds are numbered.
    return path.rpartition("/")[2] if "seed_generator" in path else "/".join(path.split("/")[-2:])


@dataclass
class _Graph:
    """The graph of calls in a model and in the models nested in it."""

    full: keras.Model
    layers: list[Any] = field(init=False)
    nodes: list[Any] = field(init=False)
    """Every call of a layer."""
    calls: Counter[int] = field(init=False)
    """How often each layer is called, by its id."""
    uses: Counter[int] = field(init=False)
    """How often each layer's output is used, by another layer or as an output of a model."""

    def __post_init__(self) -> None:
        models = list(_models(self.full))
        self.layers = list(_layers(self.full))
        self.nodes = [node for model in models for node in _nodes(model)]
        self.calls = Counter(id(node.operation) for node in self.nodes)
        taken = [tensor for node in self.nodes for tensor in node.input_tensors]
        given = [tensor for model in models for tensor in model.outputs]
        self.uses = Counter(id(_maker(tensor)) for tensor in [*taken, *given])

    def is_link(self, layer: Any) -> bool:
        """Whether a layer is called once, and its output is used once and not regularized."""
        unregularized = getattr(layer, "activity_regularizer", None) is None
        return unregularized and self.calls[id(layer)] == self.uses[id(layer)] == 1


def _final_sigmoid(graph: _Graph) -> Any:
    """Return the layer whose sigmoid makes the reconstruction, or None."""
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
    """Yield the ids and factors of upsamplings, and of convolutions that alone use their output."""
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
    """Yield a model and the models nested in it, each once."""
    models = {id(model): model}
    waiting = [model]
    while waiting:
        for part in filter(_is_plain_model, _operations(waiting.pop())):
            if id(part) not in models:
                models[id(part)] = part
                waiting.append(part)
    yield from models.values()


def _layers(model: keras.Model) -> Iterator[Any]:
    """Yield the layers and operations of a model, nested models and layers included."""
    for part in _models(model):
        for operation in _operations(part):
            if isinstance(operation, keras.layers.Layer) and not _is_plain_model(operation):
                yield from operation._flatten_layers()
            elif not _is_plain_model(operation):
                yield operation


def _operations(model: Any) -> list[Any]:
    """Return a model's layers, and functions of `keras.ops` that are nodes of its graph."""
    return list(getattr(model, "operations", model.layers))


def _nodes(model: Any) -> Iterator[Any]:
    graph = model._functional if isinstance(model, keras.Sequential) else model
    for level in graph._nodes_by_depth.values():
        yield from level


def _is_plain_model(layer: Any) -> bool:
    """Whether a model is sequential or functional, so that its graph describes it completely."""
    return isinstance(layer, keras.Model) and type(layer).__module__.startswith("keras.")


def _maker(tensor: Any) -> Any:
    return tensor._keras_history.operation


def _is_opaque(layer: Any) -> bool:
    """Whether nothing is known about what a layer or operation computes."""
    known = type(layer).__module__.split(".")[0] in ("keras", "isthmus")
    return not known or isinstance(layer, keras.layers.Lambda)


def _couples(layer: Any) -> bool:
    """Whether a layer makes a step depend on which or how many samples are in a batch.

    Functions of `keras.ops` may work along any axis, and activity losses are means over all rows,
    including those of weight zero.
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
