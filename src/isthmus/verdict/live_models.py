"""Read a live Keras model as a plain graph, from the calls that Keras recorded.

The model is neither called nor changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
from keras.src.models.functional import Functional  # Keras gives no public name to this class.

from isthmus.verdict.graph import Graph
from isthmus.verdict.shapes import known_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass
class Live:
    """A graph together with the layers that it represents."""

    graph: Graph
    steps: list[Step] = field(default_factory=list)
    """One for each node of the graph."""
    dtypes: dict[int, str] = field(default_factory=dict)
    """Of the inputs and of the outputs of calls."""


@dataclass(frozen=True)
class Step:
    """A recorded call that can be repeated."""

    operation: Any
    arguments: Any
    """Keras' record of the arguments."""
    filled: dict[int, int]
    """Maps the ids of symbolic tensors in `arguments` to tensors of the graph."""


def has_graph(model: keras.Model) -> bool:
    """Whether Keras recorded the calls of the model, and its `call` follows that record."""
    plain = isinstance(model, (Functional, keras.Sequential)) and type(model).call in (
        Functional.call,
        keras.Sequential.call,
    )
    return plain and bool(model.built) and bool(getattr(model, "inputs", None))


def read_live(model: keras.Model, path: str = "") -> Live:
    """Return the graph of a functional or sequential model; see `has_graph`."""
    live = Live(Graph(model.name))
    graph = live.graph
    known: dict[int, int] = {}
    for tensor in model.inputs:
        known[id(tensor)] = graph.tensor(tuple(tensor.shape[1:]))
        live.dtypes[known[id(tensor)]] = str(tensor.dtype)
        graph.inputs.append(known[id(tensor)])
        graph.input_names.append(tensor._keras_history.operation.name)
    _walk(live, model, known, path)
    graph.outputs = [known[id(tensor)] for tensor in model.outputs]
    graph.output_names = output_names(model)
    return live


def read_pair(model: keras.Model) -> Live | None:
    """Return the graph of a subclassed model's ``encoder`` followed by its ``decoder``.

    If several outputs of the encoder fit, the decoder takes the one that is computed from the
    others, such as the code of a variational autoencoder. Return None if there is no such output,
    or if `encoder` or `decoder` is not a model with a graph.
    """
    halves: list[Any] = [getattr(model, name, None) for name in ("encoder", "decoder")]
    if not all(isinstance(half, keras.Model) and has_graph(half) for half in halves):
        return None
    encoder, decoder = halves
    live = read_live(encoder, "encoder/")
    taken = [tuple(tensor.shape[1:]) for tensor in decoder.inputs]
    fitting = {t for t in live.graph.outputs if [live.graph.shapes[t]] == taken}
    codes = [t for t in fitting if fitting <= live.graph.upstream([t])]
    if not codes:
        return None
    known = {id(decoder.inputs[0]): codes[0]}
    _walk(live, decoder, known, "decoder/")
    live.graph.boundaries.add(codes[0])
    live.graph.outputs = [known[id(tensor)] for tensor in decoder.outputs]
    live.graph.output_names = output_names(decoder)
    return live


def output_names(model: keras.Model) -> list[str]:
    """Return the names of a model's outputs: the keys if they are a dictionary."""
    structure = getattr(model, "_outputs_struct", None)
    if isinstance(structure, dict):
        return [str(key) for key in sorted(structure)]
    return [tensor._keras_history.operation.name for tensor in model.outputs]


def _walk(live: Live, model: keras.Model, known: dict[int, int], path: str) -> None:
    """Add to the graph the calls of a model whose inputs are in `known`."""
    for node in _in_order(model, known):
        operation, record = node.operation, node.arguments
        inputs = [known[id(tensor)] for tensor in record.keras_tensors]
        name = f"{path}{operation.name}"
        if _opens(operation, inputs):
            inner = {id(t): i for t, i in zip(operation.inputs, inputs, strict=True)}
            _walk(live, operation, inner, f"{name}/")
            for tensor, own in zip(node.outputs, operation.outputs, strict=True):
                known[id(tensor)] = inner[id(own)]
                live.graph.boundaries.add(inner[id(own)])
            continue
        made = live.graph.call(
            name,
            type(operation).__name__,
            inputs,
            [tuple(tensor.shape[1:]) for tensor in node.outputs],
            _settings(operation),
            custom=_is_custom(operation),
        )
        filled = {id(t): known[id(t)] for t in record.keras_tensors}
        live.steps.append(Step(operation, record, filled))
        known.update(zip(map(id, node.outputs), made, strict=True))
        live.dtypes.update(zip(made, (str(t.dtype) for t in node.outputs), strict=True))


def _opens(operation: Any, inputs: Sequence[int]) -> bool:
    return (
        isinstance(operation, keras.Model)
        and has_graph(operation)
        and len(operation.inputs) == len(inputs)
    )


def _in_order(model: keras.Model, known: Iterable[int]) -> list[Any]:
    """Return the recorded calls between a model's inputs and outputs in topological order."""
    ordered: list[Any] = []
    done: set[int] = set()
    ready = set(known)
    stack = [
        (_maker(tensor), False) for tensor in reversed(model.outputs) if id(tensor) not in ready
    ]
    while stack:
        node, seen = stack.pop()
        if id(node) in done:
            continue
        if seen:
            done.add(id(node))
            ordered.append(node)
            continue
        stack.append((node, True))
        needed = [t for t in node.arguments.keras_tensors if id(t) not in ready]
        stack.extend((_maker(tensor), False) for tensor in reversed(needed))
    return ordered


def _maker(tensor: Any) -> Any:
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def _settings(operation: Any) -> dict[str, Any]:
    try:
        settings = operation.get_config()
    except Exception:  # custom code, or an operation without a configuration
        return {}
    return settings if isinstance(settings, dict) else {}


def _is_custom(operation: Any) -> bool:
    module = type(operation).__module__
    if module.startswith(("keras.src.ops.", "keras.ops.", "isthmus.networks.")):
        return False
    kind = type(operation).__name__
    return kind == "Lambda" or not (module.startswith("keras.") and known_layer(kind))
