"""Compare denoising without clean samples with training on clean ones, in decibels.

usage: scripts/bench denoising [--only photographs,...] [--epochs 10] [--data mnist.npz]

The same convolutional network is trained on noisy patches alone (``noise="blind_spot"``) and on
pairs of noisy and clean patches. The PSNR is that of held-out patches, which come from another part
of a picture than all training patches. The goal is a difference of at most 1.5 dB. The sets that
are called held back were not looked at while the fraction of hidden pixels was chosen; they need
the files of scikit-image. The table is Markdown, on standard output.
"""

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import isthmus as ist

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"
SIDE, TRAIN, TEST = 16, 1_000, 200
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


def mnist(path: Path) -> Split:
    with np.load(path) as arrays:
        rows = arrays["x_train"][:TRAIN], arrays["x_test"][:TEST]
    return rows[0] / np.float32(255), rows[1] / np.float32(255)


def other_photographs(_: Path) -> Split:
    return _patches([_scikit_image(n) for n in ("astronaut.png", "chelsea.png", "coffee.png")])


def grey_textures(_: Path) -> Split:
    return _patches([_scikit_image(n) for n in ("brick.png", "grass.png", "gravel.png")])


SETS: dict[str, Callable[[Path], Split]] = {
    "photographs": photographs,
    "grey-photographs": grey_photographs,
    "waves": waves,
    "mnist": mnist,
    "other-photographs (held back)": other_photographs,
    "grey-textures (held back)": grey_textures,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="sets whose names begin so, with commas")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--data", type=Path, default=SHARED, help="mnist.npz")
    given = parser.parse_args()
    print("| set | noise | noisy | blind spot | clean targets | difference | ≤ 1.5 dB |")
    print("|---|--:|--:|--:|--:|--:|---|", flush=True)
    for name, load in SETS.items():
        if name.startswith(tuple(given.only.split(","))):
            split = load(given.data)
            for deviation in (0.1, 0.2):
                print(_line(name, split, deviation, given.epochs), flush=True)


def _line(name: str, split: Split, deviation: float, epochs: int) -> str:
    rng = np.random.default_rng(1)
    noisy, unseen = (
        (rows + deviation * rng.standard_normal(rows.shape)).astype(np.float32) for rows in split
    )
    clean, truth = split
    alone = _model(clean.shape[1:], epochs, noise="blind_spot").fit(noisy)
    paired = _model(clean.shape[1:], epochs).fit(noisy, clean)
    figures = [_psnr(rows, truth) for rows in (unseen, alone.denoise(unseen))]
    figures.append(_psnr(paired.denoise(unseen), truth))
    figures.append(figures[2] - figures[1])
    cells = " | ".join(f"{figure:.2f}" for figure in figures)
    return f"| {name} | {deviation} | {cells} | {'yes' if figures[3] <= GOAL else 'no'} |"


def _model(shape: tuple[int, ...], epochs: int, **settings: str) -> ist.DenoisingAutoencoder:
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
    return ist.DenoisingAutoencoder(
        encoder=keras.Model(inputs, x),
        decoder=keras.Model(code, y),
        epochs=epochs,
        batch_size=16,
        learning_rate=0.003,
        patience=None,
        random_state=0,
        verbose=0,
        **settings,
    )


def _psnr(rows: np.ndarray, truth: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in decibels, for values from 0 to 1."""
    return float(-10 * np.log10(np.square(rows - truth).mean()))


def _scikit_image(name: str) -> np.ndarray:
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise SystemExit("this set needs the files of scikit-image: pip install scikit-image")
    return np.asarray(Image.open(Path(found.origin).parent / "data" / name))


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
