"""NumPy's .npz files: named arrays, such as Keras's x_train and x_test. Nothing is unpickled."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter, UnreadableFile
from isthmus.data.formats.arrays import Arrays, damaged, labels, load, samples
from isthmus.data.formats.conversion import as_array

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def read(path: Path, label: str | None = None) -> Arrays:
    """Read an .npz file: x_train, y_train, x_test and y_test as in Keras; X and y; or one array.

    Parameters
    ----------
    path : Path
        The file.
    label : str, optional
        The array of labels, if it is not named y.
    """
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UnreadableFile(
            str(path),
            expected="an .npz file, which is a zip archive",
            received=str(error),
            remedy="give the file the ending of its format, or save it again with numpy.savez",
        ) from None
    with archive:
        sizes = {
            info.filename.removesuffix(".npy"): info.file_size
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }

        def stored(name: str) -> NDArray[Any]:
            try:
                return load(
                    lambda _mode: archive.open(f"{name}.npy"), sizes[name], f"{path}, {name!r}"
                )
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                raise damaged(f"{path}, {name!r}", str(error)) from None

        roles = _roles(path, sizes, label)
        found = {part: stored(name) for part, name in roles.items()}
    arrays = Arrays(found["X"], found.get("y"), found.get("X_test"), found.get("y_test"))
    return arrays._replace(
        X=samples(path, arrays.X),
        y=labels(path, arrays.X, arrays.y),
        X_test=None if arrays.X_test is None else samples(path, arrays.X_test),
        y_test=None if arrays.X_test is None else labels(path, arrays.X_test, arrays.y_test),
    )


def _roles(path: Path, names: dict[str, int], label: str | None) -> dict[str, str]:
    """Return, for each field of `Arrays` that the file has, the name of its array."""
    lower = {name.lower(): name for name in reversed(names)}
    choices = (("X", ("x_train", "x")), ("y", ("y_train", "y")))
    roles = {part: lower[n] for part, any_of in choices for n in any_of[::-1] if n in lower}
    roles |= {p: lower[n] for p, n in (("X_test", "x_test"), ("y_test", "y_test")) if n in lower}
    if label is not None:
        if label not in names:
            raise InvalidParameter(
                "label",
                expected=f"one of the arrays of {path.name}: {', '.join(names) or 'none'}",
                received=repr(label),
                remedy=nearest(label, list(names)) or "name the array that holds the labels",
            )
        roles["y"] = label
    others = [name for name in names if name not in roles.values()]
    if "X" not in roles and len(others) == 1:
        roles["X"] = others[0]
    if "X" not in roles:
        raise UnreadableFile(
            str(path),
            expected="one array, or X and y, or x_train, y_train, x_test and y_test",
            received=", ".join(names) or "no array",
            remedy="save the samples again under the name X",
        )
    return roles


def write(file: BinaryIO, data: Any) -> None:
    """Write data as the array X."""
    np.savez_compressed(file, X=as_array(data))
