"""Detects data on another scale, such as pixels divided by 255.

The rules are narrow, because users soon ignore a warning about ordinary data:

* The model was fitted on the full range of 8 or 16 bits (0 to 255 or 65535). The batch is within
  [−1, 1], above 0.5 somewhere, and holds what such pixels never are: fractions, booleans, or images
  with no value above 1. Even a dark image of integers has a 2 somewhere.
* The model was fitted within [−1, 1]. The batch exceeds 10, and more than half of its nonzero cells
  exceed 1. A few outliers do not meet that.

A single row proves nothing, so it never causes a warning.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import DataWarning
from isthmus.data.scaling import row_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.data.sparse_rows import SparseRows

    Samples = NDArray[Any] | SparseRows

Range = tuple[float, float]

_FULL_SCALES = (255.0, 65535.0)
_ROUNDING = 1e-4
"""Tolerance, because ranges are computed in float32 fractions of the fitted range."""


def warn_of_another_scale(X: Samples, fitted: Range, received: Range) -> None:
    """Emit a DataWarning if the samples are clearly not on the scale of the fitted data.

    Parameters
    ----------
    X : ndarray of shape (n, *sample_shape), or SparseRows
        In the user's units; NaN is missing.
    fitted, received : (float, float)
        Minimum and maximum of the data that `fit` saw, and of `X`.
    """
    if len(X) < 2 or not (_is_shrunk(X, fitted, received) or _is_grown(X, fitted, received)):
        return
    warnings.warn(
        f"X seems to be on another scale: expected values from {_text(fitted)}, as fit saw, "
        f"received {_text(received)}. Try: {_remedy(fitted, received)}.",
        DataWarning,
        stacklevel=3,
    )


def _is_shrunk(X: Samples, fitted: Range, received: Range) -> bool:
    low, high = received
    if fitted[0] != 0 or fitted[1] not in _FULL_SCALES:
        return False
    if low < -1 - _ROUNDING * fitted[1] or not 0.5 < high <= 1 + _ROUNDING:
        return False
    return X.ndim > 2 or X.dtype.kind == "b" or _holds_fractions(X)


def _is_grown(X: Samples, fitted: Range, received: Range) -> bool:
    if fitted[0] < -1 or fitted[1] > 1 or not received[1] > 10:
        return False
    large = filled = 0
    for rows in row_blocks(X.shape):
        block = X[rows]
        large += int(np.count_nonzero(block > 1))
        filled += int(np.count_nonzero(block) - np.count_nonzero(block != block))
    return large > filled / 2


def _holds_fractions(X: Samples) -> bool:
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
    return "scale X like the data that the model was fitted on"


def _text(limits: Range) -> str:
    return f"{limits[0]:.4g} to {limits[1]:.4g}"
