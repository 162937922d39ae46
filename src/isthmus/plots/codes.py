"""Codes as points of the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidData
from isthmus.core.randomness import generator_for
from isthmus.plots.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_MOST_POINTS = 20_000
"""More points hide each other."""
_MOST_CLASSES = 20
"""More numbers than this are a colour scale."""


def codes(points: NDArray[Any], labels: Any, ax: Any) -> Axes:
    """Draw codes (n, latent_dim), coloured by labels (n,) if they are given.

    Codes of more than two numbers are drawn by their first two principal components.

    Raises
    ------
    InvalidData
        The number of labels differs from the number of codes.
    """
    labels = None if labels is None else np.asarray(labels)
    if labels is not None and labels.shape != (len(points),):
        raise InvalidData(
            "y",
            expected=f"one label for each of the {len(points)} rows of X",
            received=f"shape {labels.shape}",
            remedy="pass y of the same length, or leave it out",
        )
    axes = axes_or_new(ax, (6.0, 5.0))
    plane, names = _plane(points.astype(np.float64))
    some = np.sort(generator_for(0, "points").permutation(len(plane))[:_MOST_POINTS])
    if labels is None:
        axes.scatter(plane[some, 0], plane[some, 1], s=_size(len(some)), linewidths=0)
    else:
        _coloured(axes, plane[some], labels[some])
    axes.set(xlabel=names[0], ylabel=names[1])
    return axes


def _coloured(ax: Axes, plane: NDArray[np.float64], labels: NDArray[Any]) -> None:
    size = _size(len(plane))
    kinds = np.unique(labels.astype(str) if labels.dtype == object else labels)
    if labels.dtype.kind in "iuf" and len(kinds) > _MOST_CLASSES:
        drawn = ax.scatter(plane[:, 0], plane[:, 1], s=size, c=labels, linewidths=0)
        ax.figure.colorbar(drawn, ax=ax)
        return
    texts = labels.astype(str)
    for number, kind in enumerate(map(str, kinds)):
        # matplotlib has ten colours; further classes differ in the marker.
        x, y = plane[texts == kind].T
        marker = "ox"[number // 10 % 2]
        ax.scatter(x, y, s=size, color=f"C{number % 10}", marker=marker, label=kind)
    if len(kinds) <= _MOST_CLASSES:
        ax.legend(markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _plane(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[str, str]]:
    """Return points of the plane (n, 2), and the names of its axes."""
    width = points.shape[1]
    if width == 1:
        return np.column_stack([points, np.zeros(len(points))]), ("code 0", "")
    if width == 2:
        return points, ("code 0", "code 1")
    away = points - points.mean(axis=0)
    _, _, directions = np.linalg.svd(away, full_matrices=False)
    shares = np.square(away @ directions[:2].T).sum(axis=0) / max(np.square(away).sum(), 1e-300)
    names = [f"component {i} ({share:.0%} of the variance)" for i, share in enumerate(shares, 1)]
    return away @ directions[:2].T, (names[0], names[1])


def _size(points: int) -> float:
    return float(np.clip(12_000 / max(points, 1), 2, 20))
