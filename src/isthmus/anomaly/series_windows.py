"""Windows of standardised rows, and their reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.data.windows import pieces, windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from isthmus.core.types import Floats, RowNumbers
    from isthmus.data.time_grid import PlacedSeries

_BLOCK_CELLS = 1 << 21
"""Limit on the cells of the windows scored at a time: 8 MiB."""
FARTHEST = 1e6
"""In standard deviations; values are clipped here so that sums stay finite."""


class SensorScaling(NamedTuple):
    """Means and standard deviations of the sensors in their units, each float64 (sensors,)."""

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]


def standardised_rows(rows: NDArray[Any], scaling: SensorScaling) -> Floats:
    """Return rows (k, sensors) in standard deviations of the sensors."""
    return np.clip((rows - scaling.centre) / scaling.scale, -FARTHEST, FARTHEST).astype(np.float32)


def standardised_windows(
    series: PlacedSeries, window: int, scaling: SensorScaling, *, partial: bool = False
) -> Iterator[tuple[int, Floats]]:
    """Yield blocks of windows, (k, window, sensors), as views, with their first slot's number.

    Parameters
    ----------
    series : PlacedSeries
        The series.
    window : int
        Rows of a window.
    scaling : SensorScaling
        Standardises rows.
    partial : bool, default=False
        Include windows in which sensors are missing, as NaN.
    """
    unbroken = pieces(series.chunks(), series.grid.longest_gaps, partial=partial)
    scaled = (piece._replace(rows=standardised_rows(piece.rows, scaling)) for piece in unbroken)
    size = max(1, _BLOCK_CELLS // (window * len(scaling.centre)))
    for start, values in windows(scaled, window):
        for first in range(0, len(values), size):
            yield start + first, values[first : first + size]


def gathered(
    blocks: Iterable[tuple[int, Floats]],
) -> Iterator[tuple[RowNumbers, Floats]]:
    """Join the blocks of short pieces, so that a network is called less often.

    Parameters
    ----------
    blocks : iterable of (int, array)
        As `standardised_windows` yields them.

    Yields
    ------
    (array of int, array of float32)
        The first row's number of each window, (k,), and the windows, (k, window, sensors).
    """
    held: list[tuple[int, Floats]] = []
    cells = 0
    for start, block in blocks:
        if held and cells + block.size > _BLOCK_CELLS:
            yield _joined(held)
            held, cells = [], 0
        held.append((start, block))
        cells += block.size
    if held:
        yield _joined(held)


def _joined(held: list[tuple[int, Floats]]) -> tuple[RowNumbers, Floats]:
    starts = [np.arange(start, start + len(block)) for start, block in held]
    blocks = [block for _, block in held]
    joined = np.empty((sum(map(len, blocks)), *blocks[0].shape[1:]), dtype=np.float32)
    np.concatenate(blocks, out=joined)  # contiguous, which the views are not
    return np.concatenate(starts), joined


def reconstructed(autoencoder: Any, block: Floats) -> Floats:
    """Encode and decode standardised windows, (k, window, sensors)."""
    # A recurrent network returns NaN after what it considers the end of a series.
    return np.nan_to_num(np.asarray(autoencoder.reconstruct(block), dtype=np.float32))
