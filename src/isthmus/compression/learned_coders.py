"""Coders that learn from data: what `Codec.fit` makes, and files embed or name by their hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.coders import general_compressors
from isthmus.compression.coders.byte_cursor import Cursor, refuse, varint
from isthmus.compression.lossy.model import LossyModel
from isthmus.compression.pixels.model import PixelModel
from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidArchive
from isthmus.persistence import artifact
from isthmus.persistence.artifact import Artifact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from isthmus.compression.coders.block import ColumnBlock, Layout

_KIND = "codec model"
_MOST_CHANNELS = 4
_MOST_PER_BYTE = 1000
"""Bytes of a model in one byte of a file, at most."""


class LearnedPixels:
    """Lossless images, by the odds that a network gives each pixel; see `pixels`."""

    name, number = "pixel network", 2

    def __init__(self, model: PixelModel) -> None:
        self._model = model

    @classmethod
    def fit(cls, images: NDArray[np.uint8], seed: int) -> LearnedPixels:
        """Learn from images, (n, h, w) or (n, h, w, channels)."""
        return cls(PixelModel.fit(_with_channels(images), seed=seed))

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the block as bytes; None unless it holds images like those of `fit`."""
        layout = block.layout
        if not (block.exact and _is_image(layout)):
            return None
        images = _with_channels(block.image())
        return self._model.encode(images) if images.shape[1:] == self._model.image_shape else None

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns, one for each cell of an image."""
        if not _is_image(layout):
            refuse("images where no images can be")
        images = self._model.decode(bytes(packed), rows)
        values = images.reshape(rows, -1)
        if values.shape[1] != len(layout.dtypes):
            refuse("images of another shape")
        return list(values.T)

    def describe(self, packed: memoryview) -> str:
        """Return the coder's name."""
        del packed
        return self.name

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the model, for `from_arrays`."""
        return self._model.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> LearnedPixels:
        """Take back what `to_arrays` returned; raises InvalidArchive."""
        return cls(PixelModel.from_arrays(arrays))


class LearnedLossy:
    """Samples at a stated quality or size; see `lossy`."""

    name, number = "lossy", 4

    def __init__(self, model: LossyModel) -> None:
        self.model = model

    @classmethod
    def fit(cls, samples: NDArray[Any], seed: int) -> LearnedLossy:
        """Learn from samples, (n, *shape)."""
        native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
        return cls(LossyModel.fit(native, seed=seed))

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns, one for each cell of a sample."""
        if layout.sample_shape != self.model.shape or set(layout.dtypes) != {self.model.dtype}:
            refuse("samples of another shape or type than the model's")
        return list(self.model.decode(bytes(packed), rows).reshape(rows, -1).T)

    def describe(self, packed: memoryview) -> str:
        """Return which coders of the model were used."""
        return f"{self.name} ({self.model.describe(bytes(packed))})"

    def needed_for(self, blocks: Iterable[bytes]) -> LearnedLossy:
        """Return what decodes these blocks and perhaps no others."""
        heads = [block[1:4] for block in blocks]
        return LearnedLossy(self.model.needed_for(*heads))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the model, for `from_arrays`."""
        return self.model.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> LearnedLossy:
        """Take back what `to_arrays` returned; raises InvalidArchive."""
        return cls(LossyModel.from_arrays(arrays))


@dataclass(frozen=True)
class RateController:
    """Makes bytes of blocks at a stated quality or size.

    Parameters
    ----------
    coder : Lossy
    quality, bits : float or None
        One of them; see `LossyModel.encode`.
    """

    coder: LearnedLossy
    quality: float | None
    bits: float | None

    def encode(self, block: ColumnBlock) -> tuple[bytes, float]:
        """Return a block's bytes, once they are decoded, and the largest error."""
        samples, model = block.image(), self.coder.model
        packed = model.encode(samples, self.quality, bits=self.bits)
        back = model.decode(packed, len(samples))
        error = np.abs(back.astype(np.float64) - samples).max()
        return bytes([self.coder.number]) + packed, float(error)


LEARNED: Catalogue[Any] = Catalogue(
    "coder that learns", {"pixels": LearnedPixels, "lossy": LearnedLossy}
)
"""By their name in files."""


def fit(name: str, rows: NDArray[Any], seed: int) -> LearnedCoder:
    """Return one of `LEARNED`, once it has learned from rows, (n, *shape)."""
    return LearnedCoder(name, LEARNED[name].fit(rows, seed))


def fits_images(dtype: np.dtype[Any], sample_shape: tuple[int, ...]) -> bool:
    """Tell whether rows of an array are images that `Pixels` takes."""
    channels = sample_shape[2:] or (1,)
    return (
        dtype == np.uint8
        and len(sample_shape) in (2, 3)
        and 1 <= channels[0] <= _MOST_CHANNELS
        and min(sample_shape) > 0
    )


@dataclass(frozen=True)
class LearnedCoder:
    """A coder that has learned.

    Parameters
    ----------
    name : str
        One of `LEARNED`.
    coder : coder
        It has `to_arrays`.
    """

    name: str
    coder: Any

    @cached_property
    def content(self) -> bytes:
        """The coder as bytes, for `from_bytes`."""
        return artifact.to_bytes(Artifact(_KIND, {"coder": self.name}, self.coder.to_arrays(), {}))

    @property
    def divisible(self) -> bool:
        """Whether less than the whole may be enough to decode."""
        return hasattr(self.coder, "needed_for")

    def needed_for(self, blocks: Iterable[bytes]) -> LearnedCoder:
        """Return what decodes these blocks, and is no larger."""
        return LearnedCoder(self.name, self.coder.needed_for(blocks))

    @cached_property
    def packed(self) -> bytes:
        """The same in fewer bytes, to be embedded."""
        return pack(self.content)

    @property
    def digest(self) -> str:
        """By what name a file calls it."""
        return digest(self.content)


def pack(content: bytes) -> bytes:
    """Return a model's bytes in fewer, for `unpack`."""
    number, packed = general_compressors.smallest(
        content, quick=len(content) > general_compressors.SMALL
    )
    return varint(len(content)) + bytes([number]) + packed


def unpack(packed: bytes) -> bytes:
    """Return a model's bytes of a stranger's file; raises InvalidArchive."""
    cursor = Cursor(packed)
    size, number = cursor.varint(_MOST_PER_BYTE * len(packed)), cursor.take(1)[0]
    return general_compressors.unpack(number, cursor.rest(), size)


def from_bytes(blob: bytes) -> Any:
    """Return a coder that a stranger's file has embedded; raises InvalidArchive."""
    stored = artifact.from_bytes(blob, kind=_KIND)
    name = str(stored.manifest.get("coder"))
    if set(stored.manifest) != {"coder"} or name not in LEARNED:
        raise InvalidArchive("the embedded model", expected="a coder", received=name[:80])
    return LEARNED[name].from_arrays(stored.arrays)


def digest(blob: bytes) -> str:
    """Return by what name a file calls a model, given as bytes."""
    return hashlib.sha256(blob).hexdigest()


def _is_image(layout: Layout) -> bool:
    return layout.uniform and fits_images(layout.dtypes[0], layout.sample_shape)


def _with_channels(images: NDArray[Any]) -> NDArray[Any]:
    return images if images.ndim == 4 else images[..., None]
