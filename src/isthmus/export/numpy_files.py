"""Writes a model as ``model.py`` and ``model.npz``, which need NumPy only."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import InvalidParameter, IsthmusError
from isthmus.export import numpy_model
from isthmus.export.keras_files import made_folder
from isthmus.export.operators import Operator, OperatorGraph
from isthmus.export.parity import require_same

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from isthmus.export.parity import Expected

_INT64 = 7
"""ONNX's number for int64."""
_RUN = """
import sys
sys.modules["isthmus"] = None
sys.path.insert(0, sys.argv[1])
import numpy as np
import model
for name in ("rows", "codes"):
    with np.load(f"{sys.argv[1]}/{name}.npz", allow_pickle=False) as file:
        made = model._run(name, {key: file[key] for key in file.files}, None)
    np.savez(f"{sys.argv[1]}/{name}-made.npz", **made)
"""


class NumpyGraph(OperatorGraph):
    """A graph with the inputs and outputs of a program."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[str] = []

    def input(self, name: str, dtype: Any, shape: Sequence[int]) -> str:
        """Add an input of any number of rows, (n, *shape); `dtype` is a NumPy type or str."""
        self._claim(name)
        kind = "str" if dtype is str else np.dtype(dtype).name
        self.inputs.append({"name": name, "dtype": kind, "shape": list(shape)})
        return name

    def output(self, name: str, value: str, dtype: Any, shape: Sequence[int]) -> None:  # noqa: ARG002
        """Make a value an output."""
        self._claim(name)
        self.operators.append(Operator("Identity", (value,), (name,), {}))
        self.outputs.append(name)


class NumpyProgram(NamedTuple):
    """A graph, and what it should compute."""

    graph: NumpyGraph
    inputs: Mapping[str, Any]
    expected: Mapping[str, Expected]


def write_numpy(
    folder: str | os.PathLike[str],
    programs: Mapping[str, NumpyProgram],
    description: Mapping[str, Any],
) -> None:
    """Write the programs ``rows`` and ``codes`` to a folder, as `numpy_model` reads them.

    Another process, which cannot import isthmus, runs them before anything is written.

    Raises
    ------
    InvalidParameter
        A network has an operator that `numpy_model` does not have.
    IsthmusError
        An output differs from what is expected.
    CannotWrite
        The folder or a file could not be written.
    """
    contents = {
        "model.npz": _stored(programs, description),
        "model.py": Path(numpy_model.__file__).read_bytes(),
    }
    with tempfile.TemporaryDirectory() as place:
        for name, content in contents.items():
            Path(place, name).write_bytes(content)
        _prove(Path(place), programs)
    made_folder(folder)
    for name, content in contents.items():
        atomic_write(Path(folder, name), content)


def _stored(programs: Mapping[str, NumpyProgram], description: Mapping[str, Any]) -> bytes:
    arrays: dict[str, Any] = {}
    content: dict[str, Any] = {"description": dict(description)}
    for name, program in programs.items():
        content[name] = _program(program.graph, arrays)
    arrays["program"] = np.array(json.dumps(content))
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _program(graph: NumpyGraph, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return a program as JSON, and add its constants; equal ones of two programs are one."""
    missing = sorted({each.kind for each in graph.operators} - set(numpy_model.OPERATORS))
    if missing:
        raise InvalidParameter(
            "export to NumPy",
            expected="a dense network",
            received=f"one with {', '.join(missing)}",
            remedy="use to='onnx' or to='keras'",
        )
    names = {}
    for name, array in graph.constants.items():
        plain = array.astype(str) if array.dtype == object else array
        key = f"{plain.dtype}{plain.shape}".encode() + plain.tobytes()
        names[name] = f"constant-{hashlib.sha256(key).hexdigest()[:16]}"
        arrays[names[name]] = plain
    return {
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "operators": [
            [
                each.kind,
                [names.get(name, name) for name in each.inputs],
                each.outputs[0],
                {name: _attribute(value) for name, value in each.attributes.items()},
            ]
            for each in graph.operators
        ],
    }


def _attribute(value: Any) -> Any:
    if isinstance(value, np.dtype):
        return value.name
    return "int64" if value == _INT64 and isinstance(value, int) else value


def _prove(place: Path, programs: Mapping[str, NumpyProgram]) -> None:
    """Run the files in another process, and compare its outputs."""
    for name, program in programs.items():
        given = {key: _plain(cells) for key, cells in program.inputs.items()}
        np.savez(place / f"{name}.npz", **given)
    done = subprocess.run(  # noqa: S603 - this Python, on files made here
        [sys.executable, "-I", "-c", _RUN, str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise IsthmusError(
            "export to NumPy",
            expected="a model that another process can run",
            received=done.stderr.strip().splitlines()[-1][:300],
            remedy="nothing was written; please report the model's settings",
        )
    for name, program in programs.items():
        with np.load(place / f"{name}-made.npz", allow_pickle=False) as made:
            for output, there in program.expected.items():
                require_same(f"export to NumPy, {output!r}", made[output], there)


def _plain(cells: Any) -> Any:
    array = np.asarray(cells)
    return array.astype(str) if array.dtype == object else array
