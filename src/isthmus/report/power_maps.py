"""Pictures of where in an image faults are detected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from isthmus.core.number_format import count, percent
from isthmus.report.image_data import heat_uri
from isthmus.report.image_samples import SamplePicture, image_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_FEWEST_CELLS = 16
"""With fewer tested cells, a picture shows nothing that the table does not."""
_MOST_SIDE = 48
"""Squares along the longer side of a picture."""


class PowerMaps(NamedTuple):
    """One picture for each fault."""

    note: str
    pictures: list[SamplePicture]


def power_maps(
    powers: Mapping[str, Mapping[str, float]], faults: Sequence[str], schema: Any
) -> PowerMaps | None:
    """Draw the fraction of faults that are detected by place; None if samples are not images.

    Parameters
    ----------
    powers : mapping of str to mapping of str to float
        For each tested cell, by its name, the detected fraction of each fault.
    faults : sequence of str
    schema : Schema
    """
    shape = image_shape(schema)
    if shape is None or len(powers) < _FEWEST_CELLS:
        return None
    numbers = {name: cell for cell, name in enumerate(schema.columns)}
    cells = np.array([numbers[name] for name in powers])
    nearest = _nearest(np.column_stack(np.unravel_index(cells, shape)[:2]), shape)
    pictures = []
    for fault in faults:
        power = np.array([by_fault.get(fault, np.nan) for by_fault in powers.values()])
        caption = f"{fault}: {percent(float(np.nanmean(power)))}"
        uri = heat_uri(power.astype(np.float32)[nearest], 1.0)
        pictures.append(SamplePicture(uri, f"Detected faults by place, {fault}", caption))
    worst = min(powers, key=lambda name: float(np.mean(list(powers[name].values()))))
    note = (
        "Fraction of faults that are detected, by place: bright where all are, dark where none is. "
        f"{count(len(powers), 'cell')} of {schema.n_columns:,} are tested; each place shows the "
        f"nearest of them. Least is detected at {worst}."
    )
    return PowerMaps(note, pictures)


def _nearest(places: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return, for each square of a picture, which of the places is nearest to its centre."""
    side = max(1.0, max(shape[:2]) / _MOST_SIDE)
    rows, columns = (np.arange(side / 2, n, side) for n in shape[:2])
    centres = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    return np.asarray(KDTree(places + 0.5).query(centres)[1])
