"""A decoder as a program of the page: operators with their weights, run by ``operators.js``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.explorer.packing import Kind, packed
from isthmus.export.operators import OperatorGraph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.explorer.code_model import CodeModel

OPERATORS = frozenset(
    [
        *("Abs", "Add", "Cast", "Clip", "Concat", "Conv", "ConvTranspose", "Div", "Elu", "Erf"),
        *("Exp", "Gemm", "Greater", "HardSigmoid", "LayerNormalization"),
        *("LeakyRelu", "Log", "LogSoftmax", "MatMul", "Max", "Min", "Mul", "PRelu", "Pad", "Relu"),
        *("Reshape", "Resize", "Selu", "Sigmoid", "Sign", "Slice", "Softmax", "Softplus"),
        *("Softsign", "Sub", "Tanh", "Tile", "Transpose", "Unsqueeze", "Where"),
    ]
)
"""Those that ``operators.js`` has."""
_MOST_WEIGHTS = 2_000_000
"""8 MB; a decoder with more would make the page large."""
_MOST_CELLS = 1 << 18
"""Of a decoded sample; more take a browser too long."""
_INPUT = "code"
_KINDS: dict[str, Kind] = {"float32": "f32", "float64": "f64", "bool": "u8"}


def decoder_program(model: CodeModel, cells: int) -> dict[str, Any] | None:
    """Return a decoder as a JSON-able program for one code; None if the page cannot run it.

    Parameters
    ----------
    model : CodeModel
    cells : int
        Number of cells of a decoded sample.
    """
    graph = OperatorGraph()
    try:
        result = model.decoder_nodes(graph, _INPUT)
    except InvalidParameter:  # a layer without a conversion
        return None
    weights = sum(array.size for array in graph.constants.values())
    if weights > _MOST_WEIGHTS or cells > _MOST_CELLS or not _is_supported(graph):
        return None
    return {
        "kind": "program",
        "input": _INPUT,
        "result": result,
        "operators": [
            {
                "kind": each.kind,
                "inputs": each.inputs,
                "output": each.outputs[0],
                "attributes": {
                    name: value
                    for name, value in each.attributes.items()
                    if not isinstance(value, np.dtype)
                },
            }
            for each in graph.operators
        ],
        "constants": {name: _constant(array) for name, array in graph.constants.items()},
    }


def _is_supported(graph: OperatorGraph) -> bool:
    return all(
        each.kind in OPERATORS
        and each.attributes.get("mode", "nearest") == "nearest"
        and len(each.attributes.get("strides", ())) <= 2
        for each in graph.operators
    )


def _constant(array: NDArray[Any]) -> dict[str, Any]:
    shape = list(array.shape)
    kind = _KINDS.get(str(array.dtype))
    if kind is None:  # sizes and places, which are few
        return {"shape": shape, "numbers": array.ravel().tolist()}
    return {"shape": shape, **packed(array, kind)}
