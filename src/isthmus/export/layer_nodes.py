"""Layers of Keras and of isthmus as ONNX nodes, by the name of their class."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.export import convolution_nodes, recurrent_nodes
from isthmus.export.activations import ACTIVATIONS
from isthmus.export.graph import weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from isthmus.export.operators import OperatorGraph


def layer_nodes(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    """Add a layer as it is in inference; return the name of its output.

    Raises
    ------
    InvalidParameter
        There is no conversion for the layer, or for its settings.
    """
    kind = type(layer).__name__
    own = type(layer).__module__.split(".")[0] in ("keras", "isthmus")
    if not own or kind not in _LAYERS or not _is_supported(layer):
        raise _refusal(layer)
    made = _LAYERS[kind](graph, layer, inputs)
    function = getattr(layer, "activation", None)
    return made if function is None or kind in _RECURRENT else _activated(graph, layer, made)


def _is_supported(layer: Any) -> bool:
    if layer.compute_dtype != "float32":
        return False
    if getattr(layer, "data_format", None) == "channels_first":
        return False
    kind = type(layer).__name__
    if kind == "ReLU":
        return not (layer.max_value is not None or layer.negative_slope or layer.threshold)
    return kind not in _RECURRENT or recurrent_nodes.is_plain(layer)


def _refusal(layer: Any) -> InvalidParameter:
    kind = type(layer).__name__
    known = kind in _LAYERS
    return InvalidParameter(
        f"export of layer {layer.name!r}",
        expected="usual settings, computing in float32" if known else "a layer that ONNX can have",
        received=f"{kind}, {layer.compute_dtype}" if known else kind,
        remedy="precision='float32'; for your own models, see the layers in docs/export.md",
    )


def _activated(graph: OperatorGraph, layer: Any, x: str) -> str:
    name = getattr(layer.activation, "__name__", type(layer.activation).__name__)
    if name not in ACTIVATIONS:
        raise InvalidParameter(
            f"export of layer {layer.name!r}",
            expected=f"one of the activations {', '.join(sorted(ACTIVATIONS))}",
            received=name,
            remedy="use another activation",
        )
    return ACTIVATIONS[name](graph, x)


def _same(_: OperatorGraph, __: Any, inputs: Sequence[str]) -> str:
    return inputs[0]


def _dense(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    kernel, bias = weights(layer, "kernel", "bias")
    if bias is not None and len(layer.input.shape) == 2:
        return graph.add("Gemm", inputs[0], graph.constant(kernel), graph.constant(bias))
    made = graph.add("MatMul", inputs[0], graph.constant(kernel))
    return made if bias is None else graph.add("Add", made, graph.constant(bias))


def _reshape(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    return graph.add("Reshape", inputs[0], graph.constant([-1, *layer.output.shape[1:]], np.int64))


def _permute(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    return graph.add("Transpose", inputs[0], perm=[0, *layer.dims])


def _repeat(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    x = graph.add("Unsqueeze", inputs[0], graph.constant([1], np.int64))
    return graph.add("Tile", x, graph.constant([1, layer.n, 1], np.int64))


def _rescaling(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    scale, offset = (graph.constant(part, np.float32) for part in (layer.scale, layer.offset))
    return graph.add("Add", graph.add("Mul", inputs[0], scale), offset)


def _concatenate(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    return graph.add("Concat", *inputs, axis=layer.axis)


def _folded(operator: str) -> Any:
    def convert(graph: OperatorGraph, _: Any, inputs: Sequence[str]) -> str:
        return reduce(lambda left, right: graph.add(operator, left, right), inputs)

    return convert


def _average(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    total = _folded("Add")(graph, layer, inputs)
    return graph.add("Div", str(total), graph.constant(len(inputs), np.float32))


def _batch_normalization(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    gamma, beta, mean, variance = weights(layer, "gamma", "beta", "moving_mean", "moving_variance")
    factor = (1.0 if gamma is None else gamma) / np.sqrt(np.asarray(variance) + layer.epsilon)
    shift = (0.0 if beta is None else beta) - np.asarray(mean) * factor
    shape = [1] * len(layer.input.shape)
    shape[layer.axis] = -1
    factor, shift = (graph.constant(p.reshape(shape), np.float32) for p in (factor, shift))
    return graph.add("Add", graph.add("Mul", inputs[0], str(factor)), str(shift))


def _layer_normalization(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    last = layer.input.shape[-1]
    gamma, beta = weights(layer, "gamma", "beta")
    scale = graph.constant(np.ones(last, np.float32) if gamma is None else gamma)
    shift = graph.constant(np.zeros(last, np.float32) if beta is None else beta)
    return graph.add("LayerNormalization", inputs[0], scale, shift, axis=-1, epsilon=layer.epsilon)


def _leaky_relu(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    return graph.add("LeakyRelu", inputs[0], alpha=float(layer.negative_slope))


def _prelu(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    return graph.add("PRelu", inputs[0], graph.constant(np.asarray(layer.alpha)))


def _softmax(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    return graph.add("Softmax", inputs[0], axis=layer.axis)


def _elu(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    return graph.add("Elu", inputs[0], alpha=float(layer.alpha))


def _relu(graph: OperatorGraph, _: Any, inputs: Sequence[str]) -> str:
    return graph.add("Relu", inputs[0])


def _logit(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    one = graph.constant(1.0, np.float32)
    limits = (graph.constant(limit, np.float32) for limit in (layer.margin, 1.0 - layer.margin))
    inner = graph.add("Clip", inputs[0], *limits)
    odds = graph.add("Div", inner, graph.add("Sub", one, inner))
    slope = graph.constant(1.0 / (layer.margin * (1.0 - layer.margin)), np.float32)
    outside = graph.add("Mul", slope, graph.add("Sub", inputs[0], inner))
    return graph.add("Add", graph.add("Log", odds), outside)


def _last_step(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    sequences, outputs = inputs
    time = layer.input[0].shape[1]
    largest = graph.add(
        "ReduceMax", graph.add("Abs", sequences), graph.constant([2], np.int64), keepdims=0
    )
    observed = graph.add("Greater", largest, graph.constant(0.0, np.float32))
    numbers = graph.constant(np.arange(1, time + 1), np.int64)
    zero = graph.constant(0, np.int64)
    seen = graph.add("Where", observed, numbers, zero)
    last = graph.add("ReduceMax", seen, graph.constant([1], np.int64), keepdims=1)
    chosen = graph.cast(graph.add("Equal", last, numbers), np.float32)
    chosen = graph.add("Unsqueeze", chosen, graph.constant([2], np.int64))
    product = graph.add("Mul", outputs, chosen)
    return graph.add("ReduceSum", product, graph.constant([1], np.int64), keepdims=0)


def _table_output(graph: OperatorGraph, layer: Any, inputs: Sequence[str]) -> str:
    parts = []
    for kind, start, stop in layer._runs():
        part = graph.columns(inputs[0], start, stop)
        if kind == "binary":
            part = graph.add("Sigmoid", part)
        elif kind == "categorical":
            part = graph.add("Softmax", part, axis=-1)
        parts.append(part)
    return graph.add("Concat", *parts, axis=1)


def _of_one(convert: Callable[[OperatorGraph, Any, str], str]) -> Any:
    return lambda graph, layer, inputs: convert(graph, layer, inputs[0])


_RECURRENT = ("LSTM", "GRU")
_SIDES = ("1D", "2D", "3D")
_NO_EFFECT = (
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    *(f"SpatialDropout{sides}" for sides in _SIDES),
)
"""In inference; an activation follows the node of every layer."""
_LAYERS: dict[str, Callable[[OperatorGraph, Any, Sequence[str]], str]] = {
    **dict.fromkeys(_NO_EFFECT, _same),
    **dict.fromkeys(("Flatten", "Reshape"), _reshape),
    **{f"Conv{sides}": _of_one(convolution_nodes.convolution) for sides in _SIDES},
    **{f"Conv{sides}Transpose": _of_one(convolution_nodes.transposed) for sides in _SIDES},
    **{f"DepthwiseConv{sides}": _of_one(convolution_nodes.depthwise) for sides in _SIDES[:2]},
    **{
        f"{kind}Pooling{sides}": _of_one(convolution_nodes.pooling)
        for kind in ("Max", "Average")
        for sides in _SIDES
    },
    **{
        f"Global{kind}Pooling{sides}": _of_one(convolution_nodes.pooling_of_all)
        for kind in ("Max", "Average")
        for sides in _SIDES
    },
    **{f"UpSampling{sides}": _of_one(convolution_nodes.upsampling) for sides in _SIDES},
    **{f"ZeroPadding{sides}": _of_one(convolution_nodes.zero_padding) for sides in _SIDES},
    **{f"Cropping{sides}": _of_one(convolution_nodes.cropping) for sides in _SIDES},
    **dict.fromkeys(_RECURRENT, recurrent_nodes.recurrent),
    "Add": _folded("Add"),
    "Average": _average,
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
    "Dense": _dense,
    "ELU": _elu,
    "LastStep": _last_step,
    "LayerNormalization": _layer_normalization,
    "LeakyReLU": _leaky_relu,
    "Logit": _logit,
    "Maximum": _folded("Max"),
    "Minimum": _folded("Min"),
    "Multiply": _folded("Mul"),
    "PReLU": _prelu,
    "Permute": _permute,
    "ReLU": _relu,
    "RepeatVector": _repeat,
    "Rescaling": _rescaling,
    "Softmax": _softmax,
    "Subtract": _folded("Sub"),
    "TableOutput": _table_output,
}
