"""Builds an ONNX graph node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidParameter, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

OPSET = 18
"""Version of the operators; the first in which reductions and padding take their axes as inputs."""
IR_VERSION = 9
"""Version of the file format: programs of 2023 and later read it."""


class OnnxGraph:
    """An ONNX graph under construction.

    Methods that add something return its name, which later nodes take as an input.
    """

    def __init__(self) -> None:
        self._onnx = import_onnx()
        self._nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._arrays: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._names: set[str] = set()

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output."""
        (made,) = self.add_many(operator, inputs, 1, **attributes)
        return made

    def add_many(
        self, operator: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs; an empty name is an input that is left out."""
        made = [self._name(operator) for _ in range(outputs)]
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, made, **attributes))
        return made

    def cast(self, value: str, dtype: Any) -> str:
        """Convert a value to a NumPy type."""
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.add("Cast", value, to=kind)

    def columns(self, value: str, start: int, stop: int) -> str:
        """Return the columns from `start` to before `stop` of (n, columns)."""
        bounds = (self.constant([place], np.int64) for place in (start, stop, 1))
        return self.add("Slice", value, *bounds)

    def constant(self, values: Any, dtype: Any = None) -> str:
        """Add an array of numbers or text; equal ones are stored once."""
        array = np.asarray(values, dtype)
        text = array.dtype.kind in "UO"
        array = array.astype(object) if text else np.ascontiguousarray(array)
        content = repr(array.tolist()).encode() if text else array.tobytes()
        key = (str(array.dtype), array.shape, content)
        if key not in self._constants:
            self._constants[key] = self._name("constant")
            self._arrays.append(self._onnx.numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def input(self, name: str, dtype: Any, shape: Sequence[int]) -> str:
        """Add an input of any number of rows, (n, *shape); `dtype` is a NumPy type or str.

        Raises
        ------
        InvalidParameter
            The name is taken.
        """
        self._claim(name)
        self._inputs.append(self._value(name, dtype, shape))
        return name

    def output(self, name: str, value: str, dtype: Any, shape: Sequence[int]) -> None:
        """Make a value an output, (n, *shape); `dtype` is a NumPy type or str.

        Raises
        ------
        InvalidParameter
            The name is taken.
        """
        self._claim(name)
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._value(name, dtype, shape))

    def model(self, name: str, version: str) -> onnx.ModelProto:
        """Return the complete model, checked."""
        helper = self._onnx.helper
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._arrays)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)],
            producer_name="isthmus",
            producer_version=version,
            ir_version=IR_VERSION,
        )
        self._onnx.checker.check_model(model, full_check=True)
        return model

    def _name(self, stem: str) -> str:
        name = f"/{stem}_{len(self._names)}"
        self._claim(name)
        return name

    def _claim(self, name: str) -> None:
        """Reserve a name: those of inputs come from the user's columns."""
        if name in self._names:
            raise InvalidParameter(
                "export",
                expected="columns with other names than outputs have",
                received=f"a column {name!r}",
                remedy="rename the column, and fit again",
            )
        self._names.add(name)

    def _value(self, name: str, dtype: Any, shape: Sequence[int]) -> Any:
        text = dtype is str
        kinds = self._onnx.TensorProto
        kind = kinds.STRING if text else self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self._onnx.helper.make_tensor_value_info(name, kind, ["rows", *shape])


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
