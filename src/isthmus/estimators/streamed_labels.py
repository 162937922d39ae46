"""Labels of rows that are read in batches: as small numbers, all in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from isthmus.core.errors import InvalidData
from isthmus.estimators.labels import (
    Classes,
    Targets,
    class_vector,
    is_missing,
    target_numbers,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats, RowNumbers
    from isthmus.estimators.labels import Labelling

MOST_CLASSES = 10_000
"""Most classes that are looked for in a source. A column with more of them has no classes."""
_NO_CLASS = np.iinfo(np.uint16).max


class StoredLabels:
    """The encoded labels of all rows of a source.

    Parameters
    ----------
    stored : uint16 array of shape (n,), or float32 array of shape (n, targets)
        Class numbers, of which the largest possible marks a missing label, or targets.
    """

    def __init__(self, stored: NDArray[Any]) -> None:
        self.stored = stored

    def of(self, rows: RowNumbers | slice) -> Floats:
        """Return the encoded labels of some rows, NaN where missing."""
        chosen = self.stored[rows]
        if chosen.dtype != np.uint16:
            return chosen
        return np.where(chosen == _NO_CLASS, np.nan, chosen).astype(np.float32)


class LabelReader(Protocol):
    """Collects the labels of a source."""

    def add(self, labels: NDArray[Any], n: int) -> None:
        """Take the labels of `n` rows; raises InvalidData."""

    def result(self, known: Labelling | None) -> tuple[Labelling, StoredLabels]:
        """Return what was learned of the labels, and the labels encoded by that or as `known`."""


class ClassReader:
    """Finds the classes of a source, and keeps two bytes for each row."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._types: set[np.dtype[Any]] = set()
        self._rows: list[NDArray[np.uint16]] = []

    def add(self, labels: NDArray[Any], n: int) -> None:
        """Take the labels of `n` rows; raises InvalidData."""
        vector = class_vector(labels, n)
        self._types.add(vector.dtype)
        if vector.dtype == object:
            self._rows.append(self._numbered(vector.tolist(), is_missing(vector)))
        else:
            values, places = np.unique(vector, return_inverse=True)
            self._rows.append(self._numbered(values.tolist(), is_missing(values))[places])
        if len(self._numbers) > MOST_CLASSES:
            raise InvalidData(
                "y",
                expected=f"at most {MOST_CLASSES:,} classes",
                received=f"more, such as {str(next(reversed(self._numbers)))[:50]!r}",
                remedy="check that it is the column of labels; task='regression' predicts numbers",
            )

    def _numbered(self, values: list[Any], missing: NDArray[np.bool_]) -> NDArray[np.uint16]:
        """Return the number of each value in the order in which they were first seen."""
        known = self._numbers
        given = [None if lost else value for value, lost in zip(values, missing, strict=True)]
        try:
            numbers = [known.setdefault(value, len(known)) for value in given]
        except TypeError as error:  # a list, for example, is no key
            raise InvalidData(
                "y",
                expected="classes: text, integers or booleans",
                received=str(error),
                remedy="yield one class for each row",
            ) from None
        return np.minimum(numbers, _NO_CLASS).astype(np.uint16)

    def result(self, known: Labelling | None) -> tuple[Labelling, StoredLabels]:
        """Return the classes, and the labels encoded by them or as `known`."""
        values = self._values()
        if known is None:
            known, encoded = Classes.of(values, len(values))
        else:
            encoded = known.encode(values, len(values))
        table = np.where(np.isnan(encoded), _NO_CLASS, encoded).astype(np.uint16)
        return known, StoredLabels(table[np.concatenate(self._rows)])

    def _values(self) -> NDArray[Any]:
        """Return the distinct labels in the type that an array of all of them would have."""
        kinds = {dtype.kind for dtype in self._types}
        values = list(self._numbers)
        if "O" in kinds or ("U" in kinds and len(kinds) > 1):
            made = np.empty(len(values), object)
            made[:] = values
            return made
        if None in self._numbers:
            values = [np.nan if value is None else value for value in values]
        return np.array(values, np.result_type(*self._types))


class TargetReader:
    """Keeps the targets of a source: eight bytes each while they are read, then four."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float64]] = []
        self._flat = True

    def add(self, labels: NDArray[Any], n: int) -> None:
        """Take the targets of `n` rows; raises InvalidData."""
        numbers, self._flat = target_numbers(labels, n)
        if self._parts and numbers.shape[1] != self._parts[0].shape[1]:
            raise InvalidData(
                "y",
                expected=f"{self._parts[0].shape[1]} targets, as in the first batch",
                received=str(numbers.shape[1]),
                remedy="give all rows the same targets",
            )
        self._parts.append(numbers)

    def result(self, known: Labelling | None) -> tuple[Labelling, StoredLabels]:
        """Return the means and scales, and the targets standardised by them or as `known`."""
        numbers = np.concatenate(self._parts)
        given = numbers[:, 0] if self._flat else numbers
        if known is None:
            known, encoded = Targets.of(given, len(given))
        else:
            encoded = known.encode(given, len(given))
        return known, StoredLabels(encoded)
