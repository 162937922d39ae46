"""Read the attributes and the layout of an HDF5 file, without reading any of its arrays.

A file may come from anyone. The HDF5 library does not end on some damaged files, so that the
structures that Keras' files consist of are read here, with limits on the number of objects, their
depth, the size of attributes and the bytes read in total. Nothing outside of the file is opened.

Source: the HDF5 File Format Specification, version 3.0.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from isthmus.core.errors import InvalidArchive
from isthmus.verdict.archives import HDF5

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LARGEST_ATTRIBUTE = 32 * 2**20
_MOST_BYTES = 2 * LARGEST_ATTRIBUTE
_MOST_OBJECTS = 20_000
_MOST_MESSAGES = 1_000
_DEEPEST = 32
_LONGEST_NAME = 1_024
_LOCAL_HEADER = 30
_DISTRUST = "do not trust this file: no model needs this"
_DAMAGED = "copy or download the file again, or save the model again with model.save"

# Kinds of messages in the header of an object.
_SPACE, _LINKS, _EXTERNAL, _LINK, _LAYOUT, _ATTRIBUTE, _MORE, _TABLE = (
    *(0x01, 0x02, 0x07, 0x06),
    *(0x08, 0x0C, 0x10, 0x11),
)
_FIXED_TEXT, _VARIABLE, _VIRTUAL, _SOFT = 3, 9, 3, 2
_NOWHERE = 2**64 - 1


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


def _read(window: _Window, name: str, attributes: Sequence[str]) -> Outline:
    try:
        root = _root(window)
        messages = _messages(window, root)
        outline = Outline(_attributes(window, messages, attributes))
        outline.arrays.update(_arrays(window, messages, "", 0, [_MOST_OBJECTS]))
    except InvalidArchive as error:
        raise error.about(name) from error
    except Exception as error:  # a damaged file
        raise _damaged(name, error) from error
    return outline


def _damaged(name: str, error: Exception) -> InvalidArchive:
    return InvalidArchive(
        f"{name} cannot be read as HDF5 ({type(error).__name__}: {str(error)[:200]})",
        remedy=_DAMAGED,
    )


def _hostile(what: str, expected: str, received: str) -> NoReturn:
    raise InvalidArchive(what, expected=expected, received=received, remedy=_DISTRUST)


class _Window:
    """A part of a file, from which a limited number of bytes can be read."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self.size = file, start, size
        self._left = _MOST_BYTES

    def read(self, place: int, count: int) -> bytes:
        """Return `count` bytes."""
        if not 0 <= place <= place + count <= self.size:
            raise ValueError("it refers to a place after its end")
        self._left -= count
        if self._left < 0:
            limit = f"at most {_MOST_BYTES // 2**20} MiB"
            _hostile("the description of the model", limit, "more")
        self._file.seek(self._start + place)
        data = self._file.read(count)
        if len(data) != count:
            raise ValueError("it is shorter than it should be")
        return data

    def numbers(self, form: str, place: int) -> tuple[int, ...]:
        """Return numbers in the form of `struct`."""
        return struct.unpack(f"<{form}", self.read(place, struct.calcsize(f"<{form}")))

    def signed(self, signature: bytes, place: int) -> None:
        """Check that a structure begins with its signature."""
        if self.read(place, len(signature)) != signature:
            raise ValueError(f"{signature.decode('latin1')} is missing")


@dataclass(frozen=True)
class _Message:
    kind: int
    data: bytes

    def numbers(self, form: str, place: int = 0) -> tuple[int, ...]:
        return struct.unpack_from(f"<{form}", self.data, place)


def _root(window: _Window) -> int:
    """Return the place of the root group's header."""
    window.signed(HDF5, 0)
    (version,) = window.numbers("B", 8)
    if version in (0, 1):
        sizes, at = window.numbers("BB", 13), 24 + 4 * version
        base, _, end, _, _, root = window.numbers("QQQQQQ", at)
    elif version in (2, 3):
        sizes = window.numbers("BB", 9)
        base, _, end, root = window.numbers("QQQQ", 12)
    else:
        raise ValueError(f"version {version} is not known")
    if sizes != (8, 8) or base != 0:
        raise ValueError("its addresses are of an unusual kind")
    if end > window.size:
        raise ValueError("it is shorter than it should be")
    return root


