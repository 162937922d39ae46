"""Small pictures in one image, tile by tile."""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TILE = 48
"""Largest side of a tile, pixels."""
_EXACT = 32
"""Pictures up to this side are stored without loss."""
_MOST_PIXELS = 4_000_000
"""Of all tiles: about 1,700 of the largest ones."""
_BLOCK = 8
"""JPEG compresses squares of this side; with whole ones, tiles do not touch each other's."""


def most_tiles(height: int, width: int) -> int:
    """Return how many pictures of this size may be shown."""
    tall, wide = _tile_size(height, width)
    return _MOST_PIXELS // (tall * wide)


def picture_tiles(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Return pictures (n, h, w) or (n, h, w, 3) as one image, JSON-able.

    The entries are the ``data:`` URI, the size of a tile, and the number of tiles in a row.
    """
    count, height, width = images.shape[:3]
    tall, wide = _tile_size(height, width)
    columns = max(1, math.isqrt(count * tall // wide))
    exact = max(tall, wide) <= _EXACT
    step_y, step_x = (side if exact else -(-side // _BLOCK) * _BLOCK for side in (tall, wide))
    lines = -(-count // columns)
    sheet = Image.new("L" if images.ndim == 3 else "RGB", (columns * step_x, lines * step_y))
    for place, image in enumerate(images):
        drawn = Image.fromarray(image)
        if drawn.size != (wide, tall):
            drawn = drawn.resize((wide, tall), Image.Resampling.LANCZOS)
        sheet.paste(drawn, (place % columns * step_x, place // columns * step_y))
    blob = io.BytesIO()
    kind = "png" if exact else "jpeg"
    sheet.save(blob, kind, **({"optimize": True} if exact else {"quality": 85, "subsampling": 0}))
    uri = f"data:image/{kind};base64,{base64.b64encode(blob.getvalue()).decode('ascii')}"
    size = {"width": wide, "height": tall, "stepX": step_x, "stepY": step_y}
    return {"uri": uri, "columns": columns, **size}


def _tile_size(height: int, width: int) -> tuple[int, int]:
    share = min(1.0, TILE / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))
