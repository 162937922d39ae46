"""The coders of column blocks, by their numbers in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.compression.coders.byte_cursor import Cursor, refuse
from isthmus.compression.coders.coder import Coder, LearnedCoder
from isthmus.compression.coders.context_mixing import ContextMixing
from isthmus.compression.coders.general_purpose import GeneralPurposeCoder
from isthmus.compression.coders.numbering import by_number
from isthmus.compression.coders.residual_tables import ResidualTables
from isthmus.compression.lossy.coder import LossyModelCoder
from isthmus.compression.pixels.coder import PixelNetworkCoder
from isthmus.compression.planes.coder import PlaneCoder
from isthmus.core.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.compression.coders.block import Layout

CODERS: Mapping[int, type[Coder]] = by_number(
    (
        GeneralPurposeCoder,
        ContextMixing,
        ResidualTables,
        PixelNetworkCoder,
        LossyModelCoder,
        PlaneCoder,
    )
)
"""All coders. Of results of equal size, the first one is stored."""

LEARNED: Catalogue[type[LearnedCoder]] = Catalogue(
    "learned coder",
    {each.model_name: each for each in CODERS.values() if issubclass(each, LearnedCoder)},
)
"""The coders that need a model, by the model's name in files."""

_VARIANTS = {
    number: each.variants() for number, each in CODERS.items() if not issubclass(each, LearnedCoder)
}


def untrained_coders() -> list[Coder]:
    """Return all variants of the coders that need no model."""
    return [variant for variants in _VARIANTS.values() for variant in variants]


def decode(
    packed: memoryview, rows: int, layout: Layout, fitted: Sequence[Coder] = ()
) -> list[NDArray[Any]]:
    """Return the columns of an encoded block, each of shape (rows,).

    Raises
    ------
    InvalidArchive
        No coder wrote these bytes, or they need a model that is not among `fitted`.
    """
    cursor = Cursor(packed)
    coder = _coder(cursor.read(1)[0], fitted)
    return coder.decode(cursor.rest(), rows, layout)


def describe(packed: memoryview, fitted: Sequence[Coder] = ()) -> str:
    """Return the name of the coder that wrote a block; raises InvalidArchive."""
    coder = _coder(Cursor(packed).read(1)[0], fitted)
    try:
        return coder.describe(packed[1:])
    except (IndexError, KeyError):
        refuse("a block encoded in an unknown way")


def _coder(number: int, fitted: Sequence[Coder]) -> Coder:
    for each in fitted:
        if each.number == number:
            return each
    if number not in _VARIANTS:
        refuse(f"a block of coder {number}, which is unknown or needs its model")
    return _VARIANTS[number][0]
