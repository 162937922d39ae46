"""Builds an ONNX graph node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import MissingExtra
from isthmus.export.operators import Body, Operator, OperatorGraph

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

OPSET = 18
"""Version of the operators; the first in which reductions and padding take their axes as inputs."""
IR_VERSION = 9
"""Version of the file format: programs of 2023 and later read it."""


class OnnxGraph(OperatorGraph):
    """An ONNX graph under construction, with its inputs and outputs."""

    def __init__(self) -> None:
        super().__init__()
        self._onnx = import_onnx()
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, dtype: Any, shape: Sequence[int], *, rows: bool = True) -> str:
        """Add an input of any number of rows, (n, *shape); `dtype` is a NumPy type or str.

        Without `rows`, its shape is the one given.

        Raises
        ------
        InvalidParameter
            The name is taken.
        """
        self._claim(name)
        self._inputs.append(self._value(name, dtype, ("rows", *shape) if rows else shape))
        return name

    def output(self, name: str, value: str, dtype: Any, shape: Sequence[int]) -> None:
        """Make a value an output, (n, *shape); `dtype` is a NumPy type or str.

        Raises
        ------
        InvalidParameter
            The name is taken.
        """
        self._claim(name)
        self.operators.append(Operator("Identity", (value,), (name,), {}))
        self._outputs.append(self._value(name, dtype, ("rows", *shape)))

    def model(self, name: str, version: str) -> onnx.ModelProto:
        """Return the complete model, checked."""
        helper = self._onnx.helper
        arrays = [
            self._onnx.numpy_helper.from_array(array, constant)
            for constant, array in self.constants.items()
        ]
        nodes = [self._node(operator) for operator in self.operators]
        graph = helper.make_graph(nodes, name, self._inputs, self._outputs, arrays)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)],
            producer_name="isthmus",
            producer_version=version,
            ir_version=IR_VERSION,
        )
        self._onnx.checker.check_model(model, full_check=True)
        return model

    def _node(self, operator: Operator) -> Any:
        attributes = {name: self._attribute(value) for name, value in operator.attributes.items()}
        return self._onnx.helper.make_node(
            operator.kind, operator.inputs, operator.outputs, **attributes
        )

    def _attribute(self, value: Any) -> Any:
        if isinstance(value, Body):
            nodes = [self._node(each) for each in value.operators]
            # The number of the turn, and whether it goes on, are single numbers.
            inputs = [*self._of_body(value.inputs[:2], ()), *self._of_body(value.inputs[2:])]
            outputs = [*self._of_body(value.outputs[:1], ()), *self._of_body(value.outputs[1:])]
            return self._onnx.helper.make_graph(nodes, "turn", inputs, outputs)
        if isinstance(value, np.dtype):
            return self._onnx.helper.np_dtype_to_tensor_dtype(value)
        return value

    def _of_body(
        self, values: Sequence[tuple[str, Any]], shape: Sequence[int] | None = None
    ) -> list[Any]:
        return [self._value(name, kind, shape) for name, kind in values]

    def _value(self, name: str, dtype: Any, shape: Sequence[int | str] | None) -> Any:
        text = dtype is str
        kinds = self._onnx.TensorProto
        kind = kinds.STRING if text else self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self._onnx.helper.make_tensor_value_info(name, kind, shape)


def import_onnx() -> Any:
    """Import the onnx package; raises MissingExtra."""
    try:
        import onnx
        import onnx.checker
        import onnx.numpy_helper
    except ImportError as error:
        raise missing_extra(error) from None
    return onnx


def missing_extra(error: ImportError) -> MissingExtra:
    """Return the error for a package of the extra that is not installed."""
    return MissingExtra(
        "export to ONNX",
        expected="the packages onnx and onnxruntime",
        received=str(error),
        remedy="pip install 'isthmus[onnx]'",
    )


def weights(layer: Any, *names: str) -> list[NDArray[np.float32] | None]:
    """Return variables of a Keras layer as arrays, None for one that it does not have."""
    found = (getattr(layer, name, None) for name in names)
    return [None if variable is None else np.asarray(variable) for variable in found]
