"""Compute the output shapes of Keras layers from their settings.

The rules are written out here so that a model in a file can be measured without creating its
layers. Source: the reference of each layer, https://keras.io/api/layers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Shape = tuple[int | None, ...]

_LARGEST = 2**31 - 1
NOISE = frozenset(
    """GaussianNoise GaussianDropout Dropout AlphaDropout
    SpatialDropout1D SpatialDropout2D SpatialDropout3D""".split()  # noqa: SIM905
)
_ELEMENTWISE = frozenset(
    """Activation ReLU LeakyReLU PReLU ELU Softmax Identity Masking ActivityRegularization Rescaling
    BatchNormalization LayerNormalization GroupNormalization UnitNormalization RMSNormalization
    Normalization SpectralNormalization TableOutput""".split()  # noqa: SIM905
)
_FORMS = frozenset({"Flatten", "Reshape", "Permute"})
# Operations on one tensor, as Keras records them in a functional model.
_OPERATIONS = frozenset(
    """Absolute Add Subtract Multiply Divide TrueDivide Power Exp Expm1 Log Log1p Negative Sqrt
    Square Clip Sigmoid Tanh Relu Relu6 Gelu Silu Elu Selu Softplus Softsign LogSigmoid HardSigmoid
    Cast Copy Transpose ExpandDims Squeeze Identity StopGradient NotEqual Abs Sin
    Cos Maximum Minimum Round""".split()  # noqa: SIM905
)
PASSING = NOISE | _ELEMENTWISE | _FORMS | _OPERATIONS
"""Kinds that neither mix nor drop numbers if they have one input."""
MERGING = frozenset("Add Subtract Multiply Average Maximum Minimum".split())  # noqa: SIM905
EXPANDING = frozenset(
    """Conv1DTranspose Conv2DTranspose Conv3DTranspose UpSampling1D UpSampling2D UpSampling3D
    RepeatVector""".split()  # noqa: SIM905
)
PARAMETRIC = frozenset(
    """Dense EinsumDense Embedding Bidirectional TimeDistributed LSTM GRU SimpleRNN RNN ConvLSTM1D
    ConvLSTM2D ConvLSTM3D Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose
    SeparableConv1D SeparableConv2D DepthwiseConv1D DepthwiseConv2D MultiHeadAttention
    GroupQueryAttention""".split()  # noqa: SIM905
)
"""Kinds that mix numbers with learned parameters."""
_OTHERS = frozenset(
    """InputLayer Lambda Concatenate Dot StackedRNNCells
    MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D
    Attention AdditiveAttention Resizing CenterCrop
    Discretization Hashing IntegerLookup StringLookup TextVectorization CategoryEncoding
    RandomFlip RandomRotation RandomZoom RandomTranslation RandomCrop RandomContrast
    RandomBrightness Wrapper""".split()  # noqa: SIM905
)
_KNOWN = NOISE | _ELEMENTWISE | _FORMS | MERGING | EXPANDING | PARAMETRIC | _OTHERS


def known_layer(kind: str) -> bool:
    """Whether Keras has a layer of this name."""
    return kind in _KNOWN


def known_operation(kind: str) -> bool:
    """Whether Keras records an operation on one tensor under this name."""
    return kind in _OPERATIONS


def output_shape(
    kind: str, settings: Mapping[str, Any], inputs: Sequence[Shape | None]
) -> Shape | None:
    """Return a layer's output shape for one sample; None if no rule is known or it does not fit."""
    rule = _RULES.get(kind)
    if kind in PASSING - _FORMS - _OPERATIONS:
        rule = _unchanged
    if kind in MERGING:
        inputs = [shape for shape in inputs if shape is not None]
    if rule is None or not inputs or inputs[0] is None:
        return None
    try:
        made = rule(settings, [shape for shape in inputs if shape is not None])
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    fits = all(a is None or (isinstance(a, int) and 0 <= a <= _LARGEST) for a in made)
    return tuple(made) if fits else None


