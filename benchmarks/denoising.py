"""Compare denoising without clean samples with training on clean ones, in decibels.

usage: scripts/bench denoising [--only photographs,...] [--noise gaussian] [--network default]

The same network is trained on noisy patches alone (``noise="blind_spot"``), with hidden pixels and
by default, and on pairs of noisy and clean patches. The PSNR is that of held-out patches, which
come from another part of a picture than all training patches, or from another picture. The goal is
a difference of at most 1.5 dB. The method was chosen with the photographs of scikit-learn, MNIST
and icons; no training on the sets that are called held back changed it. The table is Markdown, on
standard output. Photographs of scikit-image need that package.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_images

import isthmus as ist
from images_parts.pictures import SETS as PICTURE_SETS
from images_parts.pictures import Absent

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SIDE, TRAIN, TEST = 16, 500, 200
GOAL = 1.5
Split = tuple[np.ndarray, np.ndarray]


def photographs(_: Path) -> Split:
    return _patches(load_sample_images().images)


def grey_photographs(_: Path) -> Split:
    return _patches([picture.mean(axis=-1) for picture in load_sample_images().images])


def waves(_: Path) -> Split:
    """Make waves and stripes of random direction, width and colour."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    made = np.empty((TRAIN + TEST, SIDE, SIDE, 3), np.float32)
    for picture in made:
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        wave = np.sin(
            2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(1, 4) + phase
        )
        if rng.random() < 0.5:
            wave = np.clip(4 * wave, -1, 1)
        share = 0.5 + 0.5 * wave[..., None]
        colours = rng.uniform(0, 1, (2, 3))
        picture[:] = share * colours[0] + (1 - share) * colours[1]
    return made[:TRAIN], made[TRAIN:]


def mnist(folder: Path) -> Split:
    """Return the middle of the images, in which the digits are."""
    train, test = (rows[:, 4:-4, 4:-4] for rows in _pictures("mnist", folder))
    return train[:TRAIN] / np.float32(255), test[:TEST] / np.float32(255)


def squares(name: str, folder: Path) -> Split:
    """Cut random squares from the pictures of a set of `images_parts`."""
    rng = np.random.default_rng(0)
    train, test = _pictures(name, folder)
    largest = np.float32(255 if train.max() > 1 else 1)
    parts = []
    for rows, count in ((train, TRAIN), (test, TEST)):
        places = rng.integers(0, rows.shape[1] - SIDE + 1, (count, 2))
        picked = zip(rng.integers(0, len(rows), count), places, strict=True)
        cut = [rows[i, y : y + SIDE, x : x + SIDE] for i, (y, x) in picked]
        parts.append(np.stack(cut) / largest)
    return parts[0], parts[1]


SETS: dict[str, Callable[[Path], Split]] = {
    "photographs": photographs,
    "grey-photographs": grey_photographs,
    "mnist": mnist,
    "other-photographs (held back)": partial(squares, "photographs-2"),
    "grey-textures (held back)": partial(squares, "textures"),
    "icons": partial(squares, "icons"),
    "grey-faces (held back)": partial(squares, "faces"),
    "made-textures (held back)": partial(squares, "made-textures"),
    "waves (held back)": waves,
}


