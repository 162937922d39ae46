"""Measure how well unknown pixels are filled, in decibels.

usage: scripts/bench inpainting [--only photographs,...] [--epochs 30]

Pixels under a known mask are NaN, in training and afterwards: 30 % of the pixels of each patch at
random, or a square of 4 x 4. The PSNR is that of these pixels in held-out patches, filled by the
mean of the patch's known pixels, by the biharmonic equation (`skimage.restoration`, Damelin and
Hoang, 2018), and by ``DenoisingAutoencoder(noise="masking")``. The table is Markdown, on standard
output. It needs scikit-image.
"""

import argparse
from pathlib import Path

import numpy as np
from skimage.restoration import inpaint_biharmonic

import isthmus as ist
from denoising import SETS, SHARED

HOLE = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="sets whose names begin so, with commas")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--data", type=Path, default=SHARED, help="the folder of mnist.npz")
    given = parser.parse_args()
    print("| set | unknown | mean | biharmonic | autoencoder |")
    print("|---|---|--:|--:|--:|", flush=True)
    for name, load in SETS.items():
        if name.startswith(tuple(given.only.split(","))):
            train, test = load(given.data)
            for kind, mask in (("30 %, at random", scattered), ("a square of 4 x 4", square)):
                figures = _figures(train, test, mask, given.epochs)
                cells = " | ".join(f"{figure:.2f}" for figure in figures)
                print(f"| {name} | {kind} | {cells} |", flush=True)


def scattered(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.random(shape[:3]) < 0.3


def square(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros(shape[:3], bool)
    for each in mask:
        top, left = rng.integers(0, np.array(shape[1:3]) - HOLE + 1)
        each[top : top + HOLE, left : left + HOLE] = True
    return mask


def _figures(train: np.ndarray, test: np.ndarray, mask, epochs: int) -> list[float]:
    rng = np.random.default_rng(1)
    where, unknown = mask(train.shape, rng), mask(test.shape, rng)
    known, given = train.copy(), test.copy()
    known[where], given[unknown] = np.nan, np.nan
    model = ist.DenoisingAutoencoder(
        64, noise="masking", noise_level=0.2, epochs=epochs, batch_size=8, random_state=0, verbose=0
    ).fit(known)
    means = np.broadcast_to(np.nanmean(given, axis=(1, 2), keepdims=True), test.shape)
    channel = None if test.ndim == 3 else -1
    filled = [
        inpaint_biharmonic(picture, hole, channel_axis=channel)
        for picture, hole in zip(np.nan_to_num(given), unknown, strict=True)
    ]
    results = (means, np.array(filled), model.reconstruct(given))
    return [float(-10 * np.log10(np.square(rows - test)[unknown].mean())) for rows in results]


if __name__ == "__main__":
    main()
