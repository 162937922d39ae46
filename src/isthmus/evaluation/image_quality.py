"""Figures for images: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import numpy as np

from isthmus.objectives.structural_similarity import structural_similarity

if TYPE_CHECKING:
    from isthmus.core.types import Floats

_BLOCK_CELLS = 1 << 21
"""Cells that are compared at a time: 8 MiB of each array."""
_compare = jax.jit(structural_similarity)


def psnr(error: float) -> float | None:
    """Return the peak signal-to-noise ratio in dB of a mean squared error.

    Parameters
    ----------
    error : float
        In squared fractions of the range, so that the peak is 1.

    Returns
    -------
    float or None
        None for an error of 0, for which it is infinite.
    """
    return -10 * math.log10(error) if error > 0 else None


def mean_ssim(target: Floats, prediction: Floats) -> float:
    """Return the mean structural similarity of images, see `structural_similarity`.

    Both are clipped to the range. Images without an observed pixel are left out.

    Parameters
    ----------
    target, prediction : float32 array of shape (n, h, w) or (n, h, w, channels)
        Fractions of the range. NaN in `target` marks a missing pixel.
    """
    rows = max(1, _BLOCK_CELLS // target[0].size)
    found = []
    for start in range(0, len(target), rows):
        ours, theirs = target[start : start + rows], prediction[start : start + rows]
        observed = ~np.isnan(ours)
        some = observed.any(axis=tuple(range(1, ours.ndim)))
        mask = None if observed.all() else observed.astype(np.float32)
        values = _compare(_within_range(ours), _within_range(theirs), mask)
        found.append(np.asarray(values, np.float64)[some])
    return float(np.concatenate(found).mean())


def _within_range(images: Floats) -> Floats:
    return np.clip(np.nan_to_num(images), 0, 1)
