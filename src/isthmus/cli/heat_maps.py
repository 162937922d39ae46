"""Writes the anomaly maps of pictures as images, one for each alarm."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidParameter
from isthmus.data import writing
from isthmus.report.image_data import overlay, shares_of_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def require_pictures(detector: Any) -> None:
    """Refuse --maps for a detector without maps; raises InvalidParameter."""
    if not hasattr(detector, "anomaly_map"):
        raise InvalidParameter(
            "--maps",
            expected="a detector that was fitted to pictures",
            received="one of rows or of a series",
            remedy="leave it out",
        )


def write(
    detector: Any,
    pictures: "NDArray[Any]",
    alarms: "NDArray[np.bool_]",
    names: "Sequence[str] | None",
    folder: Path,
    *,
    overwrite: bool,
) -> int:
    """Write the maps of pictures with an alarm on these pictures, and return their number.

    The brightest colour is twice the threshold. Nothing is written without alarms.

    Parameters
    ----------
    detector : AnomalyDetector
    pictures : array of shape (n, h, w) or (n, h, w, bands)
    alarms : array of bool, shape (n,)
    names : sequence of n str or None
        The files of the pictures; None: their numbers are the names.
    folder : Path
    overwrite : bool
        Whether a folder of images may be replaced.
    """
    rows = np.flatnonzero(alarms).tolist()
    if not rows:
        return 0
    low, high = float(np.nanmin(pictures)), float(np.nanmax(pictures))
    shown = shares_of_range(pictures[rows].astype(np.float32), low, high)
    maps = detector.anomaly_map(pictures[rows])
    largest = 2 * detector.threshold_
    drawn = [np.asarray(overlay(*each, largest)) for each in zip(shown, maps, strict=True)]
    digits = len(str(len(pictures) - 1))
    files = [f"{row:0{digits}}.png" if names is None else names[row] for row in rows]
    writing.write(folder, np.stack(drawn), overwrite=overwrite, names=files)
    return len(rows)
