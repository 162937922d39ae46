"""The interfaces of the coders of column blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.compression.coders.block import ColumnBlock, Layout


class BlockEncoder(Protocol):
    """Encodes blocks with a coder that it chooses."""

    def encode(self, block: ColumnBlock) -> tuple[bytes, float]:
        """Return the encoded block, which begins with the coder's number, and the largest error."""


class Coder(ABC):
    """Encodes a block of columns within its error bounds.

    To add one, write a subclass in a file of its own and add it to `CODERS` in ``catalogue``.

    Attributes
    ----------
    name : str
        Shown to users.
    number : int
        Identifies the coder in files; see `by_number`.
    max_cells : int or None
        The most values in a block that it encodes; None for any number.
    sample_predicts_size : bool
        Whether the size of an encoded sample predicts that of the whole block, so that the sample
        can rule out the coder.
    """

    name: ClassVar[str]
    number: ClassVar[int]
    max_cells: ClassVar[int | None] = None
    sample_predicts_size: ClassVar[bool] = True

    @abstractmethod
    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the encoded block, or None if the coder does not apply to it."""

    @abstractmethod
    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns, each of shape (rows,).

        Raises
        ------
        InvalidArchive
            `encode` cannot have written these bytes. They may come from an untrusted file.
        """

    def describe(self, packed: memoryview) -> str:
        """Return the name of the coder, and of the variant that encoded these bytes."""
        del packed
        return self.name

    @classmethod
    def variants(cls) -> Sequence[Coder]:
        """Return the configurations to try on each block."""
        return [cls()]

    def at_scale(self, factor: float) -> Coder:
        """Return this coder as it would encode a block that is `factor` times a sample."""
        del factor
        return self

    def narrowed(self, packed: bytes, *, thorough: bool) -> Coder:
        """Return a variant restricted to the choices made in these bytes, to save time.

        If `thorough`, choices remain that take longer and may be better on more values.
        """
        del packed, thorough
        return self


class LearnedCoder(Coder):
    """A coder with a model that is fitted to data first.

    Attributes
    ----------
    model_name : str
        Identifies the kind of model in files.
    divisible : bool
        Whether a part of the model may be enough to decode some blocks.
    """

    model_name: ClassVar[str]
    divisible: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def fit(cls, samples: NDArray[Any], seed: int) -> Self:
        """Fit a model to samples of shape (n, *sample_shape)."""

    def needed_for(self, blocks: Iterable[bytes]) -> Self:
        """Return a coder with the parts of the model that are needed to decode these blocks."""
        del blocks
        return self

    @abstractmethod
    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the model as arrays, for `from_arrays`."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the coder that `to_arrays` described; raises InvalidArchive."""
