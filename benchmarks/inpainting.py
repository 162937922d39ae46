"""Measure how well unknown pixels are filled, in decibels.

usage: scripts/bench inpainting [--only photographs,...] [--epochs 10]

Pixels under a known mask are NaN, in training and afterwards: 30 % of the pixels of each patch at
random, or a square of 4 x 4. The PSNR is that of these pixels in held-out patches of 16 x 16,
filled by the mean of the patch's known pixels, by principal components of all patches, fitted to
the known pixels again and again (iterative PCA imputation; the best of 8, 16 and 32 components,
which favours it), by the biharmonic equation (`skimage.restoration`, Damelin and Hoang, 2018), and
by ``DenoisingAutoencoder(noise="masking")`` with the default network and with the convolutional
one. The table is Markdown, on standard output. Without scikit-image, its column is empty.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

import isthmus as ist
from denoising import SETS, SHARED

try:
    from skimage.restoration import inpaint_biharmonic
except ModuleNotFoundError:
    inpaint_biharmonic = None

HOLE = 4
CHOSEN = "photographs,grey-photographs,mnist,waves"
SIZES, ITERATIONS = (8, 16, 32), 15
COLUMNS = ("set", "unknown", "mean", "PCA", "biharmonic", "default network", "convolutional")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=CHOSEN, help="sets whose names begin so, with commas")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--data", type=Path, default=SHARED, help="the folder of mnist.npz")
    given = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|---|---|{'--:|' * (len(COLUMNS) - 2)}", flush=True)
    for name, load in SETS.items():
        if name.startswith(tuple(given.only.split(","))):
            train, test = load(given.data)
            for kind, mask in (("30 %, at random", scattered), ("a square of 4 x 4", square)):
                figures = _figures(train, test, mask, given.epochs)
                print(f"| {name} | {kind} | {' | '.join(figures)} |", flush=True)


def scattered(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.random(shape[:3]) < 0.3


def square(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros(shape[:3], bool)
    for each in mask:
        top, left = rng.integers(0, np.array(shape[1:3]) - HOLE + 1)
        each[top : top + HOLE, left : left + HOLE] = True
    return mask


def _figures(train: np.ndarray, test: np.ndarray, mask, epochs: int) -> list[str]:
    rng = np.random.default_rng(1)
    where, unknown = mask(train.shape, rng), mask(test.shape, rng)
    known, given = train.copy(), test.copy()
    known[where], given[unknown] = np.nan, np.nan

    def decibels(rows: np.ndarray) -> float:
        return float(-10 * np.log10(np.square(rows - test)[unknown].mean()))

    means = np.broadcast_to(np.nanmean(given, axis=(1, 2), keepdims=True), test.shape)
    results = [decibels(means), max(decibels(_by_components(known, given, k)) for k in SIZES)]
    results.append(decibels(_biharmonic(given, unknown)) if inpaint_biharmonic else np.nan)
    networks = ["auto", "convolutional"] if test.ndim == 3 else ["auto"]
    results += [decibels(_by_network(known, given, epochs, each)) for each in networks]
    results += results[-1:] * (5 - len(results))  # in colour, the default is convolutional
    return ["" if np.isnan(each) else f"{each:.2f}" for each in results]


def _by_components(known: np.ndarray, given: np.ndarray, components: int) -> np.ndarray:
    """Fill by PCA of all patches, whose unknown pixels are what the last PCA made of them."""
    rows = np.concatenate([known, given]).reshape(len(known) + len(given), -1)
    unknown = np.isnan(rows)
    filled = np.where(unknown, np.nanmean(rows, axis=0), rows)
    with threadpool_limits(1):
        for _ in range(ITERATIONS):
            mean = filled.mean(axis=0)
            left, values, right = randomized_svd(filled - mean, components, random_state=0)
            filled = np.where(unknown, (left * values) @ right + mean, rows)
    return filled[len(known) :].reshape(given.shape)


def _biharmonic(given: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    channel = None if given.ndim == 3 else -1
    return np.array(
        [
            inpaint_biharmonic(picture, hole, channel_axis=channel)
            for picture, hole in zip(np.nan_to_num(given), unknown, strict=True)
        ]
    )


def _by_network(known: np.ndarray, given: np.ndarray, epochs: int, architecture: str) -> np.ndarray:
    model = ist.DenoisingAutoencoder(
        64,
        noise="masking",
        noise_level=0.2,
        architecture=architecture,
        epochs=epochs,
        batch_size=8,
        random_state=0,
        verbose=0,
    ).fit(known)
    return model.reconstruct(given)


if __name__ == "__main__":
    main()
