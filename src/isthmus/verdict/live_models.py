"""Read a live Keras model as a plain graph, from the calls that Keras recorded.

The model is neither called nor changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
from keras.src.models.functional import Functional  # Keras gives no public name to this class.

from isthmus.verdict.graph import Graph
from isthmus.verdict.pairs import code_between
from isthmus.verdict.shapes import known_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isthmus.verdict.shapes import Shape


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
    """None if it is not known, so that the call cannot be repeated."""
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

    Each may be a model with a graph, or a built layer of Keras. See `code_between` for the tensor
    that connects them. Return None if there is no such tensor, or the model has no such parts.
    """
    encoder, decoder = (getattr(model, name, None) for name in ("encoder", "decoder"))
    if not (_is_part(encoder) and _is_part(decoder)):
        return None
    live, taken = Live(Graph(model.name)), _input_shapes(decoder)
    for shape, name, dtype in _entries(encoder):
        tensor = live.graph.tensor(shape)
        live.dtypes[tensor] = dtype
        live.graph.inputs.append(tensor)
        live.graph.input_names.append(name)
    made, _ = _part(live, encoder, live.graph.inputs, "encoder")
    code = code_between(live.graph, made, taken[0] if len(taken) == 1 else None)
    if code is None:
        return None
    if len(live.steps) < len(live.graph.nodes):
        live.steps.append(Step(None, None, {}))  # the code that draws the code
    live.graph.boundaries.add(code)
    live.graph.outputs, live.graph.output_names = _part(live, decoder, [code], "decoder")
    return live


def _is_part(part: Any) -> bool:
    if isinstance(part, keras.Model):
        return has_graph(part)
    plain = isinstance(part, keras.Layer) and part.built and not _is_custom(part)
    return plain and isinstance(part.get_build_config(), dict)


def _input_shapes(part: Any) -> list[Shape]:
    if isinstance(part, keras.Model):
        return [tuple(tensor.shape[1:]) for tensor in part.inputs]
    shape = part.get_build_config().get("input_shape")
    return [tuple(shape[1:])] if shape else []


def _entries(part: Any) -> list[tuple[Shape, str, str]]:
    """Return the shape, name and dtype of each input of a part."""
    shapes = _input_shapes(part)
    if not isinstance(part, keras.Model):
        return [(shape, "input", str(part.compute_dtype)) for shape in shapes]
    return [
        (shape, tensor._keras_history.operation.name, str(tensor.dtype))
        for shape, tensor in zip(shapes, part.inputs, strict=True)
    ]


def _part(live: Live, part: Any, inputs: list[int], name: str) -> tuple[list[int], list[str]]:
    """Add a part's calls to the graph; return its outputs and their names."""
    if isinstance(part, keras.Model):
        known = {id(t): i for t, i in zip(part.inputs, inputs, strict=True)}
        _walk(live, part, known, f"{name}/")
        return [known[id(tensor)] for tensor in part.outputs], output_names(part)
    taken = live.graph.shapes[inputs[0]] or ()
    shape = part.compute_output_shape((None, *taken))
    kind = type(part).__name__
    made = live.graph.call(f"{name}/{part.name}", kind, inputs, [tuple(shape[1:])], _settings(part))
    live.steps.append(Step(part, _OneArgument(), {0: inputs[0]}))
    live.dtypes[made[0]] = str(part.compute_dtype)
    return made, [part.name]


class _OneArgument:
    """The arguments of a layer that takes one tensor."""

    def fill_in(self, tensors: dict[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the positional and the named arguments."""
        return tuple(tensors.values()), {}


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
