"""Fitting of the coders of a lossy model that suit given samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.compression.lossy.grey_levels import LevelGrid, LevelsCoder
from isthmus.compression.lossy.transform import (
    MOST_CODES,
    LinearTransform,
    TransformCoder,
    TransformNetwork,
    centred,
)
from isthmus.compression.pixels.model import MOST_CHANNELS, PixelModel
from isthmus.core.randomness import derive_seed, generator_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.lossy.transform import Doubles
    from isthmus.core.types import Floats

GRIDS = ((2, 2), (4, 2), (2, 1), (3, 1), (4, 1), (6, 1), (12, 1))
"""Numbers of grey levels and factors of downsampling, from coarse to fine."""
_LINEAR_POINTS = 28
_NETWORK_POINTS = slice(4, 12)
"""The operating points of the linear transform that the network shares."""
_COARSEST = 6
"""The first step, in standard deviations of the first component; the ratio of steps is 2**-0.5."""
_NETWORK_CODES = 64
_EPOCHS, _BATCH = 10, 128
_FEWEST, _MOST = 1500, 12_000
"""Limits of the number of weight updates, unless `epochs` is given."""
_SMALLEST_IMAGE = 4
_PIXEL_UPDATES, _PIXEL_BATCH = 2500, 4096
_REFINER_UPDATES = 3000
_COVARIED, _COUNTED = 2**15, 2**12
"""Samples from which principal components and frequencies are computed."""
_DENSE = 2048
"""Principal components of up to this many cells are computed exactly."""
_MOST_CELLS = 2**25
"""The most cells of the samples that components are computed from, and of the components."""
_WIDEST = 2**14
"""Samples with more cells would need too large a network."""


def fit_coders(
    flat: NDArray[Any],
    shape: tuple[int, ...],
    mean: Doubles,
    ranges: Doubles,
    seed: int,
    epochs: float | None,
) -> dict[str, Any]:
    """Return the coders by name, fitted to samples (n, cells) of this shape."""
    from isthmus.compression.lossy.training import train_network

    some = _some(flat, _COVARIED, seed)
    basis, spread = _components(centred(some, mean, ranges), seed)
    first = _COARSEST * max(float(spread[0]), 1e-4)
    steps = (first * 2 ** (-0.5 * np.arange(_LINEAR_POINTS))).astype(np.float32)
    counted = _some(flat, _COUNTED, seed)
    linear = LinearTransform(basis, steps, _offsets(centred(counted, mean, ranges), basis, steps))
    coders: dict[str, Any] = {"linear": TransformCoder.of(mean, ranges, linear, counted)}
    updates = _updates(len(flat), epochs)
    if images := _image_shape(flat.dtype, shape):
        coders["levels"] = _levels(flat.reshape(-1, *images), seed, updates)
    if flat.shape[1] > _WIDEST:
        return coders
    learned = flat, mean, ranges
    if flat.dtype != np.uint8:  # bytes are not converted: they take a quarter of the memory
        learned = centred(flat, mean, ranges), np.zeros_like(mean), np.ones_like(mean)
    network: TransformNetwork = train_network(
        *learned,
        basis[:_NETWORK_CODES],
        steps[_NETWORK_POINTS],
        seed=seed,
        updates=updates,
    )
    coders["network"] = TransformCoder.of(mean, ranges, network, counted)
    return coders


def _updates(n: int, epochs: float | None) -> int:
    if epochs is not None:
        return max(1, math.ceil(epochs * n / _BATCH))
    return min(max(_EPOCHS * n // _BATCH, _FEWEST), _MOST)


def _some(flat: NDArray[Any], most: int, seed: int) -> NDArray[Any]:
    most = min(most, max(1, _MOST_CELLS // flat.shape[1]))
    if len(flat) <= most:
        return flat
    chosen = generator_for(seed, "samples").choice(len(flat), most, replace=False)
    return flat[np.sort(chosen)]


def _components(cells: Floats, seed: int) -> tuple[Floats, Floats]:
    """Return principal components (k, cells) and standard deviations along them (k,).

    For many cells, the method is Halko, Martinsson and Tropp, 2011, "Finding structure with
    randomness", algorithm 4.4 with two power iterations.
    """
    n, width = cells.shape
    most = min(MOST_CODES, width, max(1, _MOST_CELLS // width))
    if width <= _DENSE:
        covariance = (cells.T @ cells).astype(np.float64) / n
        values, vectors = np.linalg.eigh(covariance)
        basis = vectors.T[::-1][:most]
        spread = np.sqrt(np.maximum(values[::-1][:most], 0))
        return basis.astype(np.float32), spread.astype(np.float32)
    most = min(most, n)
    probe = generator_for(seed, "probe").normal(size=(width, most)).astype(np.float32)
    for _ in range(3):
        probe = np.linalg.qr(cells.T @ (cells @ probe))[0]
    _, values, turn = np.linalg.svd(cells @ probe, full_matrices=False)
    return (turn @ probe.T).astype(np.float32), (values / math.sqrt(n)).astype(np.float32)


def _offsets(cells: Floats, basis: Floats, steps: Floats) -> Floats:
    """Return the mean amount, in steps, by which rounding increases magnitudes."""
    components = np.abs(cells @ basis.T)
    offsets = []
    for step in steps:
        as_stored = LinearTransform.magnitudes(components / step)
        kept = as_stored > 0
        gap = (as_stored - components / step)[kept]
        offsets.append(float(gap.mean()) if gap.size else 0.0)
    return np.array(offsets, np.float32)


def _image_shape(dtype: np.dtype[Any], shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return height, width and channels if samples are images of bytes."""
    if dtype != np.uint8 or len(shape) not in (2, 3) or min(shape[:2]) < _SMALLEST_IMAGE:
        return None
    height, width, channels = (*shape, 1)[:3]
    return (height, width, channels) if channels <= MOST_CHANNELS else None


def _levels(images: NDArray[np.uint8], seed: int, updates: int) -> LevelsCoder:
    from isthmus.compression.lossy.training import train_refiner

    height, width, channels = images.shape[1:]
    grids, models, refiners = [], [], []
    for levels, factor in GRIDS:
        grid = LevelGrid((height, width, channels), levels, factor)
        values = grid.quantise(images)
        own = derive_seed(seed, f"levels {levels} {factor}")
        epochs = min(updates, _PIXEL_UPDATES) * _PIXEL_BATCH / values[..., 0].size
        grids.append(grid)
        models.append(PixelModel.fit(values, seed=own, epochs=epochs))
        refiners.append(
            train_refiner(grid, images, seed=own, updates=min(updates, _REFINER_UPDATES))
        )
    return LevelsCoder(tuple(grids), tuple(models), tuple(refiners))
