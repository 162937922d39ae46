"""Lossy images: bits per pixel at equal PSNR, compared with image codecs and principal components.

All except the codecs are fitted on the training images. The bits do not include models; a separate
row includes that of isthmus. PSNR is over all pixels of all test images.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import environments
from isthmus.compression.lossy.model import LossyModel

WORKER = Path(__file__).resolve().parents[1] / "workers" / "image_codecs.py"
DECIBELS = (15, 18, 21, 24, 27, 30)
STEPS = np.geomspace(25, 1000, 18)
DEAD_ZONES = (0.35, 0.5)
Curve = list[tuple[float, float]]


def lossy(folder: Path) -> list[str]:
    with np.load(folder / "mnist.npz") as arrays:
        train, test = arrays["x_train"], arrays["x_test"]
    return ["## Lossy: 8-bit images at equal quality", "", *main(train, test), ""]


def main(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> list[str]:
    """Return a Markdown table of bits and seconds, for images (n, height, width)."""
    start = time.perf_counter()
    model = LossyModel.fit(train, seed=0)
    print(f"fitted in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    names = (
        "isthmus",
        "isthmus, including the parts of the model that are needed",
        "isthmus: seconds to encode",
        "isthmus: seconds to decode",
    )
    figures = zip(*(ours(model, test, decibels) for decibels in DECIBELS), strict=True)
    rows: dict[str, Any] = dict(zip(names, figures, strict=True))
    curves = {"principal components": components(train, test), **codecs(test)}
    rows |= {name: [at(curve, each) for each in DECIBELS] for name, curve in curves.items()}
    lines = [
        f"| bits per pixel at | {' | '.join(f'{each} dB' for each in DECIBELS)} |",
        "|---|" + "--:|" * len(DECIBELS),
    ]
    for name, values in rows.items():
        cells = ["–" if value is None else f"{value:.4f}" for value in values]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def ours(
    model: LossyModel, test: NDArray[np.uint8], decibels: float
) -> tuple[float, float, float, float]:
    """Return bits per pixel, without and with the model, and seconds to encode and decode."""
    start = time.perf_counter()
    data = model.encode(test, decibels)
    middle = time.perf_counter()
    rebuilt = model.decode(data, len(test))
    end = time.perf_counter()
    if psnr(rebuilt, test) < decibels - 1e-9:
        raise ArithmeticError(f"the PSNR is {psnr(rebuilt, test)} dB instead of {decibels} dB")
    print(f"{decibels} dB: {model.describe(data)}", file=sys.stderr, flush=True)
    arrays = model.needed_for(data).to_arrays()
    size = sum(array.nbytes for array in arrays.values())
    bits, more = (8 * each / test.size for each in (len(data), size))
    return bits, bits + more, middle - start, end - middle


def psnr(rebuilt: NDArray[Any], images: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / np.mean((rebuilt.astype(np.float64) - images) ** 2)))


def components(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> Curve:
    """Return the curve of principal components, all quantised with the same step.

    The size of each component is the entropy of its quantised values over the test images. A value
    is reconstructed as the mean of the training values in the same interval: the best that is
    possible without other components.
    """
    flat, unseen = (each.reshape(len(each), -1).astype(np.float32) for each in (train, test))
    mean = flat.mean(0)
    vectors = np.linalg.eigh(np.cov((flat - mean).T))[1][:, ::-1].astype(np.float32)
    known, new = (flat[:20_000] - mean) @ vectors, (unseen - mean) @ vectors
    curve = []
    for step in STEPS:
        for zone in DEAD_ZONES:
            rebuilt, bits = np.zeros_like(new), 0.0
            for j in range(new.shape[1]):
                numbers, counts, values = column(known[:, j], new[:, j], step, zone)
                share = counts[counts > 0] / len(new)
                bits -= float((share * np.log2(share)).sum())
                rebuilt[:, j] = values[numbers]
            images = np.clip(np.rint(rebuilt @ vectors.T + mean), 0, 255)
            curve.append((bits / new.shape[1], psnr(images, unseen)))
    return lowest(curve)


def column(known: Any, new: Any, step: float, zone: float) -> tuple[Any, Any, Any]:
    """Return a component's indices from 0, the count of each index, and its decoded value."""

    def rounded(values: Any) -> Any:
        return (np.sign(values) * np.floor(np.abs(values) / step + zone)).astype(np.intp)

    first, second = rounded(known), rounded(new)
    base = min(first.min(), second.min())
    size = max(first.max(), second.max()) - base + 1
    sums = np.bincount(first - base, weights=known, minlength=size)
    counts = np.bincount(first - base, minlength=size)
    values = (sums + step * (np.arange(size) + base)) / (counts + 1)
    return second - base, np.bincount(second - base, minlength=size), values


def codecs(test: NDArray[np.uint8]) -> dict[str, Curve]:
    """Return the curves of JPEG, WebP and JPEG-XL."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        np.save(path, test)
        python = environments.python_of("imagecodecs")
        done = subprocess.run([python, WORKER, path], check=True, stdout=subprocess.PIPE)
    return {name: lowest(curve) for name, curve in json.loads(done.stdout).items()}


def lowest(curve: Any) -> Curve:
    """Return the points that no other point beats in both bits and PSNR, by increasing bits."""
    kept: Curve = []
    for bits, decibels in sorted(map(tuple, curve)):
        if not kept or decibels > kept[-1][1]:
            kept.append((bits, decibels))
    return kept


def at(curve: Curve, decibels: float) -> float | None:
    """Return the bits at which a curve reaches a PSNR, interpolated in log bits."""
    bits, reached = (np.array(each) for each in zip(*curve, strict=True))
    if decibels > reached[-1]:
        return None
    if decibels < reached[0]:
        return float(bits[0])  # the smallest size of the codec
    return float(np.exp(np.interp(decibels, reached, np.log(bits))))
