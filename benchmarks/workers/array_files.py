"""Arrays from data files of packages, of the folder --data and of Debian packages."""

import csv
import gzip
import io
import keyword
import sysconfig
import tokenize
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

CELLS = 1 << 17
"""Recordings are cut to this many values."""
PIXELS = 384
"""Photographs are cut to squares of this size."""
Reader = Callable[[Path], np.ndarray]


@dataclass(frozen=True)
class Places:
    """The folders in which files are looked up."""

    packages: Path
    shared: Path
    debian: Path


Load = Callable[[Places], np.ndarray]


class Missing(Exception):
    """A file that an array is read from is not there."""


def packaged(path: str, read: Reader) -> Load:
    needed = f"the Python package {path.split('/')[0]}"
    return lambda places: read(_existing(places.packages / path, needed))


def shared(path: str, read: Reader) -> Load:
    return lambda places: read(_existing(places.shared / path, f"{path} in the folder --data"))


def installed(package: str, path: str, read: Reader) -> Load:
    needed = f"the Debian package {package}"
    return lambda places: read(_existing(places.debian / path, needed))


def _existing(path: Path, needed: str) -> Path:
    if not path.exists():
        raise Missing(f"needs {needed}")
    return path


def column(name: str, dtype: Any) -> Reader:
    """Return a reader of one column of a CSV file."""
    return lambda path: columns([name], dtype)(path)[:, 0]


def columns(names: Sequence[str], dtype: Any, delimiter: str = ",") -> Reader:
    """Return a reader of columns of a CSV file, which may be gzipped."""

    def read(path: Path) -> np.ndarray:
        text = _unzipped(path).decode()
        rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
        return np.array([[float(row[name]) for name in names] for row in rows]).astype(dtype)

    return read


def digits(path: Path) -> np.ndarray:
    """Return scikit-learn's digits, (n, 64); the last column is the label."""
    return np.loadtxt(io.BytesIO(_unzipped(path)), delimiter=",")[:, :-1]


def nifti(path: Path) -> np.ndarray:
    """Return the volume of a NIfTI-1 file, which may be gzipped, slices first."""
    content = _unzipped(path)
    order = "<" if int.from_bytes(content[:4], "little") == 348 else ">"
    sizes = np.frombuffer(content, f"{order}i2", 8, 40)
    code = int(np.frombuffer(content, f"{order}i2", 1, 70)[0])
    dtype = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 512: "u2"}[code]
    shape = tuple(int(size) for size in sizes[1 : sizes[0] + 1][::-1])
    start = int(np.frombuffer(content, f"{order}f4", 1, 108)[0])
    values = np.frombuffer(content, order + dtype, int(np.prod(shape)), start)
    return values.reshape(shape).astype(dtype)


def raw(dtype: str, shape: tuple[int, ...]) -> Reader:
    """Return a reader of the bytes of an array, which may be gzipped."""
    return lambda path: np.frombuffer(_unzipped(path), dtype).reshape(shape)


def picture(top: int = 0, left: int = 0) -> Reader:
    """Return a reader of a square of a photograph."""
    return lambda path: np.asarray(Image.open(path))[top : top + PIXELS, left : left + PIXELS]


def recording(path: Path) -> np.ndarray:
    """Return samples of 8 or 16 bits, (n,) or (n, channels)."""
    if path.suffix == ".wav":
        with wave.open(str(path)) as file:
            dtype = {1: "u1", 2: "<i2"}[file.getsampwidth()]
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype)
            samples = samples.reshape(-1, file.getnchannels())
    else:
        samples = soundfile.read(path, dtype="int16", always_2d=True)[0]
    samples = samples[: CELLS // samples.shape[1]]
    return samples[:, 0] if samples.shape[1] == 1 else samples


def stored(name: str | None = None, dtype: Any = None) -> Reader:
    """Return a reader of an .npy file, or of one array of an .npz file."""

    def read(path: Path) -> np.ndarray:
        found = np.load(path, allow_pickle=False)
        array = found if name is None else found[name]
        return array if dtype is None else array.astype(dtype)

    return read


def keywords(rows: int) -> np.ndarray:
    """Return which keywords the lines of some modules of Python's library contain."""
    found: list[list[bool]] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        with tokenize.open(path) as file:
            lines = [set(line.split()) for line in file]
        found += [[word in words for word in keyword.kwlist] for words in lines]
        if len(found) >= rows:
            break
    return np.array(found[:rows])


def _unzipped(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content
