"""The plane on which codes are drawn, and the codes of its points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.number_format import percent
from isthmus.explorer.packing import packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

_PLACED_BY = 3
"""Nearest points of a map that give the code of a place between them."""


class CodePlane(NamedTuple):
    """Positions of codes on a plane.

    Attributes
    ----------
    kind : {"line", "codes", "components", "map"}
        Whether codes have one number, two, or more of which principal components are drawn; or a
        map was given.
    names : (str, str)
        What the axes are.
    note : str
        What the plane is, in a sentence.
    points : array of shape (n, 2)
        The positions.
    center : array of shape (latent_dim,)
        The code at the origin, for components.
    axes : array of shape (2, latent_dim)
        Directions of the axes, for components.
    """

    kind: str
    names: tuple[str, str]
    note: str
    points: NDArray[np.float64]
    center: NDArray[np.float64]
    axes: NDArray[np.float64]

    def codes_at(self, places: NDArray[np.float64], codes: Floats) -> NDArray[np.float32]:
        """Return the codes of places of the plane, (m, 2) -> (m, latent_dim), as the page does.

        Parameters
        ----------
        places : array of shape (m, 2)
        codes : array of shape (n, latent_dim)
            The codes at `points`.
        """
        if self.kind != "map":
            width = {"line": 1, "codes": 2}.get(self.kind)
            made = places[:, :width] if width else self.center + places @ self.axes
            return made.astype(np.float32)
        away = np.square(places[:, None] - self.points[None]).sum(axis=2)
        nearest = np.argsort(away, axis=1, kind="stable")[:, :_PLACED_BY]
        weights = 1 / (np.take_along_axis(away, nearest, axis=1) + 1e-12)
        weights /= weights.sum(axis=1, keepdims=True)
        return np.asarray((codes[nearest] * weights[:, :, None]).sum(axis=1), np.float32)

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        made: dict[str, Any] = {"kind": self.kind, "names": self.names, "note": self.note}
        if self.kind == "components":
            return made | {"center": self.center.tolist(), "axes": self.axes.tolist()}
        return made if self.kind == "codes" else made | {"points": packed(self.points, "f32")}


def plane_of(codes: Floats, heights: Floats, height_name: str) -> CodePlane:
    """Return the plane of codes (n, latent_dim).

    Parameters
    ----------
    codes : array of shape (n, latent_dim)
    heights : array of shape (n,)
        What is drawn beside codes of one number.
    height_name : str
        What these are.
    """
    values = codes.astype(np.float64)
    size = values.shape[1]
    origin, none = np.zeros(size), np.zeros((2, size))
    if size == 1:
        points = np.column_stack([values[:, 0], heights])
        note = f"Codes are one number, drawn with the {height_name}."
        return CodePlane("line", ("code", height_name), note, points, origin, none)
    if size == 2:
        note = "Codes are two numbers: the plane is that of the codes."
        return CodePlane("codes", ("code 1", "code 2"), note, values, origin, none)
    center = values.mean(axis=0)
    away = values - center
    spreads, directions = np.linalg.eigh(away.T @ away)
    axes = directions[:, ::-1][:, :2].T
    # The sign of an eigenvector is arbitrary; make it the same on every machine.
    axes = axes * np.where(axes.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    total = float(spreads.sum())
    share = percent(float(spreads[-2:].sum()) / total if total > 0 else None)
    note = (
        f"Codes are {size} numbers. The plane is that of their first two principal components, "
        f"which have {share} of the variance."
    )
    names = ("component 1", "component 2")
    return CodePlane("components", names, note, away @ axes.T, center, axes)


def plane_of_map(points: Floats, method: str) -> CodePlane:
    """Return the plane of a `LatentMap`, whose rows are at `points` (n, 2)."""
    name = "UMAP" if method == "umap" else "t-SNE"
    note = (
        f"The plane is a map by {name}. Places between its points are decoded from the codes of "
        f"the {_PLACED_BY} nearest ones."
    )
    none = np.zeros((2, 0))
    names = ("map 1", "map 2")
    return CodePlane("map", names, note, points.astype(np.float64), np.zeros(0), none)
