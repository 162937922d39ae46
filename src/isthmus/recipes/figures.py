"""Pictures that several recipes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.recipes.digits import SIDE
from isthmus.recipes.figure_types import ImageStrip, ImageStrips, Scatter
from isthmus.verdict.parameter_table import parameter_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.recipes.digits import Digits

MOST_POINTS = 3000
"""The maximum number of points drawn; more would hide each other."""


def pictures(rows: Floats) -> Floats:
    """Return rows of 784 numbers as images (n, 28, 28)."""
    return rows.reshape(-1, SIDE, SIDE)


def rebuilt(digits: Digits, reconstruction: Floats, *extra: ImageStrip) -> ImageStrips:
    """Show ten test digits, their reconstructions, and the difference.

    Parameters
    ----------
    digits : Digits
    reconstruction : float32 array of shape (n, ...)
        Of all test images.
    *extra : ImageStrip
        Rows to show between the two.
    """
    chosen = digits.examples()
    original, made = digits.x_test[chosen], pictures(reconstruction)[chosen]
    return ImageStrips(
        "Ten test digits, reconstructed",
        (
            ImageStrip("original", original),
            *extra,
            ImageStrip("rebuilt", made),
            ImageStrip("difference", np.abs(original - made), heat=True),
        ),
        "The difference is absolute; its brightest colour is the full range.",
    )


def codes(labels: NDArray[Any], points: NDArray[Any], *, title: str, caption: str = "") -> Scatter:
    """Show two-dimensional codes, coloured by label."""
    some = slice(None, MOST_POINTS)
    if len(points) > MOST_POINTS:
        caption = f"{caption} The first {MOST_POINTS:,} of {len(points):,} are drawn.".strip()
    return Scatter(title, points[some], labels[some], caption=caption)


def size_note(model: Any) -> str:
    """Return a sentence on the code size of a fitted estimator, compared with its input."""
    table = parameter_table(model)
    if table.code_not_smaller:
        return (
            f"The code has {table.code_cells:,} numbers and the input {table.input_cells:,}: the "
            "code is no smaller than the input, so nothing forces the network to compress."
        )
    return f"{table.input_cells:,} numbers become {table.code_cells:,}."
