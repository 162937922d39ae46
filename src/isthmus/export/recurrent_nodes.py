"""Recurrent layers of Keras as ONNX nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.export.graph import weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.export.operators import OperatorGraph

_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2)}
"""The places in Keras of ONNX's gates, which are input, output, forget and cell; and update, reset
and new state."""


def recurrent(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    """Add an LSTM or a GRU: sequences (n, time, channels), and its initial state if it is given.

    Returns the outputs of all steps, (n, time, units), or of the last one, (n, units).
    """
    kind = type(layer).__name__
    x, *state = inputs
    kernel, recurrent_kernel, bias = weights(layer.cell, "kernel", "recurrent_kernel", "bias")
    made = graph.add_many(
        kind,
        [
            graph.add("Transpose", x, perm=[1, 0, 2]),
            graph.constant(_by_gate(kernel, kind)),
            graph.constant(_by_gate(recurrent_kernel, kind)),
            graph.constant(_biases(layer, bias, kind)),
            "",
            *(graph.add("Unsqueeze", part, graph.constant([0], np.int64)) for part in state),
        ],
        2,
        hidden_size=layer.units,
        **({"linear_before_reset": 1} if kind == "GRU" else {}),
    )
    if not layer.return_sequences:
        return graph.add("Squeeze", made[1], graph.constant([0], np.int64))
    steps = graph.add("Squeeze", made[0], graph.constant([1], np.int64))
    return graph.add("Transpose", steps, perm=[1, 0, 2])


def is_plain(layer: Any) -> bool:
    """Whether the layer is one that `recurrent` adds."""
    gates = layer.recurrent_activation.__name__ == "sigmoid"
    plain = gates and layer.activation.__name__ == "tanh" and not layer.go_backwards
    plain = plain and not layer.return_state and not layer.stateful
    return bool(plain and getattr(layer, "reset_after", True))


def _by_gate(kernel: Any, kind: str) -> Any:
    """Return (1, gates * units, inputs) of Keras' (inputs, gates * units)."""
    parts = np.split(np.asarray(kernel), len(_GATES[kind]), axis=1)
    return np.concatenate([parts[gate] for gate in _GATES[kind]], axis=1).T[None]


def _biases(layer: Any, bias: Any, kind: str) -> Any:
    """Return (1, 2 * gates * units): biases of the inputs, then of the state."""
    count = len(_GATES[kind])
    both = np.zeros((2, count * layer.units), np.float32)
    if bias is not None:
        both[: 1 if np.ndim(bias) == 1 else 2] = bias
    parts = np.split(both, count, axis=1)
    return np.concatenate([parts[gate] for gate in _GATES[kind]], axis=1).reshape(1, -1)
