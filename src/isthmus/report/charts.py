"""Charts as inline SVG: lines, histograms and scatters.

They are drawn by hand rather than by a plotting library because they must follow the reader's
light or dark theme without a script: every colour is a CSS variable of the page (``--c0`` to
``--c11`` for categories, ``--s0`` to ``--s7`` for a scale). The drawing is some 380 units wide,
so that its text keeps its size on a phone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from isthmus.inspection.figures import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

WIDTH = 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 10, 40
_CROWD = 800  # points from which on they must be small to leave each other visible
_WIDE = 20.0  # beyond this ratio of largest to smallest, a linear axis hides the end of a curve


@dataclass(frozen=True)
class Series:
    """A named set of points in one colour."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: str
    """A CSS variable of the page: ``"--c0"``."""


@dataclass(frozen=True)
class _Axis:
    """Maps values to positions, and knows where its ticks are."""

    low: float
    high: float
    start: float
    end: float
    ticks: list[float]
    log: bool = False

    def __call__(self, values: ArrayLike) -> NDArray[np.float64]:
        values = np.asarray(values, dtype=np.float64)
        scale: Callable[[ArrayLike], NDArray[np.float64]] = np.log if self.log else np.asarray
        share = (scale(values) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return np.asarray(self.start + share * (self.end - self.start))


def line_chart(
    series: Sequence[Series],
    *,
    name: str,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    mark: float | None = None,
) -> Markup:
    """Draw curves over a common axis; the vertical one is logarithmic if the values span far.

    Parameters
    ----------
    series : sequence of Series
        The curves; points that are not finite are left out.
    name : str
        Unique on the page; ids are made of it.
    title, description : str
        What a screen reader says.
    x_label, y_label : str
        Names of the axes.
    mark : float, optional
        Where to draw a vertical line.
    """
    height = 250
    x, y = _span([s.x for s in series]), _span([s.y for s in series])
    log = y[0] > 0 and y[1] / y[0] > _WIDE
    across = _linear(*x, _LEFT, WIDTH - _RIGHT, whole=True)
    up = (_logarithmic if log else _linear)(*y, height - _BOTTOM, _TOP)
    body = [_grid(across, up, height, x_label, f"{y_label}, log scale" if log else y_label)]
    if mark is not None:
        place = float(across(mark))
        body.append(
            Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
                place, _TOP, height - _BOTTOM
            )
        )
    for one in series:
        good = np.isfinite(one.x) & np.isfinite(one.y)
        points = _points(across(one.x[good]), up(one.y[good]))
        colour = f"stroke:var({one.colour})"
        body.append(Markup('<path class="curve" style="{}" d="M{}"/>').format(colour, points))
    return _svg(body, height, name, title, description)


def scatter_chart(
    groups: Sequence[Series],
    *,
    name: str,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    labelled: bool = False,
) -> Markup:
    """Draw points, one colour per group; `labelled` writes each group's name at its median."""
    height = 370
    across = _linear(*_span([g.x for g in groups]), _LEFT, WIDTH - _RIGHT, pad=0.03)
    up = _linear(*_span([g.y for g in groups]), height - _BOTTOM, _TOP, pad=0.03)
    body = [_grid(across, up, height, x_label, y_label)]
    dot = 6 if sum(len(group.x) for group in groups) < _CROWD else 4
    for group in groups:
        # Lines of no length with round ends are dots, at a fraction of the size of circles.
        pairs = zip(across(group.x), up(group.y), strict=True)
        dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in pairs)
        body.append(
            Markup('<path class="dots" style="stroke:var({});--dot:{}" d="{}"/>').format(
                group.colour, dot, dots
            )
        )
    if labelled:
        body += [
            Markup('<text class="spot" x="{:.1f}" y="{:.1f}">{}</text>').format(
                float(np.median(across(group.x))), float(np.median(up(group.y))) + 4, group.name
            )
            for group in groups
            if len(group.x)
        ]
    return _svg(body, height, name, title, description)


