"""Keras models as ONNX nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from isthmus.core.errors import InvalidParameter
from isthmus.export.layer_nodes import layer_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.export.operators import OperatorGraph


def network_nodes(graph: OperatorGraph, model: keras.Model, inputs: Sequence[str]) -> list[str]:
    """Add the nodes of a sequential or functional model in inference.

    Parameters
    ----------
    graph : OperatorGraph
        Receives the nodes.
    model : keras.Model
        The model, and all those within it, consist of layers that `layer_nodes` knows.
    inputs : sequence of str
        Names of float32 values, in the order of the model's inputs.

    Returns
    -------
    list of str
        Names of the values that are the model's outputs.

    Raises
    ------
    InvalidParameter
        A layer cannot be exported.
    """
    functional = model._functional if isinstance(model, keras.Sequential) else model
    if not hasattr(functional, "_nodes_by_depth"):
        raise InvalidParameter(
            f"export of the model {model.name!r}",
            expected="a sequential or functional Keras model",
            received=type(model).__name__,
            remedy="build it as keras.Sequential or keras.Model(inputs, outputs)",
        )
    values = dict(zip(map(id, functional.inputs), inputs, strict=True))
    for depth in sorted(functional._nodes_by_depth, reverse=True):
        for node in functional._nodes_by_depth[depth]:
            if node.is_input:
                continue
            taken = [values[id(tensor)] for tensor in node.input_tensors]
            made = _called(graph, node.operation, taken)
            values.update(zip(map(id, node.outputs), made, strict=True))
    return [values[id(tensor)] for tensor in functional.outputs]


def _called(graph: OperatorGraph, operation: Any, inputs: list[str]) -> list[str]:
    if isinstance(operation, keras.Model):
        return network_nodes(graph, operation, inputs)
    if not isinstance(operation, keras.layers.Layer):
        raise InvalidParameter(
            f"export of {operation.name!r}",
            expected="layers",
            received="a function of keras.ops",
            remedy="use layers of keras.layers instead",
        )
    return [layer_nodes(graph, operation, inputs)]
