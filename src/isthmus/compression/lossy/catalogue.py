"""The coders of a lossy model, by name, and their numbers in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus.compression.coders.numbering import by_number
from isthmus.compression.lossy.grey_levels import LevelsCoder
from isthmus.compression.lossy.transform import LinearTransform, TransformCoder, TransformNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.compression.lossy.arrays import Arrays
    from isthmus.compression.lossy.rate_distortion import LossyCoder
    from isthmus.compression.lossy.transform import Doubles


class LossyCoderEntry(NamedTuple):
    """A kind of coder of a lossy model.

    Parameters
    ----------
    number : int
        Identifies it in files; see `by_number`.
    name : str
        Its name in models, and in descriptions for users.
    from_arrays : function of arrays, mean, ranges
        Restores the coder from an untrusted file; raises InvalidArchive.
    bytes_only : bool
        Whether the coder takes only samples of bytes.
    """

    number: int
    name: str
    from_arrays: Callable[[Arrays, Doubles, Doubles], LossyCoder]
    bytes_only: bool = False


def _transform(kind: Any) -> Callable[[Arrays, Doubles, Doubles], LossyCoder]:
    return lambda arrays, mean, ranges: TransformCoder.from_arrays(arrays, kind, mean, ranges)


def _levels(arrays: Arrays, mean: Doubles, ranges: Doubles) -> LossyCoder:
    del ranges
    return LevelsCoder.from_arrays(arrays, len(mean))


LOSSY_CODERS_BY_NUMBER = by_number(
    (
        LossyCoderEntry(0, "linear", _transform(LinearTransform)),
        LossyCoderEntry(1, "network", _transform(TransformNetwork)),
        LossyCoderEntry(2, "levels", _levels, bytes_only=True),
    )
)
LOSSY_CODERS = {entry.name: entry for entry in LOSSY_CODERS_BY_NUMBER.values()}
