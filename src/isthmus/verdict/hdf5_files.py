"""Read the attributes and the layout of an HDF5 file, without reading any of its arrays.

A file may come from anyone. Links are listed and never followed out of the file. The number of
objects, the depth of groups, the size of attributes and the bytes read in total are limited.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import h5py

from isthmus.core.errors import InvalidArchive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LARGEST_ATTRIBUTE = 32 * 2**20
_MOST_BYTES = 2 * LARGEST_ATTRIBUTE
_MOST_OBJECTS = 20_000
_DEEPEST = 32
_LOCAL_HEADER = 30
_DISTRUST = "do not trust this file: no model needs this"
_DAMAGED = "copy or download the file again, or save the model again with model.save"


@dataclass
class Outline:
    """What an HDF5 file contains, apart from the numbers."""

    attributes: dict[str, str] = field(default_factory=dict)
    """The attributes of the file that were asked for and are there."""
    arrays: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The shapes of the arrays by path: ``"encoder/layers/dense/vars/0"``."""


def read_outline(path: Path, attributes: Sequence[str]) -> Outline:
    """Return some attributes of a file, and its layout.

    Raises
    ------
    InvalidArchive
        The file is damaged or hostile, or its arrays lie elsewhere.
    """
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        return _read(_Window(file, 0, size), repr(str(path)), attributes)


def read_stored_outline(path: Path, member: str) -> Outline:
    """Return the layout of an HDF5 file in a zip file; it is empty if there is no such member.

    Keras does not compress the member, so that it can be read in place.

    Raises
    ------
    InvalidArchive
        The member is compressed, damaged or hostile.
    """
    name = f"{member} in {str(path)!r}"
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                found = [info for info in archive.infolist() if info.filename == member]
        except Exception as error:  # zipfile does not wrap all errors
            raise _damaged(name, error) from error
        if len(found) != 1:
            return Outline()
        if found[0].compress_type != zipfile.ZIP_STORED:
            raise InvalidArchive(
                name, expected="an uncompressed file, as Keras writes it", received="another"
            )
        file.seek(found[0].header_offset)
        header = file.read(_LOCAL_HEADER)
        lengths = (int.from_bytes(header[start : start + 2], "little") for start in (26, 28))
        start = found[0].header_offset + _LOCAL_HEADER + sum(lengths)
        return _read(_Window(file, start, found[0].file_size), name, ())


class _Window(io.RawIOBase):
    """A part of a file, from which a limited number of bytes can be read."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size = file, start, size
        self._place, self._left = 0, _MOST_BYTES

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(self._size - self._place, 0))
        self._left -= wanted
        if self._left < 0:
            raise InvalidArchive(
                "the description of the model",
                expected=f"at most {_MOST_BYTES // 2**20} MiB",
                received="more",
                remedy=_DISTRUST,
            )
        self._file.seek(self._start + self._place)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_CUR: self._place, io.SEEK_END: self._size}.get(whence, 0)
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _read(window: _Window, name: str, attributes: Sequence[str]) -> Outline:
    try:
        with h5py.File(window, "r") as file:
            outline = Outline()
            for attribute in attributes:
                text = _attribute(file, attribute)
                if text is not None:
                    outline.attributes[attribute] = text
            outline.arrays.update(_arrays(file.id, "", 0, [_MOST_OBJECTS]))
            return outline
    except InvalidArchive as error:
        raise error.about(name) from error
    except Exception as error:  # h5py gives errors of several kinds for a damaged file
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> InvalidArchive:
    return InvalidArchive(
        f"{name} cannot be read as HDF5 ({type(error).__name__}: {str(error)[:200]})",
        remedy=_DAMAGED,
    )


def _attribute(file: Any, name: str) -> str | None:
    """Return an attribute of the whole file that is a single text."""
    if not h5py.h5a.exists(file.id, name.encode()):
        return None
    stored = h5py.h5a.open(file.id, name.encode())
    kind = stored.get_type()
    single = stored.get_space().get_simple_extent_type() == h5py.h5s.SCALAR
    if not single or kind.get_class() != h5py.h5t.STRING:
        raise InvalidArchive(
            f"the attribute {name}", expected="a text", received="something else", remedy=_DAMAGED
        )
    value = "" if kind.get_size() > LARGEST_ATTRIBUTE else file.attrs[name]
    text = (
        bytes(value).decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    )
    if max(len(text), kind.get_size()) > LARGEST_ATTRIBUTE:
        raise InvalidArchive(
            f"the attribute {name}",
            expected=f"at most {LARGEST_ATTRIBUTE // 2**20} MiB",
            received="more",
            remedy=_DISTRUST,
        )
    return text


def _arrays(
    group: Any, path: str, depth: int, left: list[int]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """List the arrays of a group and of the groups in it."""
    if depth > _DEEPEST:
        raise _hostile(f"groups nested at most {_DEEPEST} deep", "more")
    for name in group:
        left[0] -= 1
        if left[0] < 0:
            raise _hostile(f"at most {_MOST_OBJECTS:,} groups and arrays", "more")
        if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise _hostile("all arrays in the file itself", "a link to another place")
        inner = h5py.h5o.open(group, name)
        full = f"{path}{name.decode('utf-8', 'replace')}"
        if isinstance(inner, h5py.h5g.GroupID):
            yield from _arrays(inner, f"{full}/", depth + 1, left)
        elif isinstance(inner, h5py.h5d.DatasetID):
            settings = inner.get_create_plist()
            virtual = settings.get_layout() == h5py.h5d.VIRTUAL
            if virtual or settings.get_external_count():
                raise _hostile("all arrays in the file itself", "an array that lies in other files")
            yield full, inner.shape or ()


def _hostile(expected: str, received: str) -> InvalidArchive:
    return InvalidArchive(
        "the layout of the file", expected=expected, received=received, remedy=_DISTRUST
    )
