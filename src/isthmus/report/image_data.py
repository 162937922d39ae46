"""Convert image samples to pictures that are embedded in the page."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

SMALL = 64
"""Images up to this many pixels wide and high are kept exactly. Larger ones are shrunk and stored
as JPEG, so that a page of photographs stays below a megabyte."""
LARGEST = 144
"""The longer side of a shrunk image, pixels."""

_COLOURS = (3, 4)

_HEAT = np.array(
    [[12, 12, 24], [84, 24, 96], [190, 55, 82], [246, 140, 60], [252, 240, 190]], np.float32
)


def data_uri(image: Floats, *, exact: bool = False) -> str:
    """Encode an image as a ``data:`` URI.

    Parameters
    ----------
    image : array (h, w) or (h, w, c)
        Fractions of the range, 0 to 1. One channel is grey, three are RGB, four RGBA; the mean of
        any other number is shown. Missing pixels are mid grey.
    exact : bool
        Keep every pixel, whatever the size of the image.
    """
    return _pack(picture(image), exact=exact)


def picture(image: Floats) -> Image.Image:
    """Draw one image, as `data_uri` encodes it."""
    shares = np.clip(np.nan_to_num(np.asarray(image, np.float32), nan=0.5), 0, 1)
    if shares.ndim == 3 and shares.shape[2] not in _COLOURS:
        shares = shares.mean(axis=2)
    return Image.fromarray(np.round(shares * 255).astype(np.uint8))


def heat_uri(values: Floats, largest: float) -> str:
    """Encode values from 0 (dark) to `largest` (bright) as a heat map in a ``data:`` URI.

    Parameters
    ----------
    values : array (h, w) or (h, w, c)
        Not negative; channels are averaged. Missing pixels are dark.
    largest : float
        The value of the brightest colour.
    """
    return _pack(heat(values, largest))


def heat(values: Floats, largest: float) -> Image.Image:
    """Draw values as a heat map, as `heat_uri` encodes it."""
    flat = values.mean(axis=2) if values.ndim == 3 else values
    share = np.clip(np.nan_to_num(flat) / (largest or 1.0), 0, 1)
    stops = np.linspace(0, 1, len(_HEAT))
    colours = np.stack([np.interp(share, stops, _HEAT[:, c]) for c in range(3)], axis=-1)
    return Image.fromarray(colours.astype(np.uint8))


def mosaic(images: Floats, columns: int) -> Floats:
    """Join images (n, h, w[, c]) into one, row by row, with `columns` images in a row."""
    rows = len(images) // columns
    grid = images[: rows * columns].reshape(rows, columns, *images.shape[1:])
    joined = np.moveaxis(grid, 1, 2)  # (rows, h, columns, w[, c])
    return joined.reshape(rows * images.shape[1], columns * images.shape[2], *images.shape[3:])


def shares_of_range(images: Floats, low: float, high: float) -> Floats:
    """Map values from `low` to `high` onto 0 to 1."""
    return (images - low) / ((high - low) or 1.0)


def _pack(drawn: Image.Image, *, exact: bool = False) -> str:
    shrunk = not exact and max(drawn.size) > SMALL
    kind = "jpeg" if shrunk and drawn.mode != "RGBA" else "png"
    if shrunk:
        drawn.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    blob = io.BytesIO()
    drawn.save(blob, kind, **({"quality": 88} if kind == "jpeg" else {"optimize": True}))
    return f"data:image/{kind};base64,{base64.b64encode(blob.getvalue()).decode('ascii')}"
