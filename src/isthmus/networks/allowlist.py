"""What a Keras model may contain to be saved, and to be rebuilt from an untrusted file.

The configuration that Keras writes names a module and a class for each object, which Keras then
imports and calls. So every object in it is compared with the lists here before Keras reads it, and
everything else must be a plain number, name or list. Functions, lambdas and classes of other
packages are refused.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

_LAYERS = frozenset(
    """
    InputLayer Dense Embedding Activation ReLU LeakyReLU PReLU ELU Softmax Identity Masking
    Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose
    SeparableConv1D SeparableConv2D DepthwiseConv1D DepthwiseConv2D
    MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    Cropping1D Cropping2D Cropping3D Flatten Reshape Permute RepeatVector
    BatchNormalization LayerNormalization GroupNormalization UnitNormalization RMSNormalization
    Dropout AlphaDropout SpatialDropout1D SpatialDropout2D SpatialDropout3D
    GaussianNoise GaussianDropout ActivityRegularization Rescaling
    Add Subtract Multiply Average Maximum Minimum Concatenate Dot
    LSTM GRU SimpleRNN Bidirectional TimeDistributed
    """.split()  # noqa: SIM905 - one name per line would hide the families
)
_INITIALIZERS = frozenset(
    """
    Zeros Ones Constant Identity Orthogonal RandomNormal RandomUniform TruncatedNormal
    VarianceScaling GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform
    """.split()  # noqa: SIM905
)
_LAYERS_AND_MODELS = {
    "keras": frozenset({"Sequential"}),
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.layers": _LAYERS,
    "isthmus.networks.layers": frozenset({"LastStep", "Logit", "TableOutput"}),
}
# By setting: an object anywhere else, even one of Keras's own, would be created and called in ways
# that the checks after building do not cover.
_ALLOWED = {
    "layers": _LAYERS_AND_MODELS,
    "layer": _LAYERS_AND_MODELS,
    "dtype": {"keras": frozenset({"DTypePolicy"})},
    # Only layers without weights: Keras would create an activation's weights on its first call.
    "activation": {
        "keras.layers": frozenset({"Activation", "ReLU", "LeakyReLU", "ELU", "Softmax"})
    },
    "initializer": {"keras.initializers": _INITIALIZERS},
    "regularizer": {"keras.regularizers": frozenset({"L1", "L2", "L1L2", "OrthogonalRegularizer"})},
    "constraint": {"keras.constraints": frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"})},
}
_MODELS = frozenset({"Sequential", "Functional"})
_POLICIES = frozenset(
    {"float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16", "float64"}
)
_OBJECT_KEYS = frozenset({"module", "class_name", "config", "registered_name"})
_NODE_KEYS = frozenset({"name", "inbound_nodes"})
# Settings that pull in other machinery; they may be present but must be unset.
_UNSET = ("quantization_config", "quantization_mode", "lora_rank", "lora_alpha", "renorm_clipping")

_LONGEST_STRING = 200
_LONGEST_LIST = 10_000
_LARGEST_INTEGER = 2**31 - 1
_DEEPEST_MODEL = 6
_MOST_CALLS = 4_000


class Refused(Exception):
    """An internal refusal, which callers turn into an error for the user."""

    def __init__(self, place: str, found: str) -> None:
        super().__init__(f"{place}: {found}")
        self.place = place
        self.found = found


def vet(config: Any) -> None:
    """Check the configuration of a whole model.

    Raises
    ------
    Refused
        Something in the configuration is not on the lists, or it is too large.
    """
    if not (isinstance(config, dict) and config.get("class_name") in _MODELS):
        raise Refused("the model", "it is neither Sequential nor functional")
    calls = _object(config, "layers", "the model", 0)
    if calls > _MOST_CALLS:
        raise Refused("the model", f"{calls} layer calls, beyond the limit of {_MOST_CALLS}")


def _value(value: Any, setting: str, place: str, depth: int) -> int:
    """Check the value of a setting; return the number of layer calls in it."""
    if value is None or isinstance(value, bool):
        return 0
    if isinstance(value, str):
        return _check(len(value) <= _LONGEST_STRING, place, "a string too long")
    if isinstance(value, int):
        return _check(abs(value) <= _LARGEST_INTEGER, place, f"the integer {value:.3g}")
    if isinstance(value, float):
        return _check(math.isfinite(value), place, f"the number {value}")
    if isinstance(value, (list, tuple)):
        _check(len(value) <= _LONGEST_LIST, place, f"a list of {len(value)}")
        return sum(_value(item, setting, place, depth) for item in value)
    if isinstance(value, dict) and "class_name" in value:
        return _object(value, setting, place, depth)
    return _fail(place, "a function or another object that is not one of Keras's own")


def _object(node: dict[str, Any], setting: str, place: str, depth: int) -> int:
    """Check a Keras object and everything in it; return the number of layer calls it makes."""
    config, inbound = node.get("config"), node.get("inbound_nodes", [])
    if not isinstance(config, dict):
        _fail(place, "a function, which is not one of Keras's own")
    here = _check_class(node, config, setting, place)
    if not isinstance(inbound, list):
        _fail(here, "inbound nodes that are not a list")
    name = node["class_name"]
    _check_settings(name, config, here)
    depth += name in _MODELS
    _check(depth <= _DEEPEST_MODEL, here, f"models nested more than {_DEEPEST_MODEL} deep")
    for item in inbound:
        _wiring(item, here)
    calls = int(setting in ("layers", "layer", "backward_layer"))
    for key, value in config.items():
        if name == "Functional" and key in ("input_layers", "output_layers"):
            _wiring(value, here)
        else:
            calls += _value(value, key, here, depth)
    return calls * max(1, len(inbound))


def _check_class(node: dict[str, Any], config: dict[str, Any], setting: str, place: str) -> str:
    """Check the class of an object; return the object's name in messages."""
    module, name, registered = (node.get(k) for k in ("module", "class_name", "registered_name"))
    label = config.get("name")
    here = place if label is None or name in _MODELS else f"layer {label!s:.60} ({name!s:.60})"
    if not (isinstance(module, str) and isinstance(name, str)):
        _fail(here, "a class that is not one of Keras's own")
    # "kernel_initializer" accepts whatever "initializer" accepts.
    allowed = _ALLOWED.get(setting.rpartition("_")[2], {})
    own = module.startswith("isthmus.")
    known = name in allowed.get(module, ()) and (
        registered == f"isthmus>{name}" if own else registered in (None, name)
    )
    _check(known, here, f"{name[:60]} of {module[:60]}, which is not on the list")
    extra = set(node) - _OBJECT_KEYS - _NODE_KEYS
    _check(not extra, here, f"unknown keys {sorted(map(str, extra))[:5]}")
    return here