def _messages(window: _Window, place: int) -> list[_Message]:
    """Return the messages in the header of an object."""
    if window.read(place, 4) == b"OHDR":
        return _messages_of_version_2(window, place)
    version, _, _, _, size = window.numbers("BBHII", place)
    if version != 1:
        raise ValueError("the header of an object is missing")
    found: list[_Message] = []
    blocks = [(place + 16, size)]
    while blocks:
        start, size = blocks.pop(0)
        block = window.read(start, size)
        at = 0
        while at + 8 <= size:
            kind, length = struct.unpack_from("<HH", block, at)
            _add(found, _Message(kind, block[at + 8 : at + 8 + length]), blocks)
            at += 8 + length
    return found


def _messages_of_version_2(window: _Window, place: int) -> list[_Message]:
    version, flags = window.numbers("BB", place + 4)
    if version != 2:
        raise ValueError("the header of an object is of an unknown version")
    at = place + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
    width = 1 << (flags & 3)
    size = int.from_bytes(window.read(at, width), "little")
    head = 4 + 2 * bool(flags & 4)
    found: list[_Message] = []
    blocks = [(at + width, size)]
    first = True
    while blocks:
        start, size = blocks.pop(0)
        if not first:  # a signature before and a checksum after
            window.signed(b"OCHK", start)
            start, size = start + 4, size - 8
        first, block, at = False, window.read(start, size), 0
        while at + head <= size:
            kind, length = struct.unpack_from("<BH", block, at)
            _add(found, _Message(kind, block[at + head : at + head + length]), blocks)
            at += head + length
    return found


def _add(found: list[_Message], message: _Message, blocks: list[tuple[int, int]]) -> None:
    found.append(message)
    if len(found) > _MOST_MESSAGES:
        _hostile("the header of an object", f"at most {_MOST_MESSAGES:,} messages", "more")
    if message.kind == _MORE:
        blocks.append(message.numbers("QQ"))  # type: ignore[arg-type]


