"""Telling a batch on another scale, such as pixels divided by 255, from one that is merely dark.

The rules are narrow, as a warning that fires on ordinary data is soon ignored:

* Fitted on the full scale of 8 or 16 bits (0 to 255 or 65535), and the whole batch within
  [−1, 1], above 0.5 somewhere, and of a kind that such pixels never are: fractions, booleans, or,
  for pictures, nothing brighter than 1. A dark picture of whole numbers holds a 2 somewhere.
* Fitted within [−1, 1], and the batch goes beyond 10 with more than half of its cells that are
  not 0 above 1. An outlier or two in some columns are not that.

One row alone proves nothing.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import DataWarning
from isthmus.data.scaling import row_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

Range = tuple[float, float]

_FULL_SCALES = (255.0, 65535.0)
_ROUNDING = 1e-4
"""Ranges of a batch are found in float32 fractions of the fitted range."""


def warn_of_another_scale(X: NDArray[Any], fitted: Range, received: Range) -> None:
    """Emit a DataWarning if the samples plainly are on another scale than what was fitted.

    Parameters
    ----------
    X : ndarray of shape (n, *sample_shape)
        In the user's unit; NaN is missing.
    fitted, received : (float, float)
        Least and greatest value that `fit` saw, and that `X` holds.
    """
    if len(X) < 2 or not (_is_shrunk(X, fitted, received) or _is_grown(X, fitted, received)):
        return
    warnings.warn(
        f"X seems to be on another scale: expected values from {_text(fitted)}, as fit saw, "
        f"received {_text(received)}. Try: {_remedy(fitted, received)}.",
        DataWarning,
        stacklevel=3,
    )


def _is_shrunk(X: NDArray[Any], fitted: Range, received: Range) -> bool:
    low, high = received
    if fitted[0] != 0 or fitted[1] not in _FULL_SCALES:
        return False
    if low < -1 - _ROUNDING * fitted[1] or not 0.5 < high <= 1 + _ROUNDING:
        return False
    return X.ndim > 2 or X.dtype.kind == "b" or _holds_fractions(X)


def _is_grown(X: NDArray[Any], fitted: Range, received: Range) -> bool:
    if fitted[0] < -1 or fitted[1] > 1 or not received[1] > 10:
        return False
    large = filled = 0
    for rows in row_blocks(X.shape):
        block = X[rows]
        large += int(np.count_nonzero(block > 1))
        filled += int(np.count_nonzero(block) - np.count_nonzero(block != block))
    return large > filled / 2


def _holds_fractions(X: NDArray[Any]) -> bool:
    if X.dtype.kind != "f":
        return False
    return any(
        np.any((block != np.rint(block)) & ~np.isnan(block))
        for block in (X[rows] for rows in row_blocks(X.shape))
    )


def _remedy(fitted: Range, received: Range) -> str:
    if fitted[1] in _FULL_SCALES:
        most = int(fitted[1])
        return f"pass X * {most}" if received[0] >= 0 else f"pass (X + 1) * {most / 2}"
    if fitted == (0.0, 1.0) and received[0] >= 0 and 128 < received[1] <= 255:
        return "pass X / 255"
    return "scale X as the data were scaled that the model was fitted on"


def _text(limits: Range) -> str:
    return f"{limits[0]:.4g} to {limits[1]:.4g}"
