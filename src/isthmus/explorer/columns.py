"""The columns that points are coloured and filtered by, and that statistics are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.types as pt

from isthmus.data import arrow_types, frames
from isthmus.explorer.packing import packed, packed_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from isthmus.data.array_schema import ArraySchema
    from isthmus.data.table_columns import TableColumn
    from isthmus.data.table_schema import TableSchema

MOST_COLUMNS = 64
"""More columns would make the page large; the first ones are shown."""
_MOST_CLASSES = 12
"""Labels with more different numbers than this are a scale."""
_DAY = 86_400_000.0
"""Milliseconds."""


@dataclass(frozen=True, eq=False)
class ExplorerColumn:
    """The values of a column in all rows of the page.

    Parameters
    ----------
    name : str
        What it is called.
    group : {"label", "column", "model"}
        Where it comes from.
    form : dict
        How a number is shown: its ``kind``, and for categories their ``names``.
    values : float64 array of shape (n,)
        Numbers, or places among the names; NaN where a value is missing.
    step : float
        The distance of neighbouring numbers; 0 if they lie on no grid.
    """

    name: str
    group: str
    form: dict[str, Any]
    values: NDArray[np.float64]
    step: float = 0.0

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        kind = self.form["kind"]
        if kind == "category":
            few = len(self.form["names"]) < 255
            places = np.where(np.isnan(self.values), 255 if few else 65_535, self.values)
            values = packed(places, "u8" if few else "u16")
        else:
            values = packed_numbers(self.values, self.step, exact=kind == "time")
        return {"name": self.name, "group": self.group, "form": self.form, "values": values}


def form_of(field: TableColumn) -> dict[str, Any]:
    """Return how cells of a learned column are shown."""
    if field.kind == "boolean":
        return {"kind": "category", "names": ["false", "true"]}
    if field.kind == "category":
        return {"kind": "category", "names": [word[:200] for word in field.categories]}
    kind = arrow_types.value_type(field.type)
    if not pt.is_temporal(kind):
        return {"kind": "number"}
    each = arrow_types.per_second(kind)
    unit = {"times of day": "time", "durations": "duration"}
    factor = field.step * (1000.0 / each if each else _DAY)
    whole_days = factor % _DAY == 0
    shown = unit.get(arrow_types.family(kind) or "", "date" if whole_days else "moment")
    return {"kind": "time", "shown": shown, "factor": factor}


def columns_of_table(schema: TableSchema, rows: Any) -> Iterator[ExplorerColumn]:
    """Yield the learned columns of a table; values that `fit` did not see are missing."""
    table = frames.to_arrow(rows)
    for field in schema.learned:
        cells = field.parsed(table.column(field.name))
        if field.kind == "category":
            codes = field.codes(cells).astype(np.float64)
            codes[codes < 0] = np.nan
            yield ExplorerColumn(field.name, "column", form_of(field), codes)
        else:
            numbers = field.numbers(cells)
            yield ExplorerColumn(field.name, "column", form_of(field), numbers, field.spacing)


def columns_of_array(schema: ArraySchema, rows: NDArray[Any]) -> Iterator[ExplorerColumn]:
    """Yield the first columns of an array (n, columns)."""
    flat = np.asarray(rows).reshape(len(rows), -1)[:, :MOST_COLUMNS].astype(np.float64)
    for name, values in zip(schema.columns, flat.T, strict=False):
        yield number_column(name, "column", values)


def number_column(name: str, group: str, values: NDArray[Any]) -> ExplorerColumn:
    """Return a column of numbers."""
    numbers = values.astype(np.float64)
    known = numbers[np.isfinite(numbers)]
    whole = bool(len(known)) and bool((known == np.rint(known)).all())
    return ExplorerColumn(name, group, {"kind": "number"}, numbers, 1.0 if whole else 0.0)


def label_column(name: str, labels: NDArray[Any]) -> ExplorerColumn:
    """Return the column of labels: numbers if they are many, categories otherwise."""
    if labels.dtype.kind in "iuf" and len(np.unique(labels)) > _MOST_CLASSES:
        return number_column(name, "label", labels)
    texts = _texts(labels)
    names = sorted({text for text in texts if text is not None}, key=_natural)
    places = {text: float(place) for place, text in enumerate(names)}
    values = np.array([np.nan if text is None else places[text] for text in texts])
    return ExplorerColumn(name, "label", {"kind": "category", "names": names}, values)


def _texts(labels: NDArray[Any]) -> list[str | None]:
    if labels.dtype.kind in "mM":  # tolist would make numbers of them
        return [None if np.isnat(label) else str(label) for label in labels]
    return [_text(label) for label in labels.tolist()]


def _text(label: Any) -> str | None:
    if label is None or (isinstance(label, float) and np.isnan(label)):
        return None
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)[:200]


def _natural(text: str) -> tuple[bool, float, str]:
    """Sort key: numbers by size, then words."""
    try:
        return (False, float(text), text)
    except ValueError:
        return (True, 0.0, text)
