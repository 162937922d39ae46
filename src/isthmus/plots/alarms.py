"""Anomaly scores with their threshold and alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.plots.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_ALARM = "C3"


def alarms(
    scores: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    places: Any,
    ax: Any,
    *,
    connected: bool,
) -> Axes:
    """Draw the scores of rows (n,), the threshold of each, and the alarms above it.

    Parameters
    ----------
    scores, thresholds : float64 arrays of shape (n,)
        NaN where a row has no score.
    places : array of shape (n,)
        Times, or numbers of rows.
    ax : matplotlib Axes or None
        Where to draw; None for a new figure.
    connected : bool
        Whether rows follow each other in time.
    """
    axes = axes_or_new(ax, (8.0, 3.0))
    if connected:
        axes.plot(places, scores, linewidth=0.8, label="score")
    else:
        axes.scatter(places, scores, s=6, linewidths=0, label="score")
    axes.plot(places, thresholds, color="0.5", linewidth=1, linestyle="--", label="threshold")
    above = scores > thresholds
    found = int(above.sum())
    axes.scatter(
        np.asarray(places)[above],
        scores[above],
        s=12,
        color=_ALARM,
        linewidths=0,
        zorder=3,
        label=f"{found:,} row{'' if found == 1 else 's'} in alarm",
    )
    timed = np.asarray(places).dtype.kind == "M"
    if timed:
        _shorten_dates(axes)
    axes.set(xlabel="" if timed else "row", ylabel="anomaly score")
    axes.legend()
    return axes


def _shorten_dates(ax: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
