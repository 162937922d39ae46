"""The container format: a manifest, chunks that can be read one by one, and their index.

::

    magic       b"ISZ", and the format number in one byte
    manifest    its size, its compressor, the length of its packed bytes, these bytes, the CRC-32
                of all of it. Unpacked, it is JSON: the types of the rows, and the error bound
    model       only if the manifest says so: length and bytes of
                `isthmus.compression.embedded_model.pack`
    chunk       1, rows, length, CRC-32 of number, rows, length and payload, payload
    ...
    end         0. With two or more chunks also: their number, rows and length of each, the CRC-32
                from the 0 on, the length from the 0 on in 4 bytes, b"isz."

Numbers are encoded as `varint` unless a size is given. The reader finds the chunks by the end of
the file. If that is missing or damaged, it goes from chunk to chunk. Lengths are compared with the
size of the file before they are used.

This is format 1. Small arrays without a model are written in format 2; see ``small_files``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from isthmus.compression import small_files
from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.byte_cursor import Cursor, length_prefixed, varint, varints
from isthmus.core.errors import InvalidArchive
from isthmus.persistence import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"ISZ"
_NEWEST = small_files.FORMAT
_FORMAT = 1
_TAIL = b"isz."
_MANIFEST_LIMIT = 16 * 2**20
_NUMBERS = 1 + 2 * 10
"""The largest size of the numbers before a payload or the manifest."""


class ContainerWriter:
    """Writes a container.

    Parameters
    ----------
    file : binary file
        Open for writing.
    manifest : dict
        The types of the rows, as JSON values.
    model : bytes, optional
        The model to embed.
    """

    def __init__(
        self, file: BinaryIO, manifest: dict[str, Any], model: bytes | None = None
    ) -> None:
        self._file, self._manifest, self._model = file, manifest, model
        self._chunks: list[tuple[int, int]] = []
        self._first: tuple[int, bytes] | None = None
        self._begun = False
        if model is not None:
            self._begin()

    def add(self, rows: int, payload: bytes) -> None:
        """Write a chunk."""
        if not self._begun and self._first is None and len(payload) <= small_files.LARGEST:
            self._first = rows, payload  # it may be the only one
            return
        if not self._begun:
            self._begin()
        self._chunk(rows, payload)

    def close(self) -> None:
        """Write the end; the file itself stays open."""
        if not self._begun:
            whole = small_files.to_bytes(MAGIC, self._manifest, *(self._first or (0, b"")))
            if whole is not None:
                self._put(whole)
                return
            self._begin()
        if len(self._chunks) < 2:
            self._put(b"\0")
            return
        body = b"\0" + varint(len(self._chunks))
        body += b"".join(varints(each) for each in self._chunks)
        body += _checksum(body)
        self._put(body + len(body).to_bytes(4, "little") + _TAIL)

    def _begin(self) -> None:
        """Write what precedes the chunks, and the chunk that was held back."""
        text = strict_json.dumps(self._manifest, "the manifest").encode()
        number, packed = general_compressors.smallest(text)
        body = varint(len(text)) + bytes([number]) + length_prefixed(packed)
        self._put(MAGIC + bytes([_FORMAT]) + body + _checksum(body))
        if self._model is not None:
            self._put(length_prefixed(self._model))
        self._begun = True
        if self._first is not None:
            self._chunk(*self._first)

    def _chunk(self, rows: int, payload: bytes) -> None:
        numbers = varint(rows) + varint(len(payload))
        check = _checksum(varint(len(self._chunks)) + numbers, payload)
        self._put(b"\1" + numbers + check + payload)
        self._chunks.append((rows, len(payload)))

    def _put(self, content: bytes) -> None:
        self._file.write(content)


@dataclass(frozen=True)
class ContainerChunk:
    """A chunk's place in a file.

    Parameters
    ----------
    number, first, rows : int
        The number of the chunk, the number of its first row (both counted from 0), and how many
        rows it has.
    start, length : int
        The position and the size of its payload, in bytes.
    """

    number: int
    first: int
    rows: int
    start: int
    length: int

    def __str__(self) -> str:
        if not self.rows:
            return f"chunk {self.number}"
        last = self.first + self.rows - 1
        return f"chunk {self.number} (rows {self.first:,} to {last:,}, counted from 0)"


class ContainerReader:
    """Reads a container from an untrusted file.

    Parameters
    ----------
    file : binary file
        Open for reading, and seekable.
    shown : str
        The file's name in errors.

    Attributes
    ----------
    manifest : dict
        The types of the rows.
    model : bytes or None
        The embedded model, not yet checked against the manifest's hash.
    chunks : list of ContainerChunk
        In order.
    truncation : str
        How the file is incomplete; "" if it is complete.

    Raises
    ------
    InvalidArchive
        The file is not a container, has a newer format, or is damaged before its first chunk.
    """

    def __init__(self, file: BinaryIO, shown: str) -> None:
        self._file, self._shown = file, shown
        self.size = file.seek(0, 2)
        file.seek(0)
        magic = file.read(4)
        if magic[:3] != MAGIC or len(magic) < 4:
            self._refuse("another kind of file")
        if magic[3] > _NEWEST:
            raise InvalidArchive(
                shown,
                expected=f"a file in format {_NEWEST} or older",
                received=f"one in format {magic[3]}",
                remedy="upgrade isthmus",
            )
        self.model: bytes | None = None
        self.truncation = ""
        self._is_small = magic[3] == small_files.FORMAT
        if self._is_small:
            self._read_small()
            return
        self.manifest = self._read_manifest()
        model = self.manifest.get("model")
        if isinstance(model, dict) and model.get("embedded") is True:
            self.model = self._read_piece()
        self._start = file.tell()
        self.chunks = self._from_end() or list(self._from_start())

    def read(self, chunk: ContainerChunk) -> bytes:
        """Return a chunk's payload.

        Raises
        ------
        InvalidArchive
            The chunk is damaged; the message names it.
        """
        if self._is_small:  # its checksum was compared when it was opened
            self._file.seek(chunk.start)
            return self._file.read(chunk.length)
        numbers = varint(chunk.rows) + varint(chunk.length)
        frame = 1 + len(numbers) + 4
        self._file.seek(chunk.start - frame)
        head, payload = self._file.read(frame), self._file.read(chunk.length)
        whole = varint(chunk.number) + numbers
        if head != b"\1" + numbers + _checksum(whole, payload) or len(payload) != chunk.length:
            raise InvalidArchive(
                f"{self._shown}, {chunk}",
                expected="the bytes that were written",
                received="bytes that do not match their checksum",
                remedy="copy or download the file again; its other chunks can still be read",
            )
        return payload

    def _read_small(self) -> None:
        most = small_files.LARGEST + 1024
        if self.size > most:
            self._refuse(f"a small file of {self.size:,} bytes")
        self._file.seek(0)
        try:
            found = small_files.read(self._file.read(most), len(MAGIC) + 1)
        except InvalidArchive as error:
            raise error.about(self._shown) from None
        self.manifest = found.manifest
        chunk = ContainerChunk(0, 0, found.rows, found.start, found.length)
        self.chunks = [chunk] if found.rows else []

    def _read_manifest(self) -> dict[str, Any]:
        start = self._file.tell()
        try:
            head = Cursor(self._file.read(_NUMBERS))
            size, number = head.varint(_MANIFEST_LIMIT), head.read(1)[0]
            length = head.varint(self.size)
            numbers = head.position
            self._file.seek(start)
            body = self._file.read(numbers + length)
            check = self._file.read(4)
            if len(body) < numbers + length or check != _checksum(body):
                self._refuse("a manifest that does not match its checksum")
            text = general_compressors.unpack(number, memoryview(body)[numbers:], size)
            manifest = strict_json.loads(text.decode(), "the manifest")
        except UnicodeDecodeError:
            self._refuse("a manifest that is not text")
        except InvalidArchive as error:
            raise error.about(self._shown) from None
        if not isinstance(manifest, dict):
            self._refuse("a manifest that is not an object")
        return manifest

    def _read_piece(self) -> bytes:
        start = self._file.tell()
        head = Cursor(self._file.read(_NUMBERS))
        try:
            length = head.varint(self.size)
        except InvalidArchive:
            self._refuse("a model without a length")
        self._file.seek(start + head.position)
        content = self._file.read(length)
        if len(content) < length:
            self._refuse("a file that ends within its model")
        return content

    def _from_end(self) -> list[ContainerChunk]:
        """Return the chunks that the index lists; none if it is missing or wrong."""
        self._file.seek(max(self._start, self.size - 8))
        tail = self._file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if len(tail) < 8 or tail[4:] != _TAIL or length > self.size - 8 - self._start:
            return []
        self._file.seek(self.size - 8 - length)
        body = self._file.read(length)
        if len(body) < 4 or body[-4:] != _checksum(body[:-4]):
            return []
        cursor = Cursor(body[1:-4])
        found, start, first = [], self._start, 0
        try:
            for number in range(cursor.varint(len(body) // 2)):
                rows, size = cursor.varint(small_files.MOST_ROWS), cursor.varint(self.size)
                start += 1 + len(varint(rows)) + len(varint(size)) + 4
                found.append(ContainerChunk(number, first, rows, start, size))
                start, first = start + size, first + rows
            cursor.close()
        except InvalidArchive:
            return []
        return found if start == self.size - 8 - length else []

    def _from_start(self) -> Iterator[ContainerChunk]:
        """Find the chunks one after the other, without the index."""
        at, first, number = self._start, 0, 0
        while True:
            self._file.seek(at)
            head = Cursor(self._file.read(_NUMBERS))
            try:
                kind = head.read(1)[0]
                if kind != 1:
                    whole = kind == 0 and number < 2 and at + 1 == self.size
                    self.truncation = "" if whole else f"damage after chunk {number - 1}"
                    return
                rows, length = head.varint(small_files.MOST_ROWS), head.varint(self.size)
                start = at + head.position + 4
            except InvalidArchive:
                self.truncation = f"a file that ends after {number} chunks, expected more"
                return
            if start + length > self.size:
                self.truncation = f"a file that ends within chunk {number}"
                return
            yield ContainerChunk(number, first, rows, start, length)
            at, first, number = start + length, first + rows, number + 1

    def _refuse(self, received: str) -> NoReturn:
        raise InvalidArchive(
            self._shown,
            expected="a file that compress() wrote",
            received=received,
            remedy="check the path, or copy the file again",
        )


def _checksum(*parts: bytes) -> bytes:
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value.to_bytes(4, "little")
