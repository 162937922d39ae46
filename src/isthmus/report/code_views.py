"""Views of the codes: a scatter plot and a histogram of each dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.core.errors import InvalidData
from isthmus.core.number_format import count, number, percent
from isthmus.core.randomness import generator_for
from isthmus.core.sample_words import about
from isthmus.evaluation.findings import dead_dimensions
from isthmus.report.charts import PlotLine, scatter_chart, small_histogram
from isthmus.report.image_samples import plane

if TYPE_CHECKING:
    from markupsafe import Markup

    from isthmus.core.sample_words import SampleNoun
    from isthmus.evaluation.comparison import Comparison

Codes = NDArray[np.float64]

MOST_POINTS = 3000
"""Most points drawn. More would hide each other, and each takes a dozen bytes."""
MOST_CLASSES = 12
"""Number of distinguishable colours. With more classes, the rarest share the last colour."""
MOST_DIMENSIONS = 32
_SHADES = 8


class Dimension(NamedTuple):
    """The distribution of one code dimension."""

    name: str
    dead: bool
    chart: Markup
    text: str


class CodesView(NamedTuple):
    """Everything that the page shows about the codes."""

    note: str
    scatter: Markup | None
    caption: str
    legend: list[tuple[str, str]]
    ramp: tuple[str, str] | None
    """The ends of the colour scale for numeric labels."""
    plane: str
    plane_caption: str
    dimensions: list[Dimension]
    more: str


class _Colouring(NamedTuple):
    groups: list[tuple[str, str, NDArray[np.bool_]]]
    """Name, colour and mask of the points of each group."""
    ramp: tuple[str, str] | None
    named: bool


def view(contest: Comparison, model: Any, y: Any, noun: SampleNoun = "row") -> CodesView:
    """Draw the codes of the evaluated rows, coloured by labels if there are any.

    Parameters
    ----------
    contest : Comparison
    model : fitted autoencoder
    y : array of one label per row of ``X_test``, or None
    noun : {"row", "image"}
        What samples are called.

    Raises
    ------
    InvalidData
        The number of labels differs from the number of rows.
    """
    codes = contest.codes
    labels = None if y is None else np.asarray(y)[contest.rows]
    plot, names, caption = _flatten(codes, contest.autoencoder.errors)
    some = _sample(len(plot))
    if len(some) < len(plot):
        caption += f" {len(some):,} of {len(plot):,} rows are drawn."
    if y is not None:
        caption += " Colours show the given labels"
        caption += "." if getattr(model, "supervised", False) else ", which the model did not use."
    caption = about(noun, caption)
    colouring = _colour(None if labels is None else labels[some], len(some))
    groups = [
        PlotLine(name, plot[some][mask, 0], plot[some][mask, 1], colour)
        for name, colour, mask in colouring.groups
    ]
    scatter = scatter_chart(
        groups,
        name="scatter",
        title=f"Codes of held-out {noun}s",
        description=caption,
        x_label=names[0],
        y_label=about(noun, names[1]),
        labelled=colouring.named,
    )
    decoded = plane(model, codes)
    dimensions, more = _dimensions(codes, getattr(model, "kl_", None))
    return CodesView(
        note=f"Each {noun} is encoded as {count(codes.shape[1], 'number')}.",
        scatter=scatter if len(some) > 1 else None,
        caption=caption,
        legend=[(name, colour) for name, colour, _ in colouring.groups] if colouring.named else [],
        ramp=colouring.ramp,
        plane=decoded[0] if decoded else "",
        plane_caption=decoded[1] if decoded else "",
        dimensions=dimensions if len(codes) > 1 else [],
        more=more,
    )


def check_labels(y: Any, n: int) -> None:
    """Check that there is one label per row.

    Raises
    ------
    InvalidData
        The shape of `y` is not (n,).
    """
    shape = np.shape(y)
    if shape != (n,):
        raise InvalidData(
            "y",
            expected=f"one label per row, shape ({n},)",
            received=f"shape {shape}",
            remedy="pass the labels of the same rows as X",
        )


def _flatten(codes: Codes, errors: Codes) -> tuple[Codes, tuple[str, str], str]:
    """Return two numbers per row to draw, their names and a caption."""
    size = codes.shape[1]
    if size == 1:
        caption = "The code of each held-out row, and the row's error."
        return np.column_stack([codes[:, 0], errors]), ("code", "error of the row"), caption
    if size == 2:
        return codes, ("dimension 1", "dimension 2"), "The code of each held-out row."
    centred = codes - codes.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    total = float(np.square(spread).sum())
    share = float(np.square(spread[:2]).sum()) / total if total else 0.0
    caption = (
        f"The {size}-number codes of held-out rows, reduced to two by PCA, which keeps "
        f"{percent(share)} of their variance."
    )
    shadow = centred @ axes[:2].T
    if shadow.shape[1] < 2:
        shadow = np.column_stack([shadow, np.zeros(len(shadow))])
    return shadow, ("first principal axis", "second principal axis"), caption


def _sample(n: int) -> NDArray[np.intp]:
    if n <= MOST_POINTS:
        return np.arange(n)
    return np.sort(generator_for(0, "report points").choice(n, MOST_POINTS, replace=False))


def _colour(labels: NDArray[Any] | None, n: int) -> _Colouring:
    if labels is None:
        return _Colouring([("rows", "--c0", np.ones(n, dtype=bool))], None, named=False)
    texts = np.array([_label(value) for value in labels])
    classes, sizes = np.unique(texts, return_counts=True)
    if labels.dtype.kind in "iuf" and len(classes) > MOST_CLASSES:
        return _shade(labels.astype(np.float64))
    if len(classes) > MOST_CLASSES:
        kept = set(classes[np.argsort(-sizes, kind="stable")][: MOST_CLASSES - 1])
        texts = np.array([text if text in kept else "others" for text in texts])
    ordered = sorted(set(texts.tolist()), key=_natural)
    groups = [(name, f"--c{i}", texts == name) for i, name in enumerate(ordered)]
    return _Colouring(groups, None, named=True)


def _shade(values: Codes) -> _Colouring:
    """Colour by magnitude: eight shades between the 2nd and 98th percentile."""
    known = values[np.isfinite(values)]
    if not len(known):
        return _colour(None, len(values))
    low, high = np.quantile(known, [0.02, 0.98])
    share = (values - low) / ((high - low) or 1.0)
    place = np.clip(np.nan_to_num(share) * _SHADES, 0, _SHADES - 1).astype(int)
    groups = [(f"shade {i}", f"--s{i}", (place == i) & np.isfinite(values)) for i in range(_SHADES)]
    return _Colouring(groups, (number(float(low)), number(float(high))), named=False)


def _label(value: Any) -> str:
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return "none"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _natural(text: str) -> tuple[bool, float, str]:
    """Sort key: numbers by size, then words."""
    try:
        return (False, float(text), text)
    except ValueError:
        return (True, 0.0, text)


def _dimensions(codes: Codes, kl: Codes | None) -> tuple[list[Dimension], str]:
    spread = codes.std(axis=0)
    dead = dead_dimensions(codes)
    shown = np.sort(np.argsort(-spread, kind="stable")[:MOST_DIMENSIONS])
    views = [
        Dimension(
            f"{i + 1}",
            bool(dead[i]),
            small_histogram(codes[:, i]),
            f"{number(float(codes[:, i].mean()), 2)} ± {number(float(spread[i]), 2)}"
            + ("" if kl is None else f", {number(float(kl[i]), 2)} nats"),
        )
        for i in shown
    ]
    notes = []
    if kl is not None:
        notes.append("Nats are the mean KL divergence of the posterior from the prior.")
    if len(views) < codes.shape[1]:
        notes.append(
            f"The {len(views)} of {codes.shape[1]:,} dimensions with the widest spread are drawn."
        )
    return views, " ".join(notes)
