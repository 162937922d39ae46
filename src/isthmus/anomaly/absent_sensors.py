"""Scores windows in which some sensors are missing by the others.

The missing cells of a window are replaced by their reconstruction from the others: they start at
the sensor's mean, and are reconstructed a few times. A sensor with such cells contributes nothing
to the window's score (`series_score`). If more than half of the sensors are missing, their
reconstruction is arbitrary, and the window has no score.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from isthmus.anomaly.series_windows import reconstructed
from isthmus.core.errors import DataWarning
from isthmus.core.name_lists import name_list

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

PASSES = 10
"""With fewer passes, several missing sensors are still near their means; with more, a network that
hardly constrains a sensor carries it away from its values."""
MOST_ABSENT = 0.5


def absent_in(block: Floats) -> NDArray[np.bool_]:
    """Return for each of the windows (k, window, sensors) which sensors are missing."""
    return np.asarray(np.isnan(block.sum(axis=1)))


def completed(autoencoder: Any, block: Floats) -> Floats:
    """Replace the missing cells of standardised windows, (k, window, sensors)."""
    some = absent_in(block).any(axis=1)
    if not some.any():
        return block
    part = block[some]
    missing = np.isnan(part)
    part[missing] = 0
    for _ in range(PASSES):
        part[missing] = reconstructed(autoencoder, part)[missing]
    block = block.copy()
    block[some] = part
    return block


def warn_of_absent(absent: NDArray[np.bool_], sensors: Sequence[str], longest_gap: int) -> None:
    """Warn of sensors, (sensors,), that are missing for longer than is filled."""
    if absent.any():
        names = [name for name, missing in zip(sensors, absent, strict=True) if missing]
        warnings.warn(
            f"Missing in more consecutive rows than are filled (longest_gap={longest_gap}): "
            f"{name_list(names)}. The scores there are those of the other sensors, and the "
            "false-alarm rate is not guaranteed.",
            DataWarning,
            stacklevel=2,
        )
