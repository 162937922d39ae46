"""The axes that a figure is drawn on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.core.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORIGINAL, RECONSTRUCTION = "C0", "C1"
"""matplotlib's first two colours, so that figures follow the user's style."""


def axes_or_new(ax: Any, size: tuple[float, float] = (6.4, 4.0)) -> Axes:
    """Return `ax`, or the axes of a new figure of `size` in inches.

    Raises
    ------
    MissingExtra
        matplotlib is not installed.
    """
    if ax is not None:
        found: Axes = ax
        return found
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtra(
            "plots",
            expected="the package matplotlib",
            received=str(error),
            remedy="pip install 'isthmus[plots]'",
        ) from None
    made: Axes
    _, made = pyplot.subplots(figsize=size, layout="constrained")
    return made
