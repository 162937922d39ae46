"""The autocovariance of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def autocovariance(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of products of values at each lag, (n,), of a sequence without its mean."""
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(centred))) ** 2
    return np.asarray(np.fft.irfft(spectrum)[: len(centred)])
