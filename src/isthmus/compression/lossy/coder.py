"""The coder of samples by a lossy model, at a chosen quality or size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from isthmus.compression.coders.byte_cursor import refuse
from isthmus.compression.coders.coder import LearnedCoder
from isthmus.compression.lossy.model import LossyModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from isthmus.compression.coders.block import ColumnBlock, Layout


class LossyModelCoder(LearnedCoder):
    """Samples coded with loss by learned transforms.

    Parameters
    ----------
    model : LossyModel
    """

    name, number = "lossy", 4
    model_name = "lossy"
    divisible = True

    def __init__(self, model: LossyModel) -> None:
        self.model = model

    @classmethod
    def fit(cls, samples: NDArray[Any], seed: int) -> Self:
        """Fit a model to samples, (n, *sample_shape)."""
        native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
        return cls(LossyModel.fit(native, seed=seed))

    def encode(self, block: ColumnBlock) -> None:
        """Return None: this coder has no error bound. `RateController` encodes with it."""
        del block

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns, one for each value of a sample."""
        if layout.sample_shape != self.model.shape or set(layout.dtypes) != {self.model.dtype}:
            refuse("samples whose shape or type differs from the model's")
        return list(self.model.decode(bytes(packed), rows).reshape(rows, -1).T)

    def describe(self, packed: memoryview) -> str:
        """Return the names of the model's coders that were used."""
        return f"{self.name} ({self.model.describe(bytes(packed))})"

    def needed_for(self, blocks: Iterable[bytes]) -> Self:
        """Return a coder with the parts of the model that are needed to decode these blocks."""
        heads = [block[1:4] for block in blocks]
        return type(self)(self.model.needed_for(*heads))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the model as arrays."""
        return self.model.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the coder that `to_arrays` described; raises InvalidArchive."""
        return cls(LossyModel.from_arrays(arrays))


@dataclass(frozen=True)
class RateController:
    """Encodes blocks with a lossy model at a chosen quality or size.

    Parameters
    ----------
    coder : LossyModelCoder
    quality, bits : float or None
        Exactly one of them is given; see `LossyModel.encode`.
    """

    coder: LossyModelCoder
    quality: float | None
    bits: float | None

    def encode(self, block: ColumnBlock) -> tuple[bytes, float]:
        """Return the encoded block, and the largest error, found by decoding it."""
        samples, model = block.image(), self.coder.model
        packed = model.encode(samples, self.quality, bits=self.bits)
        back = model.decode(packed, len(samples))
        error = np.abs(back.astype(np.float64) - samples).max()
        return bytes([self.coder.number]) + packed, float(error)
