"""Axes of the charts: scales, ticks and the frame.

Charts are 380 units wide by default, so that their text keeps its size on a phone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from isthmus.core.number_format import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

WIDTH = 380
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 10, 40
_WIDE = 20.0


@dataclass(frozen=True)
class Axis:
    """A scale from values to positions, with ticks."""

    low: float
    high: float
    start: float
    end: float
    ticks: list[float]
    log: bool = False
    labels: tuple[str, ...] = ()
    """Texts of the ticks; by default, their values."""

    def __call__(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the positions of `values`."""
        values = np.asarray(values, dtype=np.float64)
        scale: Callable[[ArrayLike], NDArray[np.float64]] = np.log if self.log else np.asarray
        share = (scale(values) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return np.asarray(self.start + share * (self.end - self.start))

    def texts(self) -> Sequence[str]:
        """Return the text of each tick."""
        return self.labels or [_tick(tick, self) for tick in self.ticks]


def span(arrays: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Return the smallest and the largest finite value; (0, 1) if there is none."""
    joined = np.concatenate([np.asarray(a, dtype=np.float64).ravel() for a in arrays])
    joined = joined[np.isfinite(joined)]
    return (float(joined.min()), float(joined.max())) if len(joined) else (0.0, 1.0)


def is_wide(low: float, high: float) -> bool:
    """Whether a linear axis would hide the small values of a range."""
    return low > 0 and high / low > _WIDE


def linear(
    low: float, high: float, start: float, end: float, *, pad: float = 0.0, whole: bool = False
) -> Axis:
    """Make an axis with about five round ticks.

    Parameters
    ----------
    low, high : float
        Values at the ends. `pad` is the margin beyond them, as a fraction of their distance.
    start, end : float
        Positions of the ends.
    whole : bool
        Whether all ticks are integers.
    """
    if high <= low:
        room = abs(low) * 0.1 or 1.0
        low, high = low - room, high + room
    margin = (high - low) * pad
    step = _nice((high - low) / 5)
    if whole:
        step = max(1.0, round(step))
    first, last = math.ceil(low / step), math.floor(high / step + 1e-9)
    ticks = [i * step for i in range(first, last + 1)]
    return Axis(low - margin, high + margin, start, end, ticks)


def logarithmic(low: float, high: float, start: float, end: float) -> Axis:
    """Make a logarithmic axis between positive values."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    # With few decades, there is room for ticks at 2 and 5 as well; with many, some are skipped.
    steps = (1, 2, 5) if len(powers) <= 4 else (1,)
    stride = max(1, len(powers) // 6)
    ticks = [m * 10.0**p for p in powers[::stride] for m in steps]
    return Axis(low, high, start, end, [t for t in ticks if low <= t <= high], log=True)


def path_points(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Format positions as the points of an SVG path."""
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def grid(across: Axis, up: Axis, x_label: str, y_label: str) -> Markup:
    """Draw the grid lines, tick texts and names of both axes."""
    left, right, bottom, top = across.start, across.end, up.start, up.end
    parts = []
    for text, place in zip(up.texts(), up(up.ticks), strict=True):
        parts.append(
            Markup(
                '<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
                '<text class="tick" x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
            ).format(left, right, place, left - 6, place + 4, text)
        )
    for text, place in zip(across.texts(), across(across.ticks), strict=True):
        parts.append(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                place, bottom + 16, text
            )
        )
    parts.append(
        Markup(
            '<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
            '<text class="label" x="{3}" y="{4}" text-anchor="middle">{5}</text>'
            '<text class="label" transform="translate(11 {6}) rotate(-90)" '
            'text-anchor="middle">{7}</text>'
        ).format(
            left,
            right,
            bottom,
            (left + right) / 2,
            bottom + BOTTOM - 6,
            x_label,
            (top + bottom) / 2,
            y_label,
        )
    )
    return Markup("").join(parts)


def svg(
    body: Sequence[Markup],
    height: int,
    name: str,
    title: str,
    description: str,
    *,
    width: int = WIDTH,
) -> Markup:
    """Join the elements to an SVG with a title and description for screen readers."""
    kind = "chart" if width == WIDTH else "chart wide"
    return Markup(
        '<svg class="{6}" viewBox="0 0 {0} {1}" role="img" aria-labelledby="{2}-t {2}-d">'
        '<title id="{2}-t">{3}</title><desc id="{2}-d">{4}</desc>{5}</svg>'
    ).format(width, height, name, title, description, Markup("").join(body), kind)


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(m for m in (1, 2, 2.5, 5, 10) if m * power >= step * 0.999)


def _tick(value: float, axis: Axis) -> str:
    if value == 0:
        return "0"
    if axis.log:
        return number(value, 1)
    step = abs(axis.ticks[1] - axis.ticks[0]) if len(axis.ticks) > 1 else abs(value)
    if abs(value) >= 1e5 or step < 1e-4:
        return number(value, 2)
    # As many decimals as needed to tell ticks apart.
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1
    return f"{value:,.{decimals}f}".replace("-", "−")
