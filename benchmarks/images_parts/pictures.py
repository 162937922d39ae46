"""Sets of pictures, cut from files that other packages bring along.

Some sets were looked at while the defaults were chosen; the others were held back, and measured
once at the end. The two photographs of scikit-learn, the icons, the digits and (since the start is
kept where training gains nothing) the made textures are of the first kind; the photographs of
scikit-image, the textures and the faces of the second.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

ICONS = Path("/usr/share/icons/Adwaita/48x48")
"""Debian: apt-get install adwaita-icon-theme"""


class Absent(Exception):
    """The files of a set are not on this machine; the message says which."""


@dataclass(frozen=True)
class Pictures:
    """Training rows and held-out rows, (n, height, width) or (n, height, width, channels)."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class PictureSet:
    name: str
    kind: str
    code: int
    """The size of the code."""
    held_back: bool
    load: Callable[[Path], Pictures]
    """Takes the folder of the data."""


def _photographs_of_scikit_learn(_: Path) -> Pictures:
    return _patches(load_sample_images().images, 48, 1_080, 270)


def _photographs_of_scikit_image(_: Path) -> Pictures:
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
    return _patches([_scikit_image(name) for name in names], 48, 1_080, 270)


def _large_photographs(_: Path) -> Pictures:
    names = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png")
    return _patches([_scikit_image(name) for name in names], 128, 400, 100)


def _textures(_: Path) -> Pictures:
    names = ("brick.png", "grass.png", "gravel.png")
    return _patches([_scikit_image(name) for name in names], 32, 1_500, 300)


def _made_textures(_: Path) -> Pictures:
    """Make stripes, waves and grain of random direction, width and colour, 32 x 32."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32] / 32
    made = np.empty((1_800, 32, 32, 3), np.uint8)
    for picture in made:
        angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        along = x * np.cos(angle) + y * np.sin(angle)
        across = y * np.cos(angle) - x * np.sin(angle)
        bend = rng.uniform(0, 0.2) * np.sin(2 * np.pi * across * rng.uniform(0.5, 2))
        wave = np.sin(2 * np.pi * (along + bend) * rng.uniform(1, 5) + phase)
        if rng.random() < 0.5:
            wave = np.sign(wave) * np.minimum(1, 4 * np.abs(wave))
        share = 0.5 + 0.5 * wave[..., None]
        colours = rng.uniform(0, 255, (2, 3))
        grain = rng.normal(0, rng.uniform(0, 10), (32, 32, 1))
        picture[:] = np.clip(share * colours[0] + (1 - share) * colours[1] + grain, 0, 255)
    return Pictures(made[:1_500], made[1_500:])


def _icons(_: Path) -> Pictures:
    if not ICONS.is_dir():
        raise Absent(f"{ICONS}, from Debian's package adwaita-icon-theme")
    found = {}
    for path in sorted(ICONS.rglob("*.png")):
        icon = Image.open(path).convert("RGBA")
        if icon.size == (48, 48):
            paper = Image.new("RGBA", icon.size, "white")
            paper.alpha_composite(icon)
            pixels = np.asarray(paper.convert("RGB"))
            found.setdefault(pixels.tobytes(), pixels)
    return _split(np.array(list(found.values())))


def _faces(_: Path) -> Pictures:
    # The first half of the rows are faces, (100, 25, 25), the others are not.
    rows = np.load(_scikit_image_folder() / "lfw_subset.npy", allow_pickle=False)
    return _split(rows[:100])


def _mnist(folder: Path) -> Pictures:
    path = folder / "mnist.npz"
    if not path.exists():
        raise Absent(str(path))
    with np.load(path) as arrays:
        return Pictures(arrays["x_train"][:3_000], arrays["x_test"][:1_000])


def _digits(_: Path) -> Pictures:
    return _split(load_digits().images)


SETS = (
    PictureSet("photographs", "photographs", 64, False, _photographs_of_scikit_learn),
    PictureSet("icons", "icons", 64, False, _icons),
    PictureSet("mnist", "digits", 32, False, _mnist),
    PictureSet("digits", "digits", 8, False, _digits),
    PictureSet("photographs-2", "photographs", 64, True, _photographs_of_scikit_image),
    PictureSet("photographs-128", "photographs", 64, True, _large_photographs),
    PictureSet("textures", "textures", 32, True, _textures),
    PictureSet("made-textures", "textures", 32, False, _made_textures),
    PictureSet("faces", "faces", 16, True, _faces),
)


def _scikit_image_folder() -> Path:
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise Absent("the package scikit-image")
    return Path(found.origin).parent / "data"


def _scikit_image(name: str) -> np.ndarray:
    path = _scikit_image_folder() / name
    if not path.exists():
        raise Absent(str(path))
    return np.asarray(Image.open(path))


def _split(rows: np.ndarray) -> Pictures:
    """Hold out a fifth of the rows, drawn at random."""
    order = np.random.default_rng(0).permutation(len(rows))
    return Pictures(rows[order[len(rows) // 5 :]], rows[order[: len(rows) // 5]])


def _patches(pictures: list[np.ndarray], side: int, train: int, test: int) -> Pictures:
    """Cut squares from pictures; those that are held out come from the right fifth of each.

    So no pixel of a held-out square is in a training square.
    """
    left, right = [], []
    for picture in pictures:
        edge = max(picture.shape[1] * 4 // 5, side)
        edge = min(edge, picture.shape[1] - side)
        left += list(_squares(picture[:, :edge], side))
        right += list(_squares(picture[:, edge:], side))
    rng = np.random.default_rng(0)
    chosen = (
        np.array([squares[i] for i in rng.permutation(len(squares))[:most]])
        for squares, most in ((left, train), (right, test))
    )
    return Pictures(*chosen)


def _squares(picture: np.ndarray, side: int) -> Iterator[np.ndarray]:
    step = 16
    for top in range(0, picture.shape[0] - side + 1, step):
        for first in range(0, picture.shape[1] - side + 1, step):
            yield picture[top : top + side, first : first + side]
