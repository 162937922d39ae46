"""Windows of standardised rows, and what an autoencoder makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.data.windows import pieces, windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.sensor_series import SeriesChunk

_BLOCK_CELLS = 1 << 21
"""Of the windows that are scored at a time: 8 MiB."""
_FARTHEST = 1e6
"""In standard deviations; values beyond are clipped, so that sums stay finite."""


class SensorScaling(NamedTuple):
    """Means and standard deviations of the sensors, in their units, each (sensors,), float64."""

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]


def standardised_rows(rows: NDArray[Any], scaling: SensorScaling) -> Floats:
    """Return rows (k, sensors) in standard deviations of the sensors."""
    return np.clip((rows - scaling.centre) / scaling.scale, -_FARTHEST, _FARTHEST).astype(
        np.float32
    )


def standardised_windows(
    chunks: Iterable[SeriesChunk], window: int, scaling: SensorScaling
) -> Iterator[tuple[int, Floats]]:
    """Yield the first row's number and a block of windows, (k, window, sensors), as a view."""
    found = pieces(chunks, longest_gap(window))
    scaled = (piece._replace(rows=standardised_rows(piece.rows, scaling)) for piece in found)
    size = max(1, _BLOCK_CELLS // (window * len(scaling.centre)))
    for start, values in windows(scaled, window):
        for first in range(0, len(values), size):
            yield start + first, values[first : first + size]


def longest_gap(window: int) -> int:
    """Return for how many rows a missing sensor is filled in: a tenth of a window."""
    return max(1, window // 10)


def reconstructed(autoencoder: Any, block: Floats) -> Floats:
    """Encode and decode standardised windows, (k, window, sensors)."""
    # A recurrent network gives NaN behind what it takes for the end of a series.
    return np.nan_to_num(np.asarray(autoencoder.reconstruct(block), dtype=np.float32))
