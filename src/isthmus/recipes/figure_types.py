"""The pictures of a recipe as plain data; `isthmus.report` draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats


@dataclass(frozen=True, eq=False)
class ImageStrip:
    """A row of images (n, h, w), scaled to [0, 1]; `heat` draws them as heat maps."""

    name: str
    images: Floats
    heat: bool = False


@dataclass(frozen=True, eq=False)
class ImageStrips:
    """Rows of images above each other, which show the same samples in different states."""

    title: str
    strips: tuple[ImageStrip, ...]
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Mosaic:
    """Images (n, h, w), scaled to [0, 1], joined without gaps, `columns` in a row."""

    title: str
    images: Floats
    columns: int
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Scatter:
    """Points (n, 2), coloured by label (n,)."""

    title: str
    points: NDArray[Any]
    labels: NDArray[Any]
    axes: tuple[str, str] = ("code, first number", "code, second number")
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Lines:
    """Named curves, each (x, y), over common axes."""

    title: str
    curves: dict[str, tuple[NDArray[Any], NDArray[Any]]]
    axes: tuple[str, str]
    mark: float | None = None
    """The position of a vertical line on the x axis."""
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """Cells of text; the first column names the rows. `words`: the cells are not numbers."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    words: bool = False


Picture = ImageStrips | Mosaic | Scatter | Lines | Table
