"""Samples beside their reconstructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.plots.axes import ORIGINAL, RECONSTRUCTION, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_GAP = 1
"""Pixels between pictures."""
_SPREAD = 1.2
"""Distance of series drawn above each other, in ranges of the values."""


def pictures(originals: NDArray[Any], rebuilt: NDArray[Any], ax: Any) -> Axes:
    """Draw pictures (n, height, width[, channels]) above their reconstructions.

    Of pictures that are neither grey nor RGB, the first channel is drawn. The brightness is scaled
    to the range of the originals.
    """
    rows = [_shown(part) for part in (originals, rebuilt)]
    low, high = np.nanmin(rows[0]), np.nanmax(rows[0])
    scaled = [np.clip((part - low) / max(high - low, 1e-12), 0, 1) for part in rows]
    mosaic = np.concatenate([_side_by_side(part) for part in scaled])
    axes = axes_or_new(ax, (max(4.0, 1.0 * len(originals)), 2.4))
    height = scaled[0].shape[1] + _GAP
    axes.imshow(mosaic, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks([height / 2, 1.5 * height], ["original", "reconstruction"])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return axes


def series(originals: NDArray[Any], rebuilt: NDArray[Any], ax: Any) -> Axes:
    """Draw the first channel of series (n, time, channels), above each other."""
    lines = [part.reshape(*part.shape[:2], -1)[:, :, 0] for part in (originals, rebuilt)]
    step = _SPREAD * (np.nanmax(lines[0]) - np.nanmin(lines[0]) or 1.0)
    axes = axes_or_new(ax)
    names, colours = ("original", "reconstruction"), (ORIGINAL, RECONSTRUCTION)
    for part, name, colour in zip(lines, names, colours, strict=True):
        for place, line in enumerate(part):
            axes.plot(line - place * step, color=colour, label=None if place else name)
    axes.set(xlabel="time step", yticks=[])
    axes.legend()
    return axes


def cells(originals: NDArray[Any], rebuilt: NDArray[Any], ax: Any) -> Axes:
    """Draw each cell's reconstruction against its value, both in scaled units."""
    axes = axes_or_new(ax, (5.0, 5.0))
    known = np.isfinite(originals)
    axes.scatter(originals[known], rebuilt[known], s=6, linewidths=0, color=RECONSTRUCTION)
    ends = [np.nanmin(originals), np.nanmax(originals)]
    axes.plot(ends, ends, color="0.6", linewidth=1)
    axes.set(xlabel="value, scaled", ylabel="reconstruction, scaled")
    return axes


def _shown(part: NDArray[Any]) -> NDArray[np.float64]:
    pixels = np.asarray(part, dtype=np.float64)
    if pixels.ndim == 4 and pixels.shape[-1] != 3:
        pixels = pixels[..., 0]
    return np.nan_to_num(pixels, nan=float(np.nanmin(pixels)))


def _side_by_side(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Join pictures (n, h, w[, 3]) with white gaps."""
    gaps = [(0, 0), (0, _GAP), (0, _GAP), *[(0, 0)] * (part.ndim - 3)]
    return np.concatenate(list(np.pad(part, gaps, constant_values=1.0)), axis=1)