def histogram_chart(
    samples: Sequence[tuple[str, NDArray[np.float64], str]],
    *,
    name: str,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    bins: int = 40,
) -> Markup:
    """Draw the distributions of named samples over each other: the first filled, others outlined.

    The axis ends where 99 % of the widest sample lie; what is beyond is counted in the last bin.
    """
    height = 250
    top = max(float(np.quantile(values, 0.99)) for _, values, _ in samples)
    low = min(float(values.min()) for _, values, _ in samples)
    edges = np.linspace(low, top if top > low else low + 1, bins + 1)
    shares = [
        np.histogram(np.clip(values, None, edges[-1]), edges)[0] / len(values)
        for _, values, _ in samples
    ]
    across = _linear(low, float(edges[-1]), _LEFT, WIDTH - _RIGHT)
    up = _linear(0.0, max(float(s.max()) for s in shares) * 100, height - _BOTTOM, _TOP)
    body = [_grid(across, up, height, x_label, y_label)]
    for place, ((_, _, colour), share) in enumerate(zip(samples, shares, strict=True)):
        steps = _points(across(np.repeat(edges, 2)[1:-1]), up(np.repeat(share * 100, 2)))
        floor = float(up(0.0))
        path = f"M{float(across(edges[0])):.1f} {floor:.1f}L{steps}V{floor:.1f}"
        kind = "filled" if place == 0 else "outline"
        body.append(
            Markup('<path class="{}" style="--colour:var({})" d="{}"/>').format(kind, colour, path)
        )
    return _svg(body, height, name, title, description)


def small_histogram(values: NDArray[np.float64], *, bins: int = 24) -> Markup:
    """Draw the distribution of `values` as a picture of the size of a word, without axes."""
    counts = np.histogram(values, bins)[0]
    heights = counts / max(1, counts.max()) * 36
    bars = "".join(
        f"M{place * 4 + 2} 38v-{max(height, 0.5):.1f}"
        for place, height in enumerate(heights)
        if height > 0
    )
    return Markup(
        '<svg class="small" viewBox="0 0 {} 40" aria-hidden="true"><path d="{}"/></svg>'
    ).format(bins * 4, bars)


def _span(arrays: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    joined = np.concatenate([np.asarray(a, dtype=np.float64).ravel() for a in arrays])
    joined = joined[np.isfinite(joined)]
    return (float(joined.min()), float(joined.max())) if len(joined) else (0.0, 1.0)


def _linear(
    low: float, high: float, start: float, end: float, *, pad: float = 0.0, whole: bool = False
) -> _Axis:
    if high <= low:
        room = abs(low) * 0.1 or 1.0
        low, high = low - room, high + room
    margin = (high - low) * pad
    step = _nice((high - low) / 5)
    if whole:
        step = max(1.0, round(step))
    first, last = math.ceil(low / step), math.floor(high / step + 1e-9)
    ticks = [i * step for i in range(first, last + 1)]
    return _Axis(low - margin, high + margin, start, end, ticks)


def _logarithmic(low: float, high: float, start: float, end: float) -> _Axis:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    # Few decades leave room for ticks at 2 and 5 as well; many need every second or third.
    steps = (1, 2, 5) if len(powers) <= 4 else (1,)
    stride = max(1, len(powers) // 6)
    ticks = [m * 10.0**p for p in powers[::stride] for m in steps]
    return _Axis(low, high, start, end, [t for t in ticks if low <= t <= high], log=True)


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(m for m in (1, 2, 2.5, 5, 10) if m * power >= step * 0.999)


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _grid(across: _Axis, up: _Axis, height: int, x_label: str, y_label: str) -> Markup:
    bottom, right = height - _BOTTOM, WIDTH - _RIGHT
    parts = []
    for tick, place in zip(up.ticks, up(up.ticks), strict=True):
        parts.append(
            Markup(
                '<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
                '<text class="tick" x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
            ).format(_LEFT, right, place, _LEFT - 6, place + 4, _tick(tick, up))
        )
    for tick, place in zip(across.ticks, across(across.ticks), strict=True):
        parts.append(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                place, bottom + 16, _tick(tick, across)
            )
        )
    parts.append(
        Markup(
            '<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
            '<text class="label" x="{3}" y="{4}" text-anchor="middle">{5}</text>'
            '<text class="label" transform="translate(11 {6}) rotate(-90)" '
            'text-anchor="middle">{7}</text>'
        ).format(
            _LEFT,
            right,
            bottom,
            (_LEFT + right) / 2,
            height - 6,
            x_label,
            (_TOP + bottom) / 2,
            y_label,
        )
    )
    return Markup("").join(parts)


def _tick(value: float, axis: _Axis) -> str:
    if value == 0:
        return "0"
    if axis.log:
        return number(value, 1)
    step = abs(axis.ticks[1] - axis.ticks[0]) if len(axis.ticks) > 1 else abs(value)
    if abs(value) >= 1e5 or step < 1e-4:
        return number(value, 2)
    # As many decimals as part one tick from the next.
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals and abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1
    return f"{value:,.{decimals}f}".replace("-", "−")


def _svg(body: Sequence[Markup], height: int, name: str, title: str, description: str) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {0} {1}" role="img" aria-labelledby="{2}-t {2}-d">'
        '<title id="{2}-t">{3}</title><desc id="{2}-d">{4}</desc>{5}</svg>'
    ).format(WIDTH, height, name, title, description, Markup("").join(body))
