"""Pictures for the benchmark: textures and aligned objects, and defects of known place.

All pictures are (64, 64, 3), float32 in [0, 1]. Nothing is downloaded: the photographs are those
that scikit-learn ships, the letters those of Pillow's own font; everything else is drawn.

A defect is drawn into a normal picture that is used for nothing else, and its mask is where the
picture has changed visibly.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    Picture = NDArray[np.float32]
    Mask = NDArray[np.bool_]

SIZE = 64
VISIBLE = 0.02
"""The change of a channel from which a pixel belongs to a defect."""


# --- normal pictures ------------------------------------------------------------------------------


def woven(rng: Generator) -> Picture:
    """Cloth: threads over and under each other, at a random offset, with uneven threads."""
    row, column = np.mgrid[:SIZE, :SIZE] + rng.uniform(0, 16, (2, 1, 1))
    warp, weft = np.cos(np.pi * column / 4), np.cos(np.pi * row / 4)
    above = np.sin(np.pi * column / 8) * np.sin(np.pi * row / 8) > 0
    light = 0.55 + 0.15 * np.where(above, np.abs(warp), np.abs(weft))
    light = light + 0.03 * rng.normal(size=(1, SIZE)) + 0.03 * rng.normal(size=(SIZE, 1))
    colours = np.where(above[..., None], [0.95, 0.85, 0.6], [0.6, 0.7, 0.9])
    return finished(light[..., None] * colours, rng)


def grained(rng: Generator) -> Picture:
    """Noise with a spectrum that falls with frequency, more slowly along one axis."""
    fy, fx = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None]
    envelope = 1 / (0.02 + np.hypot(3 * fx, fy)) ** 1.3
    fields = []
    for _ in range(2):
        noise = rng.normal(size=(SIZE, SIZE))
        field = np.fft.irfft2(np.fft.rfft2(noise) * envelope, s=(SIZE, SIZE))
        fields.append(field / field.std())
    light, tint = fields
    base = np.array([0.55, 0.4, 0.3]) + 0.09 * light[..., None]
    return finished(base + 0.02 * tint[..., None] * np.array([1, 0, -1]), rng)


def tiled(rng: Generator) -> Picture:
    """Tiles of four colours with joints, at a random offset."""
    row, column = np.mgrid[:SIZE, :SIZE] + rng.integers(0, 16, (2, 1, 1))
    palette = np.array([[0.8, 0.75, 0.7], [0.7, 0.5, 0.4], [0.75, 0.65, 0.55], [0.6, 0.55, 0.55]])
    chosen = rng.integers(0, 4, (6, 6))
    picture = palette[chosen[row // 16, column // 16]]
    joint = (row % 16 < 2) | (column % 16 < 2)
    picture = np.where(joint[..., None], 0.35, picture)
    speckle = gaussian_filter(rng.normal(size=(SIZE, SIZE)), 0.7)
    return finished(picture + 0.04 * speckle[..., None], rng)


@cache
def _photograph() -> NDArray[np.float32]:
    return load_sample_images().images[0].astype(np.float32) / 255


def roofs(rng: Generator) -> Picture:
    """A part of the photograph of a temple that scikit-learn ships: roofs, trees and railings.

    The parts overlap, as those of a camera that passes over a scene.
    """
    top, left = int(rng.integers(170, 345)), int(rng.integers(0, 576))
    return finished(_photograph()[top : top + SIZE, left : left + SIZE], rng)


def board(rng: Generator) -> Picture:
    """A circuit board: parts at fixed places, each a little out of place and of another shade."""
    drawn = Image.new("RGB", (4 * SIZE, 4 * SIZE), (20, 90, 50))
    pen = ImageDraw.Draw(drawn)
    dy, dx = rng.normal(0, 3, 2)
    for y in range(20, 250, 24):
        pen.line([(0 + dx, y + dy), (256 + dx, y + dy)], fill=(40, 120, 70), width=5)
    for x, y, width, height, colour in BOARD_PARTS:
        x, y = x + dx + rng.normal(0, 1.5), y + dy + rng.normal(0, 1.5)
        shade = 1 + rng.normal(0, 0.05)
        fill = tuple(int(np.clip(part * shade, 0, 255)) for part in colour)
        pen.rectangle([x, y, x + width, y + height], fill=fill)
        pen.ellipse([x + 3, y + 3, x + 11, y + 11], fill=(200, 200, 190))
    return finished(np.asarray(drawn.resize((SIZE, SIZE), Image.Resampling.BOX)) / 255, rng)


BOARD_PARTS = (
    (24, 24, 64, 48, (30, 30, 35)),
    (120, 20, 32, 60, (190, 150, 60)),
    (180, 30, 52, 36, (150, 40, 40)),
    (30, 110, 44, 90, (60, 60, 140)),
    (104, 120, 88, 72, (35, 35, 40)),
    (212, 100, 28, 60, (190, 150, 60)),
    (212, 190, 32, 44, (170, 170, 180)),
    (30, 218, 60, 24, (150, 40, 40)),
    (120, 214, 60, 26, (200, 190, 180)),
)
"""Left, top, width and height in quarters of a pixel, and colour."""


def label(rng: Generator) -> Picture:
    """A printed label: three lines of letters, a bar and a ring, on paper; ink varies."""
    paper = (235, 228, 210)
    drawn = Image.new("RGB", (4 * SIZE, 4 * SIZE), paper)
    pen = ImageDraw.Draw(drawn)
    dy, dx = rng.normal(0, 3, 2)
    ink = int(rng.uniform(20, 60))
    for place, (text, size) in enumerate((("VALVE", 68), ("24-B7", 58), ("max 6 bar", 40))):
        pen.text((22 + dx, 6 + 66 * place + dy), text, fill=(ink, ink, ink + 20),
                 font=ImageFont.load_default(size))  # fmt: skip
    pen.rectangle([20 + dx, 205 + dy, 170 + dx, 228 + dy], fill=(200, 50, 40))
    pen.ellipse([190 + dx, 190 + dy, 236 + dx, 236 + dy], outline=(40, 70, 160), width=9)
    turned = drawn.rotate(rng.normal(0, 1), resample=Image.Resampling.BILINEAR, fillcolor=paper)
    return finished(np.asarray(turned.resize((SIZE, SIZE), Image.Resampling.BOX)) / 255, rng)


def finished(picture: NDArray[np.float64], rng: Generator) -> Picture:
    """Return a picture as a camera takes it: another exposure, and noise."""
    exposed = picture * rng.normal(1, 0.04) + rng.normal(0, 0.01, picture.shape)
    return np.clip(exposed, 0, 1).astype(np.float32)


TEXTURES: dict[str, Callable[[Generator], Picture]] = {
    "woven": woven, "grained": grained, "tiled": tiled, "roofs": roofs,
}  # fmt: skip
OBJECTS: dict[str, Callable[[Generator], Picture]] = {"board": board, "label": label}
SOURCES = TEXTURES | OBJECTS


# --- defects --------------------------------------------------------------------------------------


def scratch(picture: Picture, rng: Generator) -> Picture:
    """A dark, curved scratch, about one pixel wide."""
    length, angle = rng.uniform(14, 34), rng.uniform(0, 2 * np.pi)
    bend = rng.uniform(-0.03, 0.03)
    along = np.linspace(0, length, 120)
    angles = angle + bend * along
    x = np.cumsum(np.cos(angles)) * length / 120
    y = np.cumsum(np.sin(angles)) * length / 120
    row, column = _centred(y, rng), _centred(x, rng)
    return _drawn_over(picture, _thick_line(row, column, 0.6), -rng.uniform(0.15, 0.35))


def line(picture: Picture, rng: Generator) -> Picture:
    """A straight line, two pixels wide, darker or lighter."""
    length, angle = rng.uniform(12, 40), rng.uniform(0, 2 * np.pi)
    along = np.linspace(0, length, 120)
    row = _centred(along * np.sin(angle), rng)
    column = _centred(along * np.cos(angle), rng)
    change = rng.choice([-1, 1]) * rng.uniform(0.1, 0.25)
    return _drawn_over(picture, _thick_line(row, column, 1.0), change)


def blob(picture: Picture, rng: Generator) -> Picture:
    """A soft spot of another colour."""
    radius, stretch = rng.uniform(2.5, 6), rng.uniform(0.7, 1.4)
    row, column = rng.uniform(8, SIZE - 8, 2)
    y, x = np.mgrid[:SIZE, :SIZE]
    apart = np.hypot((y - row) * stretch, (x - column) / stretch) / radius
    cover = np.clip(1.5 - apart, 0, 1)[..., None] * rng.uniform(0.5, 0.9)
    return (picture * (1 - cover) + rng.uniform(0, 1, 3) * cover).astype(np.float32)


def missing(picture: Picture, rng: Generator) -> Picture:
    """A part that is not there: a smooth ground in the colour of its edge."""
    top, left, height, width = _box(rng, 8, 18)
    part = picture[top : top + height, left : left + width]
    edge = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
    ground = np.median(edge, axis=0) + rng.normal(0, 0.01, part.shape)
    return _with_part(picture, top, left, ground)


def colour(picture: Picture, rng: Generator) -> Picture:
    """Another tint in a rounded area."""
    radius, (row, column) = rng.uniform(5, 11), rng.uniform(8, SIZE - 8, 2)
    y, x = np.mgrid[:SIZE, :SIZE]
    cover = np.clip(radius - np.hypot(y - row, x - column), 0, 1)[..., None]
    tint = rng.normal(size=3)
    tint = (tint - tint.mean()) / np.abs(tint - tint.mean()).max() * rng.uniform(0.08, 0.2)
    return (picture + cover * tint).astype(np.float32)


def swapped(picture: Picture, rng: Generator) -> Picture:
    """A part that was taken out and put in elsewhere, turned by a quarter."""
    size = int(rng.integers(10, 19))
    (top, left), (other_top, other_left) = rng.integers(2, SIZE - size - 2, (2, 2))
    part = picture[other_top : other_top + size, other_left : other_left + size]
    return _with_part(picture, top, left, np.rot90(part))


DEVELOPED: dict[str, Callable[[Picture, Generator], Picture]] = {
    "scratch": scratch, "blob": blob, "missing": missing, "colour": colour,
}  # fmt: skip
HELD_BACK: dict[str, Callable[[Picture, Generator], Picture]] = {
    "line": line, "swapped": swapped,
}  # fmt: skip
"""Kinds of defects that were not looked at before the method was final."""
DEFECTS = DEVELOPED | HELD_BACK
DEVELOPED_ON = ("woven", "grained", "roofs", "label")
"""Pictures that were looked at before the method was final; the other two were not."""


def normal(name: str, count: int, seed: int) -> Picture:
    """Return normal pictures, (count, 64, 64, 3)."""
    rng = np.random.default_rng([seed, *name.encode()])
    return np.stack([SOURCES[name](rng) for _ in range(count)])


def defective(name: str, kind: str, count: int, seed: int) -> tuple[Picture, Mask]:
    """Return pictures with a defect, (count, 64, 64, 3), and the masks, (count, 64, 64)."""
    rng = np.random.default_rng([seed, *name.encode(), 0, *kind.encode()])
    pictures, masks = [], []
    while len(pictures) < count:
        whole = SOURCES[name](rng)
        changed = np.clip(DEFECTS[kind](whole, rng), 0, 1)
        mask = np.abs(changed - whole).max(axis=2) > VISIBLE
        if mask.sum() >= 8 and np.abs(changed - whole)[mask].mean() > VISIBLE:
            pictures.append(changed)
            masks.append(mask)
    return np.stack(pictures), np.stack(masks)


def _centred(path: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    return path - path.mean() + rng.uniform(14, SIZE - 14)


def _thick_line(
    row: NDArray[np.float64], column: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """Return how much of each pixel a line covers, (SIZE, SIZE)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    apart = np.hypot(y[..., None] - row, x[..., None] - column).min(axis=2)
    return np.clip(radius + 0.5 - apart, 0, 1)


def _drawn_over(picture: Picture, cover: NDArray[np.float64], change: float) -> Picture:
    return (picture + change * cover[..., None]).astype(np.float32)


def _box(rng: Generator, least: int, most: int) -> tuple[int, int, int, int]:
    height, width = rng.integers(least, most + 1, 2)
    top, left = rng.integers(2, SIZE - height - 2), rng.integers(2, SIZE - width - 2)
    return int(top), int(left), int(height), int(width)


def _with_part(picture: Picture, top: int, left: int, part: NDArray[np.floating]) -> Picture:
    changed = picture.copy()
    changed[top : top + part.shape[0], left : left + part.shape[1]] = part
    return changed
