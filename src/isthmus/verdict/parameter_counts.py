"""Count the parameters of Keras layers from their settings and input shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from isthmus.verdict.shapes import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from isthmus.verdict.shapes import Shape

Counts = tuple[int, int, int, int]
"""Numbers of weights, biases, others, and those of the others that are never trained."""

_NONE = (0, 0, 0, 0)
_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


def count(kind: str, settings: Mapping[str, Any], inputs: Sequence[Shape | None]) -> Counts | None:
    """Return the parameter counts of a Keras layer; None if they cannot be computed."""
    rule = _RULES.get(kind)
    if rule is None:
        return None if kind in _UNKNOWN else _NONE
    if not inputs or inputs[0] is None:
        return None
    try:
        return rule(settings, [shape for shape in inputs if shape is not None])
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None


def _bias(settings: Any, number: int) -> int:
    return number if settings.get("use_bias", True) else 0


def _known(size: int | None) -> int:
    if size is None:
        raise ValueError
    return size


def _channels(settings: Any, shape: Shape) -> int:
    return _known(shape[0] if settings.get("data_format") == "channels_first" else shape[-1])


def _dense(settings: Any, inputs: list[Shape]) -> Counts:
    units = whole(settings["units"])
    return _known(inputs[0][-1]) * units, _bias(settings, units), 0, 0


def _embedding(settings: Any, _: list[Shape]) -> Counts:
    return whole(settings["input_dim"]) * whole(settings["output_dim"]), 0, 0, 0


def _window(settings: Any, shape: Shape) -> int:
    size = settings["kernel_size"]
    return math.prod([size] * (len(shape) - 1) if isinstance(size, int) else map(whole, size))


def _convolution(settings: Any, inputs: list[Shape]) -> Counts:
    filters, channels = whole(settings["filters"]), _channels(settings, inputs[0])
    weights = _window(settings, inputs[0]) * filters * (channels // (settings.get("groups") or 1))
    return weights, _bias(settings, filters), 0, 0


def _depthwise(settings: Any, inputs: list[Shape]) -> Counts:
    made = _channels(settings, inputs[0]) * whole(settings["depth_multiplier"])
    return _window(settings, inputs[0]) * made, _bias(settings, made), 0, 0


def _separable(settings: Any, inputs: list[Shape]) -> Counts:
    filters = whole(settings["filters"])
    made = _channels(settings, inputs[0]) * whole(settings["depth_multiplier"])
    weights = _window(settings, inputs[0]) * made + made * filters
    return weights, _bias(settings, filters), 0, 0


def _normalised(settings: Any, inputs: list[Shape]) -> int:
    axes = settings.get("axis", -1)
    axes = [axes] if isinstance(axes, int) else axes
    shape = (None, *inputs[0])
    return math.prod(_known(shape[whole(axis, least=-9)]) for axis in axes)


def _batch_normalisation(settings: Any, inputs: list[Shape]) -> Counts:
    size = _normalised(settings, inputs)
    learned = sum(bool(settings.get(key, True)) for key in ("scale", "center"))
    return 0, 0, size * (learned + 2), 2 * size


def _layer_normalisation(settings: Any, inputs: list[Shape]) -> Counts:
    learned = sum(bool(settings.get(key, True)) for key in ("scale", "center"))
    return 0, 0, _normalised(settings, inputs) * learned, 0


def _scale(settings: Any, inputs: list[Shape]) -> Counts:
    return 0, 0, _normalised(settings, inputs), 0


def _slopes(settings: Any, inputs: list[Shape]) -> Counts:
    shared = [whole(axis, least=1) for axis in settings.get("shared_axes") or ()]
    sizes = [1 if i + 1 in shared else _known(axis) for i, axis in enumerate(inputs[0])]
    return 0, 0, math.prod(sizes), 0


def _recurrent(kind: str) -> Callable[[Any, list[Shape]], Counts]:
    def counts(settings: Any, inputs: list[Shape]) -> Counts:
        units, width = whole(settings["units"]), _known(inputs[0][-1])
        gates = _GATES[kind]
        biases = gates * units * (2 if kind == "GRU" and settings.get("reset_after") else 1)
        return gates * units * (width + units), _bias(settings, biases), 0, 0

    return counts


def _bidirectional(settings: Any, inputs: list[Shape]) -> Counts:
    counted = _inner(settings, inputs[0])
    return counted[0] * 2, counted[1] * 2, counted[2] * 2, counted[3] * 2


def _each_step(settings: Any, inputs: list[Shape]) -> Counts:
    return _inner(settings, inputs[0][1:])


def _inner(settings: Any, shape: Shape) -> Counts:
    layer = settings["layer"]
    counted = count(layer["class_name"], layer["config"], [shape])
    if counted is None:
        raise ValueError
    return counted


def _attention(settings: Any, inputs: list[Shape]) -> Counts:
    query, value = _known(inputs[0][-1]), _known(inputs[min(1, len(inputs) - 1)][-1])
    key = _known(inputs[2][-1]) if len(inputs) > 2 else value
    heads, width = whole(settings["num_heads"]), whole(settings["key_dim"])
    deep = whole(settings.get("value_dim") or width)
    if settings.get("output_shape") is not None:
        raise ValueError
    weights = heads * (width * (query + key) + deep * (value + query))
    return weights, _bias(settings, heads * (2 * width + deep) + query), 0, 0


_RULES: dict[str, Callable[[Any, list[Shape]], Counts]] = {
    "Dense": _dense,
    "Embedding": _embedding,
    "BatchNormalization": _batch_normalisation,
    "LayerNormalization": _layer_normalisation,
    "GroupNormalization": _layer_normalisation,
    "RMSNormalization": _scale,
    "PReLU": _slopes,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _each_step,
    "MultiHeadAttention": _attention,
    **{kind: _recurrent(kind) for kind in _GATES},
    **{f"Conv{n}D{end}": _convolution for end in ("", "Transpose") for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _depthwise for n in (1, 2)},
    **{f"SeparableConv{n}D": _separable for n in (1, 2)},
}
_UNKNOWN = frozenset(
    """EinsumDense RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D GroupQueryAttention Attention
    AdditiveAttention Normalization SpectralNormalization StringLookup IntegerLookup
    TextVectorization Wrapper Functional Sequential""".split()  # noqa: SIM905
)
