"""Read a file of Keras without running any code in it.

A ``.keras`` file is a zip of ``config.json``, ``metadata.json`` and ``model.weights.h5``. An
``.h5`` file of Keras 2 or 3 has the same description in its attributes. The description is read as
JSON of bounded size. No class that it names is imported, and no function that it contains is
decoded. The weights are not read: the parameter counts follow from the layers' settings. Only if
the model is of a custom class, the names and shapes of its weights are listed.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import keras

from isthmus.core.errors import InvalidArchive, IsthmusError
from isthmus.persistence import strict_json
from isthmus.verdict.archives import HDF5
from isthmus.verdict.config_graph import MODELS, ConfigReader, is_own, shown
from isthmus.verdict.hdf5_files import Outline, read_outline, read_stored_outline
from isthmus.verdict.parameter_counts import count
from isthmus.verdict.parameter_table import ParameterRow, ParameterTable
from isthmus.verdict.shapes import known_layer
from isthmus.verdict.subject import Subject
from isthmus.verdict.weight_layout import Parts, parts_of, sample_shape

_LARGEST_CONFIG = 32 * 2**20
_MOST_ENTRIES = 1_000
_WEIGHTS = "model.weights.h5"
_REMEDY = "copy or download the file again, or save the model again with model.save"
_PLAIN = frozenset({"DTypePolicy", "QuantizedDTypePolicy", "Variable"})
_PARTS = frozenset(
    """initializers regularizers constraints optimizers losses metrics activations functional
    sequential training""".split()  # noqa: SIM905
)
_KERAS_2_PARTS = frozenset(
    name
    for module in (
        *(keras.initializers, keras.regularizers, keras.constraints, keras.losses),
        *(keras.optimizers, keras.metrics),
    )
    for name in dir(module)
) | {"Policy"}
"""Parts of models that files in HDF5 store by their name alone."""
_PSEUDO = frozenset(
    {"__keras_tensor__", "__tensor__", "__tuple__", "__slice__", "__ellipsis__", "__numpy__"}
)


def read_keras_file(path: str | os.PathLike[str]) -> Subject:
    """Return what a ``.keras`` or ``.h5`` file says about its model.

    Raises
    ------
    InvalidArchive
        The file is missing, damaged, too large, hostile or not a file of Keras.
    """
    name = repr(os.fspath(path))
    outline = None
    if _is_hdf5(path, name):
        outline = read_outline(Path(path), ("model_config", "training_config"))
        config = _hdf5_config(outline, name)
    else:
        config = _config(Path(path), name)
    try:
        subject = _subject(config)
        if subject.graph is None:
            outline = outline or read_stored_outline(Path(path), _WEIGHTS)
            subject.parts = _parts(config, outline)
            subject.author_class = shown(config.get("class_name"))
            named = {part for path_ in outline.arrays for part in path_.split("/")[:2]}
            subject.has_parts = {"encoder", "decoder"} <= named
    except IsthmusError as error:
        raise error.about(name) from error
    except Exception as error:
        # A file may contain anything, so every failure to read it is an invalid file.
        raise InvalidArchive(
            f"{name} does not describe a model ({type(error).__name__}: {str(error)[:200]})",
            remedy=_REMEDY,
        ) from error
    return subject


def _parts(config: dict[str, Any], outline: Outline) -> Parts | None:
    """Return what the layout of the weights says about a model of a custom class."""
    # Keras puts the weights of an `.h5` file under the names of layers, else of attributes.
    old = [path for path in outline.arrays if path.startswith("model_weights/")]
    if old:
        arrays = {path.partition("/")[2]: outline.arrays[path] for path in old}
    else:
        arrays = {
            path: shape
            for path, shape in outline.arrays.items()
            if not path.startswith("optimizer/")
        }
    built = config.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    return parts_of(arrays, sample_shape(shape))


def _is_hdf5(path: str | os.PathLike[str], name: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(len(HDF5)) == HDF5
    except FileNotFoundError:
        raise InvalidArchive(
            name, expected="a model file", received="no file of that name", remedy="check the path"
        ) from None
    except OSError as error:
        raise InvalidArchive(
            f"{name} cannot be read ({type(error).__name__}: {error.strerror})",
            remedy="pass the path of a file that you may read",
        ) from error


def _hdf5_config(outline: Outline, name: str) -> Any:
    """Return the description in an ``.h5`` file, in the form of a ``config.json``."""
    found = outline.attributes
    if "model_config" not in found:
        raise InvalidArchive(
            name,
            expected="a model saved by Keras, with the attribute model_config",
            received="an HDF5 file without it, such as a file of weights alone",
            remedy="save the whole model with model.save('model.keras')",
        )
    told = {
        key: strict_json.parse(
            text.encode(errors="surrogateescape"), f"the attribute {key} of {name}"
        )
        for key, text in found.items()
    }
    config, training = told["model_config"], told.get("training_config")
    if isinstance(config, dict) and isinstance(training, dict):
        return {**config, "compile_config": training}
    return config


def _config(path: Path, name: str) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.namelist()
            if len(entries) > _MOST_ENTRIES or entries.count("config.json") != 1:
                _no_keras_file(name, entries)
            with archive.open("config.json") as file:
                text = file.read(_LARGEST_CONFIG + 1)
    except InvalidArchive:
        raise
    except Exception as error:  # zipfile does not wrap the errors of its decompressors
        raise InvalidArchive(
            f"{name} cannot be read ({type(error).__name__}: {str(error)[:200]})", remedy=_REMEDY
        ) from error
    if len(text) > _LARGEST_CONFIG:
        raise InvalidArchive(
            f"config.json in {name}",
            expected=f"at most {_LARGEST_CONFIG // 2**20} MiB",
            received="more",
            remedy="do not trust this file: no model needs a configuration of this size",
        )
    return strict_json.parse(text, f"config.json in {name}")


def _no_keras_file(name: str, entries: list[str]) -> NoReturn:
    raise InvalidArchive(
        name,
        expected="a .keras file, with one config.json in it",
        received=f"a zip file of {len(entries)} entries",
        remedy=_REMEDY,
    )


def _subject(config: Any) -> Subject:
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise InvalidArchive(
            "config.json", expected="the description of a model", received="something else"
        )
    settings = config["config"]
    subject = Subject(shown(settings.get("name") or config.get("class_name")))
    subject.notes += _inert(config)
    compiled = config.get("compile_config")
    if isinstance(compiled, dict) and "loss" in compiled:
        subject.compiled, subject.loss = True, compiled["loss"]
    reader = _read(config, subject)
    if reader is None:
        return subject
    subject.graph = reader.graph
    subject.notes += reader.notes
    subject.parameters, uncounted = _table(reader)
    if uncounted:
        subject.notes.append(
            f"The parameters of {', '.join(uncounted[:5])}{' and others' * (len(uncounted) > 5)} "
            "cannot be counted without running their code; the total leaves them out."
        )
    return subject


def _read(config: dict[str, Any], subject: Subject) -> ConfigReader | None:
    """Read the graph of the model; None if the file does not contain it."""
    reader, settings = ConfigReader(subject.name), config["config"]
    if is_own(config) and config.get("class_name") in MODELS:
        reader.read(config)
        return reader
    whose = f"The model is of the custom class {shown(config.get('class_name'))}, whose code is "
    wired = all(isinstance(settings.get(f"{end}_layers"), list) for end in ("input", "output"))
    if wired and _are_objects(settings.get("layers")):
        reader.read({**config, "class_name": "Functional"})
        subject.notes.append(
            f"{whose}not in the file. It was assumed to compute what its layers compute."
        )
        return reader
    parts = [settings.get(name) for name in ("encoder", "decoder")]
    if _are_objects(parts) and reader.read_pair(*parts):
        subject.notes.append(
            f"{whose}not in the file. Its decoder was assumed to decode what its encoder encodes."
        )
        return reader
    subject.notes.append(f"{whose}not in the file.")
    return None


def _are_objects(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, dict) and isinstance(value.get("config"), dict) for value in values
    )


def _table(reader: ConfigReader) -> tuple[ParameterTable, list[str]]:
    rows, uncounted, frozen = [], [], 0
    shapes = reader.graph.shapes
    seen = set()
    for node in reader.graph.nodes:
        if node.layer in seen or node.layer in reader.operations:
            continue
        seen.add(node.layer)
        part, _, name = node.layer.rpartition("/")
        inputs = [shapes[tensor] for tensor in node.inputs]
        counted = None if node.custom else count(node.kind, node.settings, inputs)
        if counted is None and node.kind != "Lambda":
            uncounted.append(node.layer)
        weights, biases, other, never = counted or (0, 0, 0, 0)
        learned = node.settings.get("trainable", True) is not False
        frozen += never if learned else weights + biases + other
        rows.append(
            ParameterRow(part, name, node.kind, shapes[node.outputs[0]], weights, biases, other)
        )
    total = sum(row.total for row in rows)
    return ParameterTable(tuple(rows), total - frozen, frozen), uncounted


def _inert(config: Any) -> list[str]:
    """Report everything in a configuration that Keras would import or run."""
    notes: list[str] = []
    stack = [(config, "the model")]
    while stack:
        value, place = stack.pop()
        if isinstance(value, list):
            stack.extend((item, place) for item in reversed(value))
        elif isinstance(value, dict):
            own = value.get("config")
            if isinstance(own, dict) and isinstance(own.get("name"), str):
                place = f"layer {shown(own['name'])}"
            if "class_name" in value:
                notes += _foreign(value, place)
            if value.get("function_type") == "lambda":  # as Keras 2 stores it
                notes.append(_contains_code(place))
            stack.extend((item, place) for item in reversed(list(value.values())))
    return list(dict.fromkeys(notes))[:20]


def _is_part(module: Any, kind: str) -> bool:
    """Whether a Keras module defines parts of models, as opposed to functions that act."""
    if module in (None, "keras.layers", "keras"):
        return known_layer(kind) or kind in MODELS or kind in _PLAIN
    last = str(module).rpartition(".")[2]
    return last in _PARTS or ".ops." in module or module.startswith("isthmus.")


def _contains_code(place: str) -> str:
    return (
        f"The file contains Python code, in {place}, which was neither decoded nor run. What it "
        "computes is not known."
    )


def _foreign(value: dict[str, Any], place: str) -> list[str]:
    kind, module = value.get("class_name"), value.get("module")
    if kind in _PSEUDO:
        return []
    if kind == "__lambda__":
        return [_contains_code(place)]
    if kind == "function" and module in ("builtins", None):
        # Keras looks up such a name among its own functions and the registered ones.
        named = value.get("registered_name")
        if named in (None, value.get("config")):
            return []
    elif is_own(value) and _is_part(module, str(kind)):
        return []
    if module is None and kind in _KERAS_2_PARTS and value.get("registered_name") is None:
        return []
    what = value.get("config") if kind == "function" else kind
    of = "" if module in ("builtins", None) else f" of {shown(module)}"
    return [
        f"{shown(what)}{of}, in {place}, is not part of Keras; it was neither imported nor run."
    ]
