"""A model that was exported by isthmus, and needs NumPy only.

This file runs the operators in ``model.npz``, which must be beside it. Rows of an array model are
an array (n, ...) in original units, NaN where a cell is missing. Rows of a table are a dict of
columns: numbers and truth values with NaN, text with "", and dates, times and durations as whole
numbers with the smallest int64 where a cell is missing.
"""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

_ERROR = "reconstruction_error"


def encode(rows: Any) -> Any:
    """Return the codes of rows, (n, latent_dim)."""
    return _run("rows", rows, ["code"])["code"]


def decode(codes: Any) -> Any:
    """Return rows in original units for codes (n, latent_dim)."""
    return _rows(_run("codes", codes, None))


def reconstruct(rows: Any) -> Any:
    """Encode and decode rows; missing cells are filled."""
    outputs = _stored()[0]["rows"]["outputs"]
    return _rows(_run("rows", rows, [name for name in outputs if name not in ("code", _ERROR)]))


def reconstruction_error(rows: Any) -> Any:
    """Return the mean squared error of each row in scaled units, (n,)."""
    return _run("rows", rows, [_ERROR])[_ERROR]


def description() -> Any:
    """Return what the model is: its kind, versions and the inputs of `encode`."""
    return _stored()[0]["description"]


def _rows(outputs: dict[str, Any]) -> Any:
    """Return an array, or a dict by column."""
    if list(outputs) == ["reconstruction"]:
        return outputs["reconstruction"]
    return {name.partition(".")[2]: cells.ravel() for name, cells in outputs.items()}


@functools.cache
def _stored() -> tuple[Any, dict[str, Any]]:
    """Return the programs, and their constants by name."""
    with np.load(Path(__file__).with_name("model.npz"), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("program"))), arrays


def _run(name: str, given: Any, wanted: list[str] | None) -> dict[str, Any]:
    """Run a program on its input, or on a dict of its inputs; None: return all outputs."""
    programs, constants = _stored()
    program = programs[name]
    columns = given if isinstance(given, dict) else {program["inputs"][0]["name"]: given}
    outputs = program["outputs"] if wanted is None else wanted
    values = {
        each["name"]: _input(columns, each["name"], each["dtype"], each["shape"])
        for each in program["inputs"]
    }
    with np.errstate(all="ignore"):
        for kind, inputs, made, attributes in _needed(program["operators"], outputs):
            taken = [values[i] if i in values else constants.get(i) for i in inputs]
            values[made] = OPERATORS[kind](*taken, **attributes)
    return {output: values[output] for output in outputs}


def _input(columns: dict[str, Any], name: str, dtype: str, shape: list[int]) -> Any:
    if name not in columns:
        raise KeyError(f"{name!r} is not among the columns {sorted(columns)}")
    cells = np.asarray(columns[name])
    if dtype == "str":
        cells = np.where(cells == None, "", cells) if cells.dtype == object else cells  # noqa: E711
    return cells.astype(dtype).reshape(-1, *shape)


def _needed(operators: list[Any], outputs: list[str]) -> Any:
    """Return the operators that some outputs depend on, in order."""
    names, chosen = set(outputs), []
    for operator in reversed(operators):
        if operator[2] in names:
            names.update(operator[1])
            chosen.append(operator)
    return reversed(chosen)


def _axes(axes: Any) -> Any:
    return None if axes is None else tuple(int(axis) for axis in axes)


def _slice(x: Any, starts: Any, ends: Any, axes: Any) -> Any:
    places = [slice(None)] * x.ndim
    for start, end, axis in zip(starts, ends, axes, strict=True):
        places[int(axis)] = slice(int(start), int(end))
    return x[tuple(places)]


def _softmax(x: Any, axis: int = -1) -> Any:
    odds = np.exp(x - x.max(axis=axis, keepdims=True))
    return odds / odds.sum(axis=axis, keepdims=True)


