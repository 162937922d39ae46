"""Charts as inline SVG: lines, histograms and scatter plots.

No plotting library is used, because the charts must follow the reader's light or dark theme without
a script: every colour is a CSS variable of the page (``--c0`` to ``--c11`` for categories, ``--s0``
to ``--s7`` for a scale).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from isthmus.report.axes import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    grid,
    is_wide,
    linear,
    logarithmic,
    path_points,
    span,
    svg,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CROWD = 800  # number of points from which they are drawn smaller, to remain visible


@dataclass(frozen=True)
class PlotLine:
    """A named set of points in one colour."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: str
    """A CSS variable of the page, such as ``"--c0"``."""


def line_chart(
    series: Sequence[PlotLine],
    *,
    name: str,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    mark: float | None = None,
    from_zero: bool = False,
) -> Markup:
    """Draw curves; the vertical axis is logarithmic if the range of values is wide.

    Parameters
    ----------
    series : sequence of PlotLine
        The curves. Points that are not finite are left out.
    name : str
        Prefix of the element ids; must be unique on the page.
    title, description : str
        Texts for screen readers.
    x_label, y_label : str
        Names of the axes.
    mark : float, optional
        Position of a vertical line.
    from_zero : bool
        Whether the vertical axis starts at 0 and is linear.
    """
    height = 250
    x, y = span([s.x for s in series]), span([s.y for s in series])
    if from_zero:
        y = (0.0, y[1])
    log = is_wide(*y)
    across = linear(*x, LEFT, WIDTH - RIGHT, whole=True)
    up = (logarithmic if log else linear)(*y, height - BOTTOM, TOP)
    body = [grid(across, up, x_label, f"{y_label}, log scale" if log else y_label)]
    if mark is not None:
        body.append(_mark(float(across(mark)), height))
    for one in series:
        good = np.isfinite(one.x) & np.isfinite(one.y)
        points = path_points(across(one.x[good]), up(one.y[good]))
        colour = f"stroke:var({one.colour})"
        body.append(Markup('<path class="curve" style="{}" d="M{}"/>').format(colour, points))
    return svg(body, height, name, title, description)


def scatter_chart(
    groups: Sequence[PlotLine],
    *,
    name: str,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    labelled: bool = False,
) -> Markup:
    """Draw points with one colour per group; `labelled` writes each group's name at its median."""
    height = 370
    across = linear(*span([g.x for g in groups]), LEFT, WIDTH - RIGHT, pad=0.03)
    up = linear(*span([g.y for g in groups]), height - BOTTOM, TOP, pad=0.03)
    body = [grid(across, up, x_label, y_label)]
    dot = 6 if sum(len(group.x) for group in groups) < _CROWD else 4
    for group in groups:
        # Lines of length 0 with round caps appear as dots, and take fewer bytes than circles.
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
    return svg(body, height, name, title, description)


def histogram_chart(
    samples: Sequence[tuple[str, NDArray[np.float64], str]],
    *,
    name: str,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    bins: int | NDArray[np.float64] = 40,
    mark: float | None = None,
    log: bool = False,
) -> Markup:
    """Draw overlaid histograms of named samples, the first filled and the others outlined.

    The axis ends at the largest 99 % quantile of a sample; values beyond are in the last bin.

    Parameters
    ----------
    samples : sequence of (str, array, str)
        Name, values and colour of each.
    name, title, description, x_label, y_label
        As for `line_chart`.
    bins : int or array
        Number of bins, or their edges.
    mark : float, optional
        Position of a vertical line, which the axis includes.
    log : bool
        Whether to make the horizontal axis logarithmic if the values are positive and their range
        is wide. It then starts at the smallest 1 % quantile of a sample.
    """
    height = 250
    edges, log = _edges(samples, bins, mark, log=log)
    shares = [
        np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
        for _, values, _ in samples
    ]
    axis = logarithmic if log else linear
    across = axis(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    up = linear(0.0, max(float(s.max()) for s in shares) * 100, height - BOTTOM, TOP)
    body = [grid(across, up, f"{x_label}, log scale" if log else x_label, y_label)]
    for place, ((_, _, colour), share) in enumerate(zip(samples, shares, strict=True)):
        steps = path_points(across(np.repeat(edges, 2)[1:-1]), up(np.repeat(share * 100, 2)))
        floor = float(up(0.0))
        path = f"M{float(across(edges[0])):.1f} {floor:.1f}L{steps}V{floor:.1f}"
        kind = "filled" if place == 0 else "outline"
        body.append(
            Markup('<path class="{}" style="--colour:var({})" d="{}"/>').format(kind, colour, path)
        )
    if mark is not None:
        body.append(_mark(float(across(mark)), height))
    return svg(body, height, name, title, description)


def small_histogram(values: NDArray[np.float64], *, bins: int = 24) -> Markup:
    """Draw a word-sized histogram of `values` without axes."""
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


def _edges(
    samples: Sequence[tuple[str, NDArray[np.float64], str]],
    bins: int | NDArray[np.float64],
    mark: float | None,
    *,
    log: bool,
) -> tuple[NDArray[np.float64], bool]:
    """Return the bin edges and whether they are spaced logarithmically."""
    if not isinstance(bins, int):
        return bins, False
    top = max(float(np.quantile(values, 0.99)) for _, values, _ in samples)
    low = min(float(values.min()) for _, values, _ in samples)
    if mark is not None:
        low, top = min(low, mark), max(top, mark + 0.25 * (mark - low))
    smallest = [float(np.quantile(values, 0.01)) for _, values, _ in samples]
    least = min(*smallest, top if mark is None else mark)
    if log and is_wide(least, top):
        return np.geomspace(least, top, bins + 1), True
    return np.linspace(low, top if top > low else low + 1, bins + 1), False


def _mark(place: float, height: int) -> Markup:
    """Draw a vertical line."""
    return Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
        place, TOP, height - BOTTOM
    )