def _attributes(
    window: _Window, messages: Sequence[_Message], wanted: Sequence[str]
) -> dict[str, str]:
    """Return the attributes of these names, which must be single texts."""
    found = {}
    for message in messages:
        if message.kind != _ATTRIBUTE:
            continue
        version, flags, *sizes = message.numbers("BBHHH")
        if version not in (1, 2, 3):
            raise ValueError("an attribute is of an unknown version")
        at, parts = 8 + (version == 3), []
        for size in sizes:
            parts.append(message.data[at : at + size])
            at += -(-size // 8) * 8 if version == 1 else size
        name = parts[0].rstrip(b"\0").decode("utf-8", "replace")
        if name not in wanted:
            continue
        if version != 1 and flags:
            raise ValueError(f"the type of the attribute {name} lies elsewhere")
        data = _text(window, name, _Message(0, parts[1]), parts[2], message.data[at:])
        found[name] = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
    return found


def _text(window: _Window, name: str, kind: _Message, space: bytes, data: bytes) -> bytes:
    first, bits, size = kind.numbers("BBxxI")
    scalar = len(space) >= 4 and space[1] == 0 and not (space[0] == 2 and space[3])
    variable = first & 15 == _VARIABLE and bits & 15 == 1
    if not scalar or not (variable or first & 15 == _FIXED_TEXT):
        raise InvalidArchive(
            f"the attribute {name}", expected="a text", received="something else", remedy=_DAMAGED
        )
    place = index = 0
    if variable:
        size, place, index = struct.unpack_from("<IQI", data)
    if size > LARGEST_ATTRIBUTE:
        limit = f"at most {LARGEST_ATTRIBUTE // 2**20} MiB"
        _hostile(f"the attribute {name}", limit, "more")
    text = _from_heap(window, place, index)[:size] if variable else data[:size]
    if len(text) != size:
        raise ValueError(f"the attribute {name} is shorter than it should be")
    return text


def _from_heap(window: _Window, place: int, index: int) -> bytes:
    """Return an object of a collection of texts."""
    window.signed(b"GCOL", place)
    (size,) = window.numbers("Q", place + 8)
    at, end = place + 16, place + size
    for _ in range(_MOST_OBJECTS):
        if at + 16 > end:
            break
        number, _, length = window.numbers("HHxxxxQ", at)
        if number == 0:  # free space
            break
        if number == index:
            return window.read(at + 16, min(length, LARGEST_ATTRIBUTE + 1))
        at += 16 + -(-length // 8) * 8
    raise ValueError("a text is missing")


def _arrays(
    window: _Window, messages: Sequence[_Message], path: str, depth: int, left: list[int]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """List the arrays of a group and of the groups in it."""
    if depth > _DEEPEST:
        _hostile("the layout of the file", f"groups nested at most {_DEEPEST} deep", "more")
    for name, place in _members(window, messages, left):
        inner = _messages(window, place)
        kinds = {message.kind: message for message in inner}
        full = f"{path}{name}"
        if _TABLE in kinds or _LINKS in kinds:
            yield from _arrays(window, inner, f"{full}/", depth + 1, left)
        elif _LAYOUT in kinds and _SPACE in kinds:
            version, *rest = kinds[_LAYOUT].numbers("BBB")
            if _EXTERNAL in kinds or (version > 2 and rest[0] == _VIRTUAL):
                _elsewhere("an array that lies in other files")
            yield full, _shape(kinds[_SPACE])


def _elsewhere(received: str) -> NoReturn:
    _hostile("the layout of the file", "all arrays in the file itself", received)


def _shape(space: _Message) -> tuple[int, ...]:
    version, rank = space.numbers("BB")
    return space.numbers(f"{rank}Q", 8 if version == 1 else 4)


def _members(
    window: _Window, messages: Sequence[_Message], left: list[int]
) -> Iterator[tuple[str, int]]:
    """List the names in a group with the places of their headers."""
    for message in messages:
        if message.kind == _TABLE:
            tree, heap = message.numbers("QQ")
            window.signed(b"HEAP", heap)
            _, _, names = window.numbers("QQQ", heap + 8)
            yield from _tree(window, tree, names, left, depth=0)
        elif message.kind == _LINK:
            _count(left)
            yield _link(message)
        elif message.kind == _LINKS:
            flags = message.data[1]
            (heap,) = message.numbers("Q", 2 + 8 * (flags & 1))
            if heap != _NOWHERE:
                raise ValueError("a group is stored in a form that Keras does not use")


def _count(left: list[int]) -> None:
    left[0] -= 1
    if left[0] < 0:
        limit = f"at most {_MOST_OBJECTS:,} groups and arrays"
        _hostile("the layout of the file", limit, "more")


def _tree(
    window: _Window, place: int, names: int, left: list[int], *, depth: int
) -> Iterator[tuple[str, int]]:
    """List the members below a node of the tree of a group."""
    _count(left)
    if depth > _DEEPEST:
        raise ValueError("a group is nested too deeply")
    window.signed(b"TREE", place)
    kind, level, used = window.numbers("BBH", place + 4)
    if kind != 0:
        raise ValueError("the list of a group is missing")
    children = window.numbers(f"{2 * used + 1}Q", place + 24)[1::2]
    for child in children:
        if level:
            yield from _tree(window, child, names, left, depth=depth + 1)
            continue
        window.signed(b"SNOD", child)
        (symbols,) = window.numbers("H", child + 6)
        for number in range(symbols):
            _count(left)
            offset, header, kind = window.numbers("QQI", child + 8 + 40 * number)
            if kind == _SOFT:
                _elsewhere("a link to another place")
            yield _name(window, names + offset), header


def _name(window: _Window, place: int) -> str:
    found = b""
    while b"\0" not in found:
        found += window.read(place + len(found), 8)
        if len(found) > _LONGEST_NAME:
            raise ValueError("a name is too long")
    return found.partition(b"\0")[0].decode("utf-8", "replace")


def _link(message: _Message) -> tuple[str, int]:
    flags = message.data[1]
    at = 2
    kind = message.data[at] if flags & 8 else 0
    at += bool(flags & 8) + 8 * bool(flags & 4) + bool(flags & 16)
    width = 1 << (flags & 3)
    length = int.from_bytes(message.data[at : at + width], "little")
    name = message.data[at + width : at + width + length]
    if kind != 0:
        _elsewhere("a link to another place")
    (place,) = message.numbers("Q", at + width + length)
    return name.decode("utf-8", "replace"), place
