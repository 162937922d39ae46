"""Models of learned coders as bytes, which a file embeds or identifies by their hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.byte_cursor import Cursor, varint
from isthmus.compression.coders.catalogue import LEARNED
from isthmus.core.errors import InvalidArchive
from isthmus.persistence import artifact
from isthmus.persistence.artifact import Artifact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isthmus.compression.coders.coder import LearnedCoder

_KIND = "codec model"
_MOST_PER_BYTE = 1000
"""A packed model may unpack to at most this many times its size."""


@dataclass(frozen=True)
class EmbeddedModel:
    """A fitted coder, and its model as files store it.

    Parameters
    ----------
    coder : LearnedCoder
    """

    coder: LearnedCoder

    @property
    def name(self) -> str:
        """The kind of model, a key of `LEARNED`."""
        return self.coder.model_name

    @cached_property
    def content(self) -> bytes:
        """The model as bytes, for `from_bytes`."""
        return artifact.to_bytes(Artifact(_KIND, {"coder": self.name}, self.coder.to_arrays(), {}))

    @cached_property
    def packed(self) -> bytes:
        """The compressed `content`, which files embed."""
        return pack(self.content)

    @property
    def digest(self) -> str:
        """The hash of `content`, by which files identify the model."""
        return digest(self.content)

    def needed_for(self, blocks: Iterable[bytes]) -> EmbeddedModel:
        """Return the parts of the model that are needed to decode these blocks."""
        return EmbeddedModel(self.coder.needed_for(blocks))


def pack(content: bytes) -> bytes:
    """Compress a model's bytes, for `unpack`."""
    number, packed = general_compressors.smallest(
        content, quick=len(content) > general_compressors.SMALL
    )
    return varint(len(content)) + bytes([number]) + packed


def unpack(packed: bytes) -> bytes:
    """Return the bytes that `pack` compressed; raises InvalidArchive."""
    cursor = Cursor(packed)
    size, number = cursor.varint(_MOST_PER_BYTE * len(packed)), cursor.read(1)[0]
    return general_compressors.unpack(number, cursor.rest(), size)


def from_bytes(content: bytes) -> LearnedCoder:
    """Return the coder whose model an untrusted file embeds; raises InvalidArchive."""
    stored = artifact.from_bytes(content, kind=_KIND)
    name = str(stored.manifest.get("coder"))
    if set(stored.manifest) != {"coder"} or name not in LEARNED:
        raise InvalidArchive(
            "the embedded model", expected="the model of a known coder", received=name[:80]
        )
    return LEARNED[name].from_arrays(stored.arrays)


def digest(content: bytes) -> str:
    """Return the SHA-256 hash by which files identify a model."""
    return hashlib.sha256(content).hexdigest()
