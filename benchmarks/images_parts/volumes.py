"""Made volumes of three kinds, (n, depth, height, width, 1); textures are held back."""

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

from images_parts.pictures import Pictures, PictureSet

_TRAIN, _TEST = 120, 60


def _blobs(_: Path) -> Pictures:
    """Make one to four bright ellipsoids at random places, 16 x 16 x 16."""
    rng = np.random.default_rng(0)
    places = np.stack(np.mgrid[:16, :16, :16], axis=-1) / 16
    made = np.zeros((_TRAIN + _TEST, 16, 16, 16), np.float32)
    for volume in made:
        for _ in range(rng.integers(1, 5)):
            away = (places - rng.uniform(0.15, 0.85, 3)) / rng.uniform(0.06, 0.2, 3)
            bright = rng.uniform(0.4, 1) * np.exp(-0.5 * np.square(away).sum(axis=-1))
            np.maximum(volume, bright, out=volume)
    return _split(made)


def _textures(_: Path) -> Pictures:
    """Make noise that is smoothed by another width along each axis, in part thresholded."""
    rng = np.random.default_rng(0)
    made = np.empty((_TRAIN + _TEST, 16, 16, 16), np.float32)
    for volume in made:
        smooth = gaussian_filter(rng.normal(size=volume.shape), rng.uniform(1, 4, 3), mode="wrap")
        smooth /= smooth.std()
        volume[:] = np.tanh((1 if rng.random() < 0.5 else 4) * smooth)
    return _split(made)


def _moving_digits(_: Path) -> Pictures:
    """Let a written digit move straight on through 8 frames of 28 x 28 pixels."""
    rng = np.random.default_rng(0)
    digits = load_digits().images[rng.permutation(1_797)[: _TRAIN + _TEST]] / 16
    made = np.zeros((len(digits), 8, 28, 28), np.float32)
    for volume, digit in zip(made, np.kron(digits, np.ones((1, 2, 2))), strict=True):
        start, end = rng.uniform(0, 12, (2, 2))
        for frame, share in zip(volume, np.linspace(0, 1, 8), strict=True):
            top, left = np.rint(start + share * (end - start)).astype(int)
            frame[top : top + 16, left : left + 16] = digit
    return _split(made)


def _split(volumes: np.ndarray) -> Pictures:
    return Pictures(volumes[:_TRAIN, ..., None], volumes[_TRAIN:, ..., None])


VOLUME_SETS = (
    PictureSet("blobs", "volumes", 16, False, _blobs),
    PictureSet("moving-digits", "volumes", 16, False, _moving_digits),
    PictureSet("volume-textures", "volumes", 16, True, _textures),
)