def _check_settings(name: str, config: dict[str, Any], here: str) -> None:
    if name == "DTypePolicy":
        policy = config.get("name")
        known = set(config) == {"name"} and isinstance(policy, str) and policy in _POLICIES
        _check(known, here, f"the dtype policy {str(policy)[:60]!r}")
    for key in _UNSET:
        _check(config.get(key) is None, here, f"{key}, which cannot be saved")
    if config.get("unroll"):
        # Unrolling traces every step of a series; a hostile length would take minutes.
        _fail(here, "unroll=True; unroll=False gives the same results and can be saved")


def _wiring(value: Any, place: str) -> None:
    """Check the connections between layers of a functional model: tensors, numbers and names."""
    if isinstance(value, (list, tuple)):
        _check(len(value) <= _LONGEST_LIST, place, f"a list of {len(value)}")
        for item in value:
            _wiring(item, place)
    elif isinstance(value, dict) and "class_name" in value:
        if value["class_name"] != "__keras_tensor__" or set(value) != {"class_name", "config"}:
            _fail(place, "an input that is not the output of another layer")
        _wiring(value["config"], place)
    elif isinstance(value, dict):
        for key, item in value.items():
            _value(key, "", place, 0)
            _wiring(item, place)
    else:
        _value(value, "", place, 0)


def _check(holds: bool, place: str, found: str) -> int:
    if not holds:
        _fail(place, found)
    return 0


def _fail(place: str, found: str) -> NoReturn:
    raise Refused(place, found)
