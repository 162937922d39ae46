"""Samples decoded beforehand, for decoders that the page cannot run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.explorer.packing import packed
from isthmus.explorer.picture_tiles import picture_tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.explorer.code_model import CodeModel
    from isthmus.explorer.decoded_outputs import PictureForm
    from isthmus.explorer.plane import CodePlane

_SIDE = 40
"""Points along each side of the plane, at most."""
_MOST_CELLS = 2_000_000


def decoded_grid(
    model: CodeModel,
    plane: CodePlane,
    codes: NDArray[np.float32],
    cells: int,
    picture: PictureForm | None,
) -> dict[str, Any]:
    """Return samples decoded at the points of a grid on the plane, JSON-able.

    Parameters
    ----------
    model : CodeModel
    plane : CodePlane
    codes : array of shape (n, latent_dim)
        The codes at the plane's points.
    cells : int
        Number of cells of a sample.
    picture : PictureForm, optional
        How samples are shown as pictures; None for rows.
    """
    side = int(np.clip(math.isqrt(_MOST_CELLS // max(cells, 1)), 8, _SIDE))
    low, high = plane.points.min(axis=0), plane.points.max(axis=0)
    x, y = (np.linspace(a, b, side) for a, b in zip(low, high, strict=True))
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # row by row from the bottom
    decoded = model.decode(plane.codes_at(places, codes)).reshape(len(places), -1)
    shown = {"tiles": picture_tiles(picture.images(decoded))} if picture else {}
    rows = {} if picture else {"matrix": packed(decoded, "f32")}
    ends = {"low": low.tolist(), "high": high.tolist()}
    return {"kind": "grid", "side": side, **ends, **shown, **rows}
