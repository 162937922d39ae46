"""How a decoded sample is shown: as a picture, or as a row in its original units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.data.table_schema import TableSchema
from isthmus.explorer.columns import form_of
from isthmus.report.image_data import shares_of_range
from isthmus.report.image_samples import image_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.array_schema import ArraySchema
    from isthmus.data.schema import Schema
    from isthmus.data.table_columns import TableColumn

_MOST_OUTPUTS = 200
"""A table with more columns is cut off."""


class PictureForm(NamedTuple):
    """Where the picture is in a sample's cells, and which values are black and white."""

    height: int
    width: int
    channels: int
    first: int
    """Number of the first cell: that of the middle plane of volumes."""
    low: float
    high: float

    def images(self, matrix: Floats) -> NDArray[np.uint8]:
        """Return rows in scaled units as pictures: (n, h, w), or (n, h, w, 3) in colours."""
        size = self.height * self.width * self.channels
        cells = matrix.reshape(len(matrix), -1)[:, self.first : self.first + size]
        shares = shares_of_range(cells, self.low, self.high)
        shares = np.clip(np.nan_to_num(shares, nan=0.5), 0, 1)
        shares = shares.reshape(len(matrix), self.height, self.width, self.channels)
        coloured = self.channels in (3, 4)
        shares = shares[..., :3] if coloured else shares.mean(axis=3)
        return np.asarray(np.round(shares * 255), np.uint8)


def picture_form(schema: Schema, matrix: Floats) -> PictureForm | None:
    """Return how samples are shown as pictures; None if they are rows.

    Parameters
    ----------
    schema : Schema
    matrix : array of shape (n, *sample_shape)
        Rows in scaled units.
    """
    volume = len(schema.sample_shape) == 4
    shape = tuple(schema.sample_shape[1:]) if volume else image_shape(schema)
    if shape is None:
        return None
    height, width, channels = (*shape, 1)[:3]
    first = schema.sample_shape[0] // 2 * height * width * channels if volume else 0
    low, high = float(np.nanmin(matrix)), float(np.nanmax(matrix))
    return PictureForm(height, width, channels, first, low, high if high > low else low + 1)


def row_outputs(schema: Any) -> list[dict[str, Any]]:
    """Return what the decoded cells of a row stand for, JSON-able: an entry for each column."""
    if isinstance(schema, TableSchema):
        return list(_of_table(schema))[:_MOST_OUTPUTS]
    return _of_array(schema)


def _of_table(schema: TableSchema) -> Any:
    count = 0
    for field, segment in zip(schema.learned, schema.segments, strict=True):
        place = {"name": field.name, "first": segment.start, "stop": segment.stop}
        if field.kind != "number":
            yield {**place, "kind": field.kind, "form": form_of(field)}
            continue
        yield {**place, "kind": "number", **_scaling(schema, count), **_number(field)}
        count += 1


def _of_array(schema: ArraySchema) -> list[dict[str, Any]]:
    names = schema.columns[:_MOST_OUTPUTS]
    return [
        {
            "name": name,
            "first": place,
            "stop": place + 1,
            "kind": "number",
            "form": {"kind": "number"},
            "domain": None,
            "whole": False,
            **_scaling(schema, place),
        }
        for place, name in enumerate(names)
    ]


def _scaling(schema: Any, place: int) -> dict[str, Any]:
    scaling = schema.scaling
    center, scale = (
        float(part[place % part.size] if part.size > 1 else part[0])
        for part in (scaling.center, scaling.scale)
    )
    return {"method": scaling.method, "center": center, "scale": scale}


def _number(field: TableColumn) -> dict[str, Any]:
    domain = field.domain
    return {
        "form": form_of(field),
        "whole": field.spacing == 1.0,
        "domain": None
        if domain is None
        else {
            "low": domain.low,
            "high": domain.high,
            "parts": domain.parts,
            "atom": None if domain.atom is None else [domain.atom.value, domain.atom.margin],
        },
    }
