"""A graph of operators in ONNX's terms, as plain data that needs no library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class Operator(NamedTuple):
    """A node of a graph, with the names of its inputs and outputs."""

    kind: str
    """The name that ONNX gives it."""
    inputs: tuple[str, ...]
    """An empty name is an input that is left out."""
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    """As in ONNX, but types of numbers are those of NumPy, and the body of a loop is a `Body`."""


class Body(NamedTuple):
    """The graph that a loop repeats; its values are names and NumPy types."""

    operators: list[Operator]
    inputs: list[tuple[str, Any]]
    outputs: list[tuple[str, Any]]


class Turn(NamedTuple):
    """What a turn of a loop leads to."""

    states: Sequence[str]
    """The states for the next turn."""
    collected: Sequence[tuple[str, Any]] = ()
    """Values, of the same shape in each turn, and their NumPy types; the loop stacks them."""
    goes_on: str = ""
    """Whether there is another turn; empty for always."""


class OperatorGraph:
    """A graph under construction.

    Methods that add something return its name, which later nodes take as an input.

    Attributes
    ----------
    operators : list of Operator
        In an order in which they can be run.
    constants : dict of str to ndarray
        Arrays of numbers or text by their names.
    """

    def __init__(self) -> None:
        self.operators: list[Operator] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
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
        self.operators.append(Operator(operator, tuple(inputs), tuple(made), attributes))
        return made

    def cast(self, value: str, dtype: Any) -> str:
        """Convert a value to a NumPy type."""
        return self.add("Cast", value, to=np.dtype(dtype))

    def loop(
        self,
        count: str,
        states: Sequence[tuple[str, Any]],
        turn: Callable[[OperatorGraph, str, list[str]], Turn],
    ) -> list[str]:
        """Repeat a graph at most `count` times, which is an int64 number.

        Parameters
        ----------
        count : str
            How often.
        states : sequence of (str, NumPy type)
            What the first turn begins with.
        turn : callable
            Adds the nodes of a turn to a graph, given its number from 0 on, and the states.

        Returns
        -------
        list of str
            The states after the last turn, and what all turns collected, (turns, ...).
        """
        inner = self._inside()
        number, before = inner._name("turn"), inner._name("going")
        given = [inner._name("state") for _ in states]
        made = turn(inner, number, given)
        going = made.goes_on or before
        values = [(going, bool)]
        values += [(made.states[i], kind) for i, (_, kind) in enumerate(states)]
        values += made.collected
        # A value may be one of the graph around it, or occur twice.
        outputs = [(inner.add("Identity", value), kind) for value, kind in values]
        kinds = [kind for _, kind in states]
        inputs = [(number, np.int64), (before, bool), *zip(given, kinds, strict=True)]
        body = Body(inner.operators, inputs, outputs)
        begins = [count, "", *(value for value, _ in states)]
        return self.add_many("Loop", begins, len(values) - 1, body=body)

    def _inside(self) -> OperatorGraph:
        """Return a graph that shares names and constants with this one, and sees its values."""
        inner = OperatorGraph()
        inner.constants, inner._known, inner._names = self.constants, self._known, self._names
        return inner

    def reshaped(self, value: str, shape: Sequence[int]) -> str:
        """Return the value in another shape of samples, (n, *shape)."""
        return self.add("Reshape", value, self.constant([-1, *shape], np.int64))

    def numbers(self, count: str) -> str:
        """Return the whole numbers from 0 to before `count`, (1,)."""
        ends = (self.constant(0, np.int64), self.add("Squeeze", count), self.constant(1, np.int64))
        return self.add("Range", *ends)

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
        if key not in self._known:
            self._known[key] = self._name("constant")
            self.constants[self._known[key]] = array
        return self._known[key]

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
