"""Convolutions, pooling and resampling of Keras as ONNX nodes.

Keras has the channels last, ONNX has them first. So each node is between two transpositions, most
of which a runtime removes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.export.graph import weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.export.operators import OperatorGraph


def channels_first(graph: OperatorGraph, x: str, axes: int) -> str:
    """Move the channels of (n, *sides, channels) before the sides; `axes` is their number."""
    return graph.add("Transpose", x, perm=[0, axes + 1, *range(1, axes + 1)])


def channels_last(graph: OperatorGraph, x: str, axes: int) -> str:
    """Undo `channels_first`."""
    return graph.add("Transpose", x, perm=[0, *range(2, axes + 2), 1])


def convolution(graph: OperatorGraph, layer: Any, x: str) -> str:
    """Add a convolution of one, two or three dimensions, before its activation."""
    axes = layer.rank
    kernel, bias = weights(layer, "kernel", "bias")
    turned = np.moveaxis(np.asarray(kernel), (-1, -2), (0, 1))
    pads = _padding(
        layer,
        [(k - 1) * d + 1 for k, d in zip(layer.kernel_size, layer.dilation_rate, strict=True)],
        _sides(layer),
    )
    return _convolved(
        graph,
        x,
        axes,
        "Conv",
        turned,
        bias,
        pads=pads,
        group=layer.groups,
        strides=list(layer.strides),
        dilations=list(layer.dilation_rate),
    )


def depthwise(graph: OperatorGraph, layer: Any, x: str) -> str:
    """Add a convolution of each channel on its own, before its activation."""
    kernel, bias = weights(layer, "kernel", "bias")
    kernel = np.asarray(kernel)
    channels = kernel.shape[-2]
    turned = np.moveaxis(kernel, (-2, -1), (0, 1))
    turned = turned.reshape(-1, 1, *kernel.shape[:-2])
    pads = _padding(layer, list(layer.kernel_size), _sides(layer))
    return _convolved(
        graph,
        x,
        layer.rank,
        "Conv",
        turned,
        bias,
        pads=pads,
        group=channels,
        strides=list(layer.strides),
    )


def transposed(graph: OperatorGraph, layer: Any, x: str) -> str:
    """Add a transposed convolution, before its activation."""
    kernel, bias = weights(layer, "kernel", "bias")
    turned = np.moveaxis(np.asarray(kernel), (-1, -2), (0, 1))
    before, after, more = [], [], []
    sides = zip(layer.kernel_size, layer.strides, strict=True)
    for size, stride in sides:
        # Keras: a side of s becomes s * stride ("same"), or s * stride + max(size - stride, 0).
        cut = max(size - stride, 0) if layer.padding == "same" else 0
        before.append(cut // 2)
        after.append(cut - cut // 2)
        more.append(max(stride - size, 0))
    return _convolved(
        graph,
        x,
        layer.rank,
        "ConvTranspose",
        turned,
        bias,
        pads=[*before, *after],
        strides=list(layer.strides),
        output_padding=more,
    )


def pooling(graph: OperatorGraph, layer: Any, x: str) -> str:
    """Add maximum or average pooling."""
    axes = len(layer.pool_size)
    largest = "Max" in type(layer).__name__
    settings: dict[str, Any] = {} if largest else {"count_include_pad": 0}
    made = graph.add(
        "MaxPool" if largest else "AveragePool",
        channels_first(graph, x, axes),
        kernel_shape=list(layer.pool_size),
        strides=list(layer.strides),
        pads=_padding(layer, list(layer.pool_size), _sides(layer)),
        **settings,
    )
    return channels_last(graph, made, axes)


def pooling_of_all(graph: OperatorGraph, layer: Any, x: str) -> str:
    """Add the maximum or the average over all sides."""
    axes = len(layer.input.shape) - 2
    operator = "ReduceMax" if "Max" in type(layer).__name__ else "ReduceMean"
    sides = graph.constant(range(1, axes + 1), np.int64)
    return graph.add(operator, x, sides, keepdims=int(layer.keepdims))


def upsampling(graph: OperatorGraph, layer: Any, x: str) -> str:
    """Add the repetition of each cell along the sides, or bilinear interpolation."""
    size = (layer.size,) if isinstance(layer.size, int) else tuple(layer.size)
    scales = graph.constant([1.0, 1.0, *size], np.float32)
    bilinear = getattr(layer, "interpolation", "nearest") == "bilinear"
    settings = (
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        if bilinear
        else {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
    )
    made = graph.add("Resize", channels_first(graph, x, len(size)), "", scales, **settings)
    return channels_last(graph, made, len(size))


def zero_padding(graph: OperatorGraph, layer: Any, x: str) -> str:
    """Add zeros before and after the sides."""
    pairs = _pairs(layer.padding)
    pads = [0, *(before for before, _ in pairs), 0, 0, *(after for _, after in pairs), 0]
    return graph.add("Pad", x, graph.constant(pads, np.int64))


def cropping(graph: OperatorGraph, layer: Any, x: str) -> str:
    """Cut cells off the ends of the sides."""
    pairs = _pairs(layer.cropping)
    sides = layer.input.shape[1:-1]
    starts = [before for before, _ in pairs]
    stops = [side - after for side, (_, after) in zip(sides, pairs, strict=True)]
    axes = range(1, len(pairs) + 1)
    return graph.add(
        "Slice", x, *(graph.constant(part, np.int64) for part in (starts, stops, axes))
    )


def _convolved(
    graph: OperatorGraph,
    x: str,
    axes: int,
    operator: str,
    kernel: Any,
    bias: Any,
    **attributes: Any,
) -> str:
    inputs = [channels_first(graph, x, axes), graph.constant(kernel)]
    if bias is not None:
        inputs.append(graph.constant(bias))
    return channels_last(graph, graph.add(operator, *inputs, **attributes), axes)


def _sides(layer: Any) -> Sequence[int]:
    sides: Sequence[int] = layer.input.shape[1:-1]
    return sides


def _padding(layer: Any, windows: Sequence[int], sides: Sequence[int]) -> list[int]:
    """Return the zeros before all sides and after them, as Keras has them."""
    if layer.padding == "causal":
        return [windows[0] - 1, 0]
    if layer.padding == "valid":
        return [0] * 2 * len(windows)
    missing = [
        max((-(-side // stride) - 1) * stride + window - side, 0)
        for side, stride, window in zip(sides, layer.strides, windows, strict=True)
    ]
    return [more // 2 for more in missing] + [more - more // 2 for more in missing]


def _pairs(given: Any) -> list[tuple[int, int]]:
    """Return what Keras stores of a padding or a cropping as a pair for each side."""
    if isinstance(given[0], int):
        return [(given[0], given[1])]
    return [(int(before), int(after)) for before, after in given]
