"""The losses of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.plots.axes import axes_or_new

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes


def history(epochs: Mapping[str, Sequence[Any]], best_epoch: int, ax: Any) -> Axes:
    """Draw the losses of each epoch, and mark the one whose weights were kept."""
    axes = axes_or_new(ax)
    positive = True
    for name, label in (("loss", "training"), ("val_loss", "validation")):
        if name in epochs:
            losses = np.asarray(epochs[name], dtype=np.float64)
            positive = positive and bool((losses[np.isfinite(losses)] > 0).all())
            axes.plot(epochs["epoch"], losses, label=label)
    if best_epoch in epochs["epoch"]:
        axes.axvline(best_epoch, color="0.6", linewidth=1, linestyle=":", label="weights kept")
    if positive:
        axes.set_yscale("log")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend()
    return axes
