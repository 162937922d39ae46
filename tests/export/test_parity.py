"""A graph whose outputs differ from Python's is found."""

import numpy as np
import pytest

import isthmus as ist
from isthmus.export.graph import OnnxGraph
from isthmus.export.parity import Expected, check_parity

X = np.array([[1.0], [200.0], [np.nan]])


def doubled() -> bytes:
    graph = OnnxGraph()
    x = graph.input("x", np.float64, (1,))
    graph.output("y", graph.add("Mul", x, graph.constant(2.0, np.float64)), np.float64, (1,))
    content: bytes = graph.model("doubled", "0").SerializeToString()
    return content


def test_equal_outputs_pass() -> None:
    check_parity(doubled(), {"x": X}, {"y": Expected(2 * X)})


@pytest.mark.parametrize("change", [3e-5, np.nan])
def test_another_output_is_an_error(change: float) -> None:
    wrong = 2 * X + [[change], [0], [0]]
    with pytest.raises(ist.IsthmusError, match=r"output 'y'.*row 0"):
        check_parity(doubled(), {"x": X}, {"y": Expected(wrong)})


def test_a_missing_value_is_not_a_number() -> None:
    with pytest.raises(ist.IsthmusError, match="row 2"):
        check_parity(doubled(), {"x": X}, {"y": Expected(np.nan_to_num(2 * X))})


def test_the_tolerance_is_relative_to_large_numbers_of_the_row() -> None:
    check_parity(doubled(), {"x": X}, {"y": Expected(2 * X + [[0], [1e-3], [0]])})
