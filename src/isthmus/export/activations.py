"""Activations of Keras as ONNX nodes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.export.operators import OperatorGraph

_OPERATORS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "exponential": "Exp",
}


def _linear(_: OperatorGraph, x: str) -> str:
    return x


def _gelu(graph: OperatorGraph, x: str) -> str:
    # The operator Gelu exists only from version 20 on.
    inner = graph.add("Mul", x, graph.constant(math.sqrt(0.5), np.float32))
    share = graph.add("Add", graph.add("Erf", inner), graph.constant(1.0, np.float32))
    return graph.add("Mul", graph.add("Mul", x, graph.constant(0.5, np.float32)), share)


def _silu(graph: OperatorGraph, x: str) -> str:
    return graph.add("Mul", x, graph.add("Sigmoid", x))


def _mish(graph: OperatorGraph, x: str) -> str:
    return graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x)))


def _relu6(graph: OperatorGraph, x: str) -> str:
    return graph.add("Clip", x, *(graph.constant(limit, np.float32) for limit in (0.0, 6.0)))


ACTIVATIONS: dict[str, Callable[[OperatorGraph, str], str]] = {
    "linear": _linear,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "relu6": _relu6,
    "elu": lambda graph, x: graph.add("Elu", x, alpha=1.0),
    "selu": lambda graph, x: graph.add(
        "Selu", x, alpha=1.6732632423543772, gamma=1.0507009873554805
    ),
    "leaky_relu": lambda graph, x: graph.add("LeakyRelu", x, alpha=0.2),
    "hard_sigmoid": lambda graph, x: graph.add("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    "softmax": lambda graph, x: graph.add("Softmax", x, axis=-1),
    "log_softmax": lambda graph, x: graph.add("LogSoftmax", x, axis=-1),
    **{
        name: lambda graph, x, operator=operator: graph.add(operator, x)  # type: ignore[misc]
        for name, operator in _OPERATORS.items()
    },
}
"""By the name of the function in `keras.activations`."""
