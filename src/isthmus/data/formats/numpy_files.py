"""Readers of NumPy's .npy and .npz files and of the IDX files of MNIST; they never unpickle."""

from __future__ import annotations

import gzip
import math
import tokenize
import zipfile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


class Arrays(NamedTuple):
    """Samples, their labels, and a part set aside for tests."""

    X: NDArray[Any]
    y: NDArray[Any] | None = None
    X_test: NDArray[Any] | None = None
    y_test: NDArray[Any] | None = None


def read_npy(path: Path) -> Arrays:
    """Read the one array of an .npy file."""
    return Arrays(_samples(path, _load(path.open, path.stat().st_size, str(path))))


def map_npy(path: Path) -> NDArray[Any]:
    """Map an .npy file into memory without reading it."""
    with path.open("rb") as file:
        _check_header(file, path.stat().st_size, str(path))
    return _samples(path, np.load(path, mmap_mode="r", allow_pickle=False))


def read_npz(path: Path, label: str | None = None) -> Arrays:
    """Read the arrays of an .npz file: keras' four, X and y, or a single one.

    Parameters
    ----------
    path : Path
        The file.
    label : str, optional
        The array that holds the labels, where it is not called y.
    """
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UnreadableFile(
            str(path),
            expected="an .npz file, which is a zip archive",
            received=str(error),
            remedy="name the file after what it is, or save it again with numpy.savez",
        ) from None
    with archive:
        sizes = {
            info.filename.removesuffix(".npy"): info.file_size
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }

        def load(name: str) -> NDArray[Any]:
            try:
                return _load(
                    lambda _mode: archive.open(f"{name}.npy"), sizes[name], f"{path}, {name!r}"
                )
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                raise _damaged(f"{path}, {name!r}", str(error)) from None

        found = Arrays(**{part: load(name) for part, name in _roles(path, sizes, label).items()})
    return found._replace(
        X=_samples(path, found.X),
        y=_labels(path, found.X, found.y),
        X_test=None if found.X_test is None else _samples(path, found.X_test),
        y_test=None if found.X_test is None else _labels(path, found.X_test, found.y_test),
    )


def _roles(path: Path, names: dict[str, int], label: str | None) -> dict[str, str]:
    """Say which array of an .npz file plays which part."""
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


def _load(open_: Callable[[str], Any], size: int, what: str) -> NDArray[Any]:
    """Read an array of which `size` bytes are stored, once its header is found to be honest."""
    with open_("rb") as file:
        _check_header(file, size, what)
    with open_("rb") as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _check_header(file: IO[bytes], size: int, what: str) -> None:
    """Refuse objects, records and text, and a header that promises more than is there."""
    try:
        version = np.lib.format.read_magic(file)
        # Version 3 differs from 2 only for records with names beyond ASCII, refused below.
        first = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except (ValueError, SyntaxError, tokenize.TokenError) as error:
        raise _damaged(what, str(error).splitlines()[0]) from None
    if dtype.kind not in "biufSU":
        raise UnreadableFile(
            what,
            expected="numbers",
            received="Python objects, which are never unpickled" if dtype.hasobject else f"{dtype}",
            remedy="save the array again as numbers: array.astype(float)",
        )
    if math.prod(shape) * dtype.itemsize > size - file.tell():
        raise _damaged(what, f"fewer bytes than shape {shape} takes")


def _damaged(what: str, received: str) -> UnreadableFile:
    return UnreadableFile(
        what,
        expected="an array in NumPy's format",
        received=received,
        remedy="check that the file is complete, or save it again with numpy.save",
    )


def read_idx(path: Path) -> Arrays:
    """Read an IDX file and, beside images named as MNIST's are, its labels."""
    images = _idx(path)
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    beside = path.with_name(name)
    labels = _idx(beside) if name != path.name and beside.is_file() else None
    return Arrays(_samples(path, images), _labels(beside, images, labels))


def _idx(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    opener: Any = gzip.open if packed else open
    with opener(path, "rb") as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX_TYPES or not head[3]:
            raise UnreadableFile(
                str(path),
                expected="an IDX file, which begins with 0, 0, a type and a count of dimensions",
                received=f"the bytes {head.hex(' ')}",
                remedy="check that the file is what its name says",
            )
        sizes = file.read(4 * head[3])
        shape = tuple(np.frombuffer(sizes.ljust(4 * head[3], b"\xff"), ">u4").tolist())
        dtype = np.dtype(_IDX_TYPES[head[2]])
        size = math.prod(shape) * dtype.itemsize
        # A packed byte unfolds to at most 1032: a header that promises more is not honest.
        content = file.read(size + 1) if size <= path.stat().st_size * 1032 else b""
    if len(content) != size:
        raise UnreadableFile(
            str(path),
            expected=f"{size} bytes for shape {shape}",
            received="fewer" if len(content) < size else "more",
            remedy="fetch the file again, it is damaged",
        )
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _samples(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim < 2 or not array.size or array.dtype.kind not in "biuf":
        raise UnreadableFile(
            str(path),
            expected="numbers, of 2 dimensions or more, with at least one row",
            received=f"shape {array.shape} of {array.dtype}",
            remedy="make each sample a row: array.reshape(n, -1)",
        )
    return array


def _labels(path: Path, X: NDArray[Any], y: NDArray[Any] | None) -> NDArray[Any] | None:
    """Return one label per sample; a column of labels becomes a row of them."""
    if y is None:
        return None
    if len(np.atleast_1d(y)) != len(X):
        raise UnreadableFile(
            str(path),
            expected=f"{len(X)} labels, one for each sample",
            received=f"shape {y.shape}",
            remedy="save samples and labels of the same rows",
        )
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