def gaussian(rows: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return rows + level * rng.standard_normal(rows.shape)


def clipped(rows: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(gaussian(rows, level, rng), 0, 1)


def laplace(rows: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return rows + rng.laplace(0, level / np.sqrt(2), rows.shape)


def poisson(rows: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Return photon counts, whose deviation is `level` where a picture is half as bright."""
    photons = 0.5 / level**2
    return rng.poisson(rows * photons) / photons


def salt_pepper(rows: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.random(rows.shape)
    return np.where(drawn < level, drawn < level / 2, rows)


NOISES = {each.__name__: each for each in (gaussian, clipped, laplace, poisson, salt_pepper)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="sets whose names begin so, with commas")
    parser.add_argument("--noise", choices=NOISES, default="gaussian")
    parser.add_argument("--network", choices=NETWORKS, default="own")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--data", type=Path, default=SHARED, help="the folder of mnist.npz")
    given = parser.parse_args()
    print("| set | noise | estimated | noisy | hidden pixels | blind spot | clean targets", end="")
    print(" | difference | ≤ 1.5 dB |\n|---|--:|--:|--:|--:|--:|--:|--:|---|", flush=True)
    for name, load in SETS.items():
        if name.startswith(tuple(given.only.split(","))):
            split = load(given.data)
            for level in (0.1, 0.2):
                print(_line(name, split, level, given), flush=True)


def _line(name: str, split: Split, level: float, given: argparse.Namespace) -> str:
    rng = np.random.default_rng(1)
    noisy, unseen = (NOISES[given.noise](rows, level, rng).astype(np.float32) for rows in split)
    clean, truth = split
    make = partial(NETWORKS[given.network], clean.shape[1:], given.epochs)
    hidden = make(noise="blind_spot", noise_level=0).fit(noisy)
    alone = make(noise="blind_spot").fit(noisy)
    paired = make().fit(noisy, clean)
    figures = [_psnr(unseen, truth)]
    figures += [_psnr(model.denoise(unseen), truth) for model in (hidden, alone, paired)]
    figures.append(figures[3] - figures[2])
    cells = " | ".join(f"{figure:.2f}" for figure in figures)
    estimated = "hidden pixels"
    if alone.noise_level_ is not None:
        estimated = f"{alone.noise_level_ * alone.schema_.scaling.scale.mean():.3f}"
    met = "yes" if figures[4] <= GOAL else "no"
    return f"| {name} | {level} | {estimated} | {cells} | {met} |"


def _own(shape: tuple[int, ...], epochs: int, **settings: object) -> ist.DenoisingAutoencoder:
    """Make a network of six 3 x 3 convolutions, whose code has 16 numbers for each pixel."""
    import keras

    def convolved(x, filters, activation="gelu"):
        return keras.layers.Conv2D(filters, 3, padding="same", activation=activation)(x)

    channels = (*shape, 1)[2]
    inputs = keras.Input(shape)
    x = keras.layers.Reshape((*shape[:2], channels))(inputs)
    for _ in range(3):
        x = convolved(x, 16)
    code = keras.Input(x.shape[1:])
    y = convolved(convolved(code, 16), 16)
    y = keras.layers.Reshape(shape)(convolved(y, channels, None))
    own = {"encoder": keras.Model(inputs, x), "decoder": keras.Model(code, y)}
    settings |= {"learning_rate": 0.003, "patience": None, **own}
    return _default(shape, epochs, latent_dim="auto", **settings)


def _default(_: tuple[int, ...], epochs: int, **settings: object) -> ist.DenoisingAutoencoder:
    """Make the default network, with a code of 64 numbers."""
    always = {"epochs": epochs, "batch_size": 8, "random_state": 0, "verbose": 0}
    return ist.DenoisingAutoencoder(**{"latent_dim": 64, **always, **settings})


NETWORKS = {"own": _own, "default": _default, "dense": partial(_default, architecture="dense")}


def _psnr(rows: np.ndarray, truth: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in decibels, for values from 0 to 1."""
    return float(-10 * np.log10(np.square(rows - truth).mean()))


def _pictures(name: str, folder: Path) -> Split:
    chosen = next(each for each in PICTURE_SETS if each.name == name)
    try:
        pictures = chosen.load(folder)
    except Absent as absent:
        raise SystemExit(f"{name} needs {absent}") from None
    return pictures.train, pictures.test


def _patches(pictures: list[np.ndarray]) -> Split:
    """Cut random squares; those that are held out come from the right fifth of each picture."""
    rng = np.random.default_rng(0)
    train, test = [], []
    for picture in pictures:
        edge = picture.shape[1] * 4 // 5
        parts = ((train, picture[:, :edge], TRAIN), (test, picture[:, edge:], TEST))
        for squares, part, count in parts:
            for _ in range(count // len(pictures)):
                top = rng.integers(part.shape[0] - SIDE + 1)
                left = rng.integers(part.shape[1] - SIDE + 1)
                squares.append(part[top : top + SIDE, left : left + SIDE])
    return np.stack(train) / np.float32(255), np.stack(test) / np.float32(255)


if __name__ == "__main__":
    main()