def _log_softmax(x: Any, axis: int = -1) -> Any:
    x = x - x.max(axis=axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


def _layer_normalization(x: Any, scale: Any, shift: Any, axis: int, epsilon: float) -> Any:
    away = x - x.mean(axis=axis, keepdims=True)
    spread = np.square(away).mean(axis=axis, keepdims=True)
    return away / np.sqrt(spread + np.float32(epsilon)) * scale + shift


def _label_encoder(
    x: Any,
    keys_strings: Any,
    values_int64s: Any,
    default_int64: int,
    domain: str,  # noqa: ARG001
) -> Any:
    codes = dict(zip(keys_strings, values_int64s, strict=True))
    found = [codes.get(word, default_int64) for word in x.ravel().tolist()]
    return np.array(found, np.int64).reshape(x.shape)


def _cumulative_sum(x: Any, axis: Any, reverse: int = 0) -> Any:
    axis = int(axis)
    return np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)


def _erf(x: Any) -> Any:
    return np.frompyfunc(math.erf, 1, 1)(x).astype(x.dtype)


def _elu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, np.float32(alpha) * np.expm1(np.minimum(x, 0)))


def _selu(x: Any, alpha: float, gamma: float) -> Any:
    return np.float32(gamma) * _elu(x, alpha)


OPERATORS: dict[str, Any] = {
    "Abs": np.abs,
    "Add": np.add,
    "And": np.logical_and,
    "ArgMax": lambda x, axis, keepdims: np.argmax(x, axis=axis, keepdims=bool(keepdims)),
    "Cast": lambda x, to: x.astype(to),
    "Clip": np.clip,
    "Concat": lambda *parts, axis: np.concatenate(parts, axis=axis),
    "CumSum": _cumulative_sum,
    "Div": np.divide,
    "Elu": _elu,
    "Equal": np.equal,
    "Erf": _erf,
    "Exp": np.exp,
    "Gather": lambda x, places: x[places],
    "Gemm": lambda x, kernel, bias: x @ kernel + bias,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "HardSigmoid": lambda x, alpha, beta: np.clip(np.float32(alpha) * x + np.float32(beta), 0, 1),
    "Identity": lambda x: x,
    "IsNaN": np.isnan,
    "LabelEncoder": _label_encoder,
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": lambda x, alpha: np.where(x > 0, x, np.float32(alpha) * x),
    "LessOrEqual": np.less_equal,
    "Log": np.log,
    "LogSoftmax": _log_softmax,
    "MatMul": np.matmul,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mod": np.mod,
    "Mul": np.multiply,
    "Not": np.logical_not,
    "PRelu": lambda x, slope: np.where(x > 0, x, slope * x),
    "ReduceMax": lambda x, axes, keepdims: x.max(axis=_axes(axes), keepdims=bool(keepdims)),
    "ReduceSum": lambda x, axes, keepdims: x.sum(axis=_axes(axes), keepdims=bool(keepdims)),
    "Relu": lambda x: np.maximum(x, np.float32(0)),
    "Reshape": lambda x, shape: x.reshape([int(size) for size in shape]),
    "Round": np.rint,
    "Selu": _selu,
    "Sigmoid": lambda x: np.float32(0.5) * (np.tanh(np.float32(0.5) * x) + np.float32(1)),
    "Sign": np.sign,
    "Slice": _slice,
    "Softmax": _softmax,
    "Softplus": lambda x: np.logaddexp(x, np.float32(0)),
    "Softsign": lambda x: x / (np.float32(1) + np.abs(x)),
    "Squeeze": lambda x, axes: np.squeeze(x, _axes(axes)),
    "Sub": np.subtract,
    "Tanh": np.tanh,
    "Tile": lambda x, counts: np.tile(x, [int(count) for count in counts]),
    "Transpose": lambda x, perm: np.transpose(x, perm),
    "Unsqueeze": lambda x, axes: np.expand_dims(x, _axes(axes)),
    "Where": np.where,
}
"""The operators of ONNX, version 18, as far as dense networks and tables need them."""
