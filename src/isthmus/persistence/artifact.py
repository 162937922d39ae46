"""The archive: a safetensors file with arrays, and a manifest in its metadata.

::

    8 bytes     length of the header, little endian
    header      JSON: the dtype, shape and offsets of each array; and "__metadata__":
                  "isthmus"   the manifest, itself JSON
                  "sha256"    of the manifest's bytes
    data        the arrays, one after another, to the last byte of the file

    manifest    {"format": 1, "kind": "autoencoder", "versions": {"isthmus": "0.1.0", ...},
                 "entries": {array name: {"dtype", "shape", "sha256"}}, "content": {...}}

Nothing in a file is ever executed, and every length it states is checked against the size of the
file. For the choice of format see docs/adr/0003-archive.md.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import safetensors
import safetensors.numpy

from isthmus._version import __version__
from isthmus.core import processes
from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.persistence import strict_json

FORMAT = 1
HEADER_LIMIT = 64 * 2**20
_DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "bool"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"),
)
_MAGIC = {
    b"PK\x03\x04": "a zip file, such as Keras's .keras or NumPy's .npz",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, such as Keras's .h5",
    b"\x1f\x8b": "a gzip file",
    b"\x93NUMPY": "a NumPy .npy file",
    b"PAR1": "a Parquet file",
    **{
        bytes([0x80, protocol]): "a Python pickle, which isthmus never opens"
        for protocol in range(2, 6)
    },
}


@functools.cache
def _installed() -> dict[str, str]:
    versions = {"isthmus": __version__, "python": platform.python_version()}
    for name in ("jax", "keras", "numpy"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True)
class Artifact:
    """The content of an archive.

    Parameters
    ----------
    kind : str
        What was saved, such as ``"autoencoder"``.
    manifest : dict
        Settings, schema and history, as JSON values. Tuples are read back as lists; infinities and
        NaN are preserved.
    arrays : dict of str to ndarray
        Floats, integers and booleans of any shape. Arrays read from a file are read-only.
    versions : dict of str to str
        The versions of isthmus, Python and the libraries that wrote it; by default the installed
        ones.
    """

    kind: str
    manifest: dict[str, Any]
    arrays: dict[str, np.ndarray]
    versions: dict[str, str] = field(default_factory=lambda: dict(_installed()))


def write(path: str | os.PathLike[str], artifact: Artifact) -> None:
    """Write an archive atomically; of processes that train together, only the first writes.

    Raises
    ------
    CannotWrite
        The file could not be written; an existing file is unchanged.
    InvalidParameter
        The manifest contains a value that JSON cannot represent, or an array has an unsupported
        type.
    """
    if processes.index() == 0:
        atomic_write(path, to_bytes(artifact))


def to_bytes(artifact: Artifact) -> bytes:
    """Return an archive as the bytes of its file.

    Raises
    ------
    InvalidParameter
        The manifest contains a value that JSON cannot represent, or an array has an unsupported
        type.
    """
    arrays = {name: _storable(name, array) for name, array in artifact.arrays.items()}
    manifest = strict_json.dumps(
        {
            "format": FORMAT,
            "kind": artifact.kind,
            "versions": artifact.versions,
            "entries": {name: _describe(array) for name, array in arrays.items()},
            "content": artifact.manifest,
        },
        "the manifest",
    )
    metadata = {"isthmus": manifest, "sha256": hashlib.sha256(manifest.encode()).hexdigest()}
    blob = _canonical(
        safetensors.numpy.save({n: _as_stored(a) for n, a in arrays.items()}, metadata)
    )
    if int.from_bytes(blob[:8], "little") > HEADER_LIMIT:
        raise InvalidParameter(
            "the model cannot be saved",
            expected=f"a manifest of at most {HEADER_LIMIT // 2**20} MiB",
            received=f"{len(manifest)} bytes of settings, schema and history",
        )
    return blob


def read(path: str | os.PathLike[str], *, kind: str | None = None) -> Artifact:
    """Read an archive and validate it.

    Parameters
    ----------
    path : path
        The file.
    kind : str, optional
        The kind that it must be; None accepts any.

    Raises
    ------
    InvalidArchive
        There is no such file, or it is damaged, foreign, newer or of another kind.
    """
    shown = repr(os.fspath(path))
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise InvalidArchive(
                shown,
                expected="a file saved by isthmus",
                received="a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file",
            )
        with Path(path).open("rb") as file:
            return _parse(file, os.fstat(file.fileno()).st_size, shown, kind)
    except FileNotFoundError:
        raise InvalidArchive(
            shown,
            expected="a file saved by isthmus",
            received="no file of that name",
            remedy="check the path",
        ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidArchive):
            raise
        raise InvalidArchive(f"{shown} cannot be read: {error}") from error


def from_bytes(blob: bytes, *, kind: str | None = None) -> Artifact:
    """Read an archive from the bytes of its file; see `read`."""
    import io

    return _parse(io.BytesIO(blob), len(blob), "the archive", kind)


def _parse(file: BinaryIO, size: int, shown: str, kind: str | None) -> Artifact:
    """Check an open archive: its sizes, header, manifest and arrays, in that order."""
    head = file.read(8)
    if size < 8:
        _damaged(shown, "an empty file" if size == 0 else f"{size} bytes, too few for any model")
    length = int.from_bytes(head, "little")
    if length > min(HEADER_LIMIT, size - 8):
        _not_an_archive(head, length, size, shown)
    header_bytes = file.read(length)
    if not header_bytes.startswith(b"{"):
        _not_an_archive(head, length, size, shown)
    header = _header(header_bytes, shown)
    _check_extent(header, 8 + length, size, shown)
    manifest = _manifest(header.pop("__metadata__", None), shown)
    _check_kind(manifest, kind, shown)
    entries = manifest["entries"]
    if set(header) != set(entries):
        _damaged(shown, "arrays that differ from those its manifest lists")
    try:
        blob = b"".join((head, header_bytes, file.read(size - 8 - length)))
        arrays = safetensors.numpy.load(blob)
    except (safetensors.SafetensorError, ValueError, KeyError, MemoryError, OverflowError) as error:
        _damaged(shown, f"arrays that cannot be read ({type(error).__name__}: {error})")
    checked = {name: _checked(name, arrays[name], entry, shown) for name, entry in entries.items()}
    return Artifact(manifest["kind"], manifest["content"], checked, manifest["versions"])


def _header(text: bytes, shown: str) -> dict[str, Any]:
    header = strict_json.parse(text, f"the header of {shown}")
    if not isinstance(header, dict):
        _damaged(shown, "a header that is not a JSON object")
    return header


def _check_extent(header: dict[str, Any], start: int, size: int, shown: str) -> None:
    """Compare the offsets of the arrays with the size of the file."""
    end = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        places = entry.get("data_offsets") if isinstance(entry, dict) else None
        if not (isinstance(places, list) and len(places) == 2 and all(map(_is_size, places))):
            _damaged(shown, f"no valid place for the array {name[:80]!r}")
        end = max(end, places[1])
    if start + end > size:
        _damaged(shown, f"a truncated file: {size} bytes of {start + end}")
    if start + end < size:
        _damaged(shown, f"{size - start - end} bytes too many at the end")


def _manifest(metadata: Any, shown: str) -> dict[str, Any]:
    """Return the manifest after checking its checksum, version and structure."""
    if not (isinstance(metadata, dict) and isinstance(metadata.get("isthmus"), str)):
        raise InvalidArchive(
            shown,
            expected="a file saved by isthmus",
            received="a safetensors file of another program",
            remedy="pass a file that save() or the command line wrote",
        )
    text: str = metadata["isthmus"]
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    if set(metadata) != {"isthmus", "sha256"} or metadata["sha256"] != digest:
        _damaged(shown, "a manifest that does not match its checksum")
    manifest: dict[str, Any] = strict_json.loads(text, f"the manifest of {shown}")
    _check_format(manifest, shown)
    outline = {"format": int, "kind": str, "versions": dict, "entries": dict, "content": dict}
    if set(manifest) != set(outline) or any(
        not isinstance(manifest[key], type_) for key, type_ in outline.items()
    ):
        _damaged(shown, "a manifest without its required parts")
    if not all(isinstance(version, str) for version in manifest["versions"].values()):
        _damaged(shown, "versions that are not strings")
    return manifest


def _check_format(manifest: Any, shown: str) -> None:
    number = manifest.get("format") if isinstance(manifest, dict) else None
    if not _is_size(number):
        _damaged(shown, "a manifest without a format number")
    if number == FORMAT:
        return
    versions = manifest.get("versions")
    writer = str(versions.get("isthmus", "unknown") if isinstance(versions, dict) else "unknown")
    raise InvalidArchive(
        shown,
        expected=f"archive format {FORMAT}",
        received=f"format {number}, written by isthmus {writer[:40]}",
        remedy="upgrade isthmus: pip install --upgrade isthmus",
    )


def _check_kind(manifest: dict[str, Any], kind: str | None, shown: str) -> None:
    if kind is not None and manifest["kind"] != kind:
        raise InvalidArchive(
            shown, expected=f"a saved {kind}", received=repr(manifest["kind"][:80])
        )


def _checked(name: str, stored: np.ndarray, entry: Any, shown: str) -> np.ndarray:
    """Return an array as a read-only view after comparing it with its manifest entry."""
    array = stored
    if isinstance(entry, dict) and entry.get("dtype") == "bfloat16" and stored.dtype == np.uint16:
        array = stored.view(_bfloat16())
    if array.dtype.name not in _DTYPES or entry != _describe(array):
        _damaged(shown, f"the array {name[:80]!r}, whose bytes do not match its checksum")
    array.flags.writeable = False
    return array


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.name not in _DTYPES:
        raise InvalidParameter(
            f"the array {name!r} cannot be saved",
            expected=f"one of {', '.join(_DTYPES)}",
            received=str(array.dtype),
        )
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _as_stored(array: np.ndarray) -> np.ndarray:
    """Return an array in a type that safetensors accepts from NumPy, which excludes bfloat16."""
    return array.view(np.uint16) if array.dtype.name == "bfloat16" else array


def _canonical(blob: bytes) -> bytes:
    """Sort the header, so that saving twice gives the same bytes."""
    start = 8 + int.from_bytes(blob[:8], "little")
    header = json.dumps(json.loads(blob[8:start]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return b"".join((len(header).to_bytes(8, "little"), header, memoryview(blob)[start:]))


def _bfloat16() -> np.dtype[Any]:
    import ml_dtypes

    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype


def _describe(array: np.ndarray) -> dict[str, Any]:
    """Return the manifest's entry for an array: its type, its shape and a hash of its content."""
    shape = list(array.shape)
    digest = hashlib.sha256(f"{array.dtype.name}{shape}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return {"dtype": array.dtype.name, "shape": shape, "sha256": digest.hexdigest()}


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _damaged(shown: str, received: str) -> NoReturn:
    raise InvalidArchive(
        shown,
        expected="a file saved by isthmus",
        received=received,
        remedy="copy or download the file again, or save the model again",
    )


def _not_an_archive(head: bytes, length: int, size: int, shown: str) -> NoReturn:
    """Identify a file that does not begin with a header's length and a header."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            _foreign(shown, name)
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        _foreign(shown, "a text file")
    if length > HEADER_LIMIT:
        _damaged(shown, f"a header of {length} bytes, beyond the limit of {HEADER_LIMIT}")
    if length > size - 8:
        _damaged(shown, f"a truncated file: {size} bytes, with a header of {length}")
    _foreign(shown, "a file of another kind")


def _foreign(shown: str, received: str) -> NoReturn:
    raise InvalidArchive(
        shown,
        expected="a file saved by isthmus",
        received=received,
        remedy="pass a file that save() or the command line wrote",
    )
