"""Writes Keras models that load without isthmus, after comparing them with Python."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import keras

from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import CannotWrite, InvalidParameter
from isthmus.export.parity import require_same

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from isthmus.export.parity import Expected

_REMEDY = "to='onnx' scales in float64, and precision='float32' rounds less"


class KerasFile(NamedTuple):
    """A model to write, and what it should compute."""

    model: keras.Model
    inputs: Any
    """(n, ...), float32"""
    compared: Callable[[Any], Mapping[str, tuple[Any, Expected]]]
    """Returns parts of the outputs with what they should be, by name."""


def write_keras(
    folder: str | os.PathLike[str],
    files: Mapping[str, KerasFile],
    description: Mapping[str, Any],
) -> None:
    """Write ``NAME.keras`` for each model, and ``model.json``, to a folder.

    Each model is saved, loaded in Keras' safe mode, and run, before anything is written.

    Raises
    ------
    InvalidParameter
        A layer has settings that Keras cannot load without other code.
    IsthmusError
        An output differs from what is expected.
    CannotWrite
        The folder or a file could not be written.
    """
    contents = {f"{name}.keras": _proved(name, file) for name, file in files.items()}
    contents["model.json"] = json.dumps(description, indent=2).encode() + b"\n"
    made_folder(folder)
    for name, content in contents.items():
        atomic_write(Path(folder, name), content)


def made_folder(folder: str | os.PathLike[str]) -> None:
    """Make a folder unless it exists; raises CannotWrite."""
    try:
        Path(folder).mkdir(exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"cannot make the folder {str(folder)!r} ({error.strerror})",
            remedy="choose another folder",
        ) from None


def _proved(name: str, file: KerasFile) -> bytes:
    """Return the bytes of a file that loads and computes what it should."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.keras")
        file.model.save(path)
        content = path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            _check_modules(json.loads(archive.read("config.json")))
        loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    found = loaded.predict_on_batch(file.inputs)
    for part, (here, there) in file.compared(found).items():
        require_same(f"export, {part}", here, there, _REMEDY)
    return content


def _check_modules(config: Any) -> None:
    """Refuse classes of other packages, which Keras finds only where they are registered."""
    if isinstance(config, list):
        for item in config:
            _check_modules(item)
    if not isinstance(config, dict):
        return
    module = config.get("module") or "keras"
    if "class_name" in config and module.split(".")[0] not in ("keras", "builtins"):
        raise InvalidParameter(
            "export to Keras",
            expected="classes of Keras",
            received=f"{config['class_name']} of {module}",
            remedy="use to='onnx', or settings of Keras",
        )
    for item in config.values():
        _check_modules(item)
