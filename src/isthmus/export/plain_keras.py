"""Networks as graphs of Keras' own layers and operations, which load without isthmus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable


class PlainNetwork:
    """Calls models again, with a copy of each layer: models within them are dissolved.

    One object makes the layers of one new model, whose names are therefore different.
    `copy_weights` comes last, so that building needs no memory for weights.
    """

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Any, Any]] = {}
        """Operations and their copies, by the identity of the first."""
        self._names: set[str] = set()

    def copy_weights(self) -> None:
        """Give the copies of layers the weights of the originals."""
        for layer, copy in self._copies.values():
            if isinstance(layer, keras.layers.Layer):
                for own, theirs in zip(copy.variables, layer.variables, strict=True):
                    own.assign(np.asarray(theirs))

    def outputs(self, model: keras.Model, inputs: list[Any]) -> list[Any]:
        """Return the outputs of a sequential or functional model for symbolic inputs.

        Raises
        ------
        InvalidParameter
            A layer is neither one of Keras nor one of isthmus; the message names it.
        """
        functional = model._functional if isinstance(model, keras.Sequential) else model
        if not hasattr(functional, "_nodes_by_depth"):
            raise _refusal(f"the model {model.name!r}", type(model).__name__)
        values = dict(zip(map(id, functional.inputs), inputs, strict=True))
        for depth in sorted(functional._nodes_by_depth, reverse=True):
            for node in functional._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                arguments, options = node.arguments.fill_in(values)
                made = self._called(node.operation, arguments, options)
                values.update(zip(map(id, node.outputs), made, strict=True))
        return [values[id(tensor)] for tensor in functional.outputs]

    def _called(self, operation: Any, arguments: Any, options: Any) -> list[Any]:
        if isinstance(operation, keras.Model):
            return self.outputs(operation, keras.tree.flatten(arguments))
        kind = type(operation).__name__
        room = type(operation).__module__.split(".")[0]
        if room == "isthmus" and kind in _OWN:
            return [_OWN[kind](operation, arguments[0])]
        if room != "keras" or kind == "Lambda":
            raise _refusal(f"layer {operation.name!r}", kind)
        return list(keras.tree.flatten(self._copy(operation)(*arguments, **options)))

    def _copy(self, operation: Any) -> Any:
        if id(operation) not in self._copies:
            config = {**operation.get_config(), "name": self._unused(operation.name)}
            # Keras draws initial weights whenever it loads a file, before it reads those in it.
            drawn = [name for name in config if name.endswith("_initializer") and config[name]]
            config.update(dict.fromkeys(drawn, "zeros"))
            self._copies[id(operation)] = operation, type(operation).from_config(config)
        return self._copies[id(operation)][1]

    def _unused(self, name: str) -> str:
        count, made = 1, name
        while made in self._names:
            count, made = count + 1, f"{name}_{count}"
        self._names.add(made)
        return made


def _refusal(place: str, kind: str) -> InvalidParameter:
    return InvalidParameter(
        f"export of {place}",
        expected="layers of Keras, other than Lambda",
        received=kind,
        remedy="export(..., to='onnx'), or use layers of keras.layers",
    )


def _logit(layer: Any, x: Any) -> Any:
    inner = ops.clip(x, layer.margin, 1.0 - layer.margin)
    slope = 1.0 / (layer.margin * (1.0 - layer.margin))
    outside = ops.multiply(ops.subtract(x, inner), slope)
    odds = ops.divide(inner, ops.subtract(1.0, inner))
    return ops.add(ops.log(odds), outside)


def _last_step(_: Any, inputs: Any) -> Any:
    sequences, outputs = inputs
    numbers = np.arange(1, sequences.shape[1] + 1, dtype=np.float32)
    observed = ops.cast(ops.any(ops.not_equal(sequences, 0.0), axis=-1), "float32")
    last = ops.max(ops.multiply(observed, numbers), axis=1, keepdims=True)
    chosen = ops.cast(ops.equal(last, numbers), outputs.dtype)
    return ops.sum(ops.multiply(outputs, ops.expand_dims(chosen, -1)), axis=1)


def _table_output(layer: Any, x: Any) -> Any:
    parts = [_activated(kind, x[:, start:stop]) for kind, start, stop in layer._runs()]
    return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def _activated(kind: str, cells: Any) -> Any:
    if kind == "binary":
        return ops.sigmoid(cells)
    if kind == "categorical" and cells.shape[-1] == 1:
        return ops.ones_like(cells)
    return ops.softmax(cells, axis=-1) if kind == "categorical" else cells


def _columns(layer: Any, x: Any) -> Any:
    return x[:, layer.start : layer.stop]


_OWN: dict[str, Callable[[Any, Any], Any]] = {
    "Columns": _columns,
    "LastStep": _last_step,
    "Logit": _logit,
    "TableOutput": _table_output,
}
"""The layers of isthmus, as `isthmus.networks.layers` computes them."""