def _unchanged(_: Any, inputs: list[Shape]) -> Shape:
    return inputs[0]


def _dense(settings: Any, inputs: list[Shape]) -> Shape:
    return (*inputs[0][:-1], whole(settings["units"]))


def _embedding(settings: Any, inputs: list[Shape]) -> Shape:
    return (*inputs[0], whole(settings["output_dim"]))


def _flatten(_: Any, inputs: list[Shape]) -> Shape:
    return (None if None in inputs[0] else math.prod(a or 0 for a in inputs[0]),)


def _reshape(settings: Any, inputs: list[Shape]) -> Shape:
    target = [whole(axis, least=-1) for axis in settings["target_shape"]]
    if -1 not in target:
        return tuple(target)
    (total,) = _flatten(None, inputs)
    rest = math.prod(axis for axis in target if axis != -1)
    return tuple(
        (None if total is None else total // rest) if axis == -1 else axis for axis in target
    )


def _permute(settings: Any, inputs: list[Shape]) -> Shape:
    return tuple(inputs[0][whole(axis, least=1) - 1] for axis in settings["dims"])


def _repeat(settings: Any, inputs: list[Shape]) -> Shape:
    return (whole(settings["n"]), *inputs[0])


def _merge(_: Any, inputs: list[Shape]) -> Shape:
    return max(inputs, key=lambda shape: (len(shape), math.prod(axis or 1 for axis in shape)))


def _concatenate(settings: Any, inputs: list[Shape]) -> Shape:
    axis = whole(settings.get("axis", -1), least=-9)
    place = axis - 1 if axis > 0 else axis
    joined = list(inputs[0])
    sizes = [shape[place] for shape in inputs]
    joined[place] = None if None in sizes else sum(size or 0 for size in sizes)
    return tuple(joined)


def _convolution(settings: Any, inputs: list[Shape]) -> Shape:
    spatial, channels = _parted(settings, inputs[0])
    count = len(spatial)
    sizes = _each(settings.get("kernel_size", settings.get("pool_size")), count)
    steps = _each(settings.get("strides") or settings.get("pool_size") or 1, count)
    holes = _each(settings.get("dilation_rate", 1), count)
    same = settings.get("padding") in ("same", "causal")
    made = [
        None if n is None else -(-n // s) if same else (n - h * (k - 1) - 1) // s + 1
        for n, k, s, h in zip(spatial, sizes, steps, holes, strict=True)
    ]
    if "filters" in settings:
        channels = whole(settings["filters"])
    elif "depth_multiplier" in settings and channels is not None:
        channels *= whole(settings["depth_multiplier"])
    return _joined(settings, made, channels)


def _transposed(settings: Any, inputs: list[Shape]) -> Shape:
    spatial, _ = _parted(settings, inputs[0])
    sizes = _each(settings["kernel_size"], len(spatial))
    steps = _each(settings.get("strides", 1), len(spatial))
    if settings.get("output_padding") is not None:
        raise ValueError
    same = settings.get("padding") == "same"
    made = [
        None if n is None else n * s + (0 if same else max(k - s, 0))
        for n, k, s in zip(spatial, sizes, steps, strict=True)
    ]
    return _joined(settings, made, whole(settings["filters"]))


def _upsampling(settings: Any, inputs: list[Shape]) -> Shape:
    spatial, channels = _parted(settings, inputs[0])
    times = _each(settings["size"], len(spatial))
    made = [None if n is None else n * t for n, t in zip(spatial, times, strict=True)]
    return _joined(settings, made, channels)


def _padded(settings: Any, inputs: list[Shape], sign: int = 1) -> Shape:
    spatial, channels = _parted(settings, inputs[0])
    margins = settings["padding" if sign > 0 else "cropping"]
    if len(spatial) == 1 and not isinstance(margins, int):
        margins = [margins]
    pairs = [_each(m, 2) for m in ([margins] if isinstance(margins, int) else margins)]
    pairs = pairs * len(spatial) if len(pairs) == 1 else pairs
    made = [None if n is None else n + sign * sum(p) for n, p in zip(spatial, pairs, strict=True)]
    return _joined(settings, made, channels)


def _cropped(settings: Any, inputs: list[Shape]) -> Shape:
    return _padded(settings, inputs, -1)


def _pooled_away(settings: Any, inputs: list[Shape]) -> Shape:
    spatial, channels = _parted(settings, inputs[0])
    if settings.get("keepdims"):
        return _joined(settings, [1] * len(spatial), channels)
    return (channels,)


def _resized(settings: Any, inputs: list[Shape]) -> Shape:
    _, channels = _parted(settings, inputs[0])
    return _joined(settings, [whole(settings["height"]), whole(settings["width"])], channels)


def _recurrent(settings: Any, inputs: list[Shape]) -> Shape:
    units = whole(settings["units"])
    return (inputs[0][0], units) if settings.get("return_sequences") else (units,)


def _inner(settings: Any) -> tuple[str, Any]:
    layer = settings["layer"]
    return layer["class_name"], layer["config"]


def _bidirectional(settings: Any, inputs: list[Shape]) -> Shape:
    made = output_shape(*_inner(settings), inputs[:1])
    if made is None or settings.get("merge_mode") is None:
        raise ValueError
    if settings["merge_mode"] != "concat":
        return made
    return (*made[:-1], None if made[-1] is None else 2 * made[-1])


def _each_step(settings: Any, inputs: list[Shape]) -> Shape:
    made = output_shape(*_inner(settings), [inputs[0][1:]])
    if made is None:
        raise ValueError
    return (inputs[0][0], *made)


def _dot(settings: Any, inputs: list[Shape]) -> Shape:
    axes = settings["axes"]
    one, other = [axes, axes] if isinstance(axes, int) else axes
    rest = [
        axis
        for shape, without in zip(inputs, (one, other), strict=True)
        for place, axis in enumerate(shape)
        if place != (whole(without, least=-9) - 1 if without > 0 else len(shape) + without)
    ]
    return tuple(rest) or (1,)


def _parted(settings: Any, shape: Shape) -> tuple[list[int | None], int | None]:
    if settings.get("data_format") == "channels_first":
        return list(shape[1:]), shape[0]
    return list(shape[:-1]), shape[-1]


def _joined(settings: Any, spatial: Sequence[int | None], channels: int | None) -> Shape:
    if settings.get("data_format") == "channels_first":
        return (channels, *spatial)
    return (*spatial, channels)


def _each(value: Any, count: int) -> list[int]:
    values = [value] * count if isinstance(value, int) else list(value)
    if len(values) != count:
        raise ValueError
    return [whole(item) for item in values]


def whole(value: Any, *, least: int = 0) -> int:
    """Return an integer of a configuration; raise ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _LARGEST:
        raise ValueError
    return value


_RULES: dict[str, Any] = {
    "Dense": _dense,
    "Embedding": _embedding,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    "Concatenate": _concatenate,
    "Dot": _dot,
    "MultiHeadAttention": _unchanged,
    "Attention": _unchanged,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _each_step,
    "Resizing": _resized,
    "CenterCrop": _resized,
    **dict.fromkeys(MERGING, _merge),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), _recurrent),
    **{f"Conv{n}DTranspose": _transposed for n in (1, 2, 3)},
    **{f"UpSampling{n}D": _upsampling for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": _padded for n in (1, 2, 3)},
    **{f"Cropping{n}D": _cropped for n in (1, 2, 3)},
    **{
        f"{stem}{n}D": _convolution
        for stem in ("Conv", "SeparableConv", "DepthwiseConv", "MaxPooling", "AveragePooling")
        for n in (1, 2, 3)
    },
    **{f"Global{stem}Pooling{n}D": _pooled_away for stem in ("Max", "Average") for n in (1, 2, 3)},
}
