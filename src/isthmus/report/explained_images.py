"""Pictures that explain why images are anomalous: image, expected image and contributions."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from isthmus.core.number_format import number
from isthmus.report.image_data import heat, picture, shares_of_range

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float32]

_LEAST, _MOST = 160, 480
"""Smaller images are enlarged by a whole factor, larger ones are shrunk, pixels."""
_GAP, _LINE = 12, 20
_TITLES = ("image", "expected", "contribution to the score")


class ExplainedImage(NamedTuple):
    """An image and the reasons for its score."""

    name: str
    """The file, or the number of the row."""
    score: float
    image: Floats
    """(h, w) or (h, w, channels), in the user's units."""
    expected: Floats
    contributions: Floats
    """Of each cell; they sum to the score."""


def explained_png(explained: Sequence[ExplainedImage], limits: tuple[float, float] | None) -> bytes:
    """Draw images, what was expected and where the score comes from, as a PNG file.

    Parameters
    ----------
    explained : sequence of ExplainedImage
        At least one, all of one shape. They are drawn below each other.
    limits : (float, float) or None
        The values shown as black and as white; None: the least and the greatest of the images.
    """
    low, high = limits or _limits([each.image for each in explained])
    drawn = [_panels(each, low, high) for each in explained]
    width, height = drawn[0][0].size
    step = 2 * _LINE + height + _GAP
    column = max(width, max(map(_text_width, _TITLES))) + _GAP
    sheet = Image.new("RGB", (_GAP + 3 * column, _GAP + len(drawn) * step), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (each, panels) in enumerate(zip(explained, drawn, strict=True)):
        top = _GAP + row * step
        largest = number(float(np.nanmax(each.contributions)))
        heading = f"{each.name}   score {number(each.score)}, brightest pixel {largest}"
        pen.text((_GAP, top), heading, fill="black", font_size=14)
        for place, (title, panel) in enumerate(zip(_TITLES, panels, strict=True)):
            left = _GAP + place * column
            pen.text((left, top + _LINE), title, fill="#5a6068", font_size=12)
            sheet.paste(panel, (left, top + 2 * _LINE))
    blob = io.BytesIO()
    sheet.save(blob, "png", optimize=True)
    return blob.getvalue()


def _panels(each: ExplainedImage, low: float, high: float) -> list[Image.Image]:
    plain = [picture(shares_of_range(image, low, high)) for image in (each.image, each.expected)]
    hot = heat(each.contributions, float(np.nanmax(each.contributions)))
    return [_fitted(panel) for panel in (*plain, hot)]


def _fitted(panel: Image.Image) -> Image.Image:
    panel = panel.convert("RGB")
    longest = max(panel.size)
    if longest > _MOST:
        panel.thumbnail((_MOST, _MOST), Image.Resampling.LANCZOS)
    elif longest < _LEAST:
        factor = -(-_LEAST // longest)
        size = (panel.width * factor, panel.height * factor)
        panel = panel.resize(size, Image.Resampling.NEAREST)
    return panel


def _text_width(text: str) -> int:
    return round(ImageDraw.Draw(Image.new("L", (1, 1))).textlength(text, font_size=12))


def _limits(images: Sequence[Floats]) -> tuple[float, float]:
    return min(float(np.nanmin(x)) for x in images), max(float(np.nanmax(x)) for x in images)
