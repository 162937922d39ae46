"""Structural similarity of images (SSIM), and the losses made from it.

References
----------
Wang, Bovik, Sheikh and Simoncelli (2004), "Image quality assessment: from error visibility to
structural similarity", IEEE Transactions on Image Processing 13(4).
Wang, Simoncelli and Bovik (2003), "Multiscale structural similarity for image quality assessment",
Asilomar Conference on Signals, Systems and Computers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from isthmus.core.types import Batch, Floats, Outputs

Array = jax.Array

_WINDOW, _SIGMA = 11, 1.5
"""Side and standard deviation of the Gaussian window, in pixels (2004, section III.C)."""
_C1, _C2 = 0.01**2, 0.03**2
"""The stabilising constants of the same section, for a range of 1."""
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The exponents of the scales, finest first (2003, section 3.2)."""
_SMALLEST_FACTOR = 1e-4
"""A negative number has no fractional power, and that of 0 has an infinite derivative."""
_TINY = 1e-12


class _Pair(NamedTuple):
    """Two stacks of images, one channel each, and the weight of each pixel."""

    target: Array
    """(n, channels, h, w)"""
    other: Array
    """(n, channels, h, w)"""
    weight: Array | None
    """(n, channels, h, w), 0 marks a missing pixel; None if none are missing."""


class _Similarity(NamedTuple):
    """The means over the windows of each image and channel, (n, channels) each."""

    whole: Array
    """SSIM: the product of luminance, contrast and structure."""
    contrast: Array
    """The product of contrast and structure."""


def ssim(batch: Batch, outputs: Outputs) -> Array:
    """Return 1 - SSIM of each image, (n,), in [0, 2]."""
    return 1.0 - structural_similarity(batch.target, outputs.reconstruction, batch.observed)


def ms_ssim(batch: Batch, outputs: Outputs) -> Array:
    """Return 1 - MS-SSIM of each image, (n,), in [0, 1].

    There are up to five scales, each half the size of the one before. The window must fit into the
    coarsest, so images of fewer than 22 pixels have one, and of 176 or more have five. The
    exponents of the scales that are used are divided by their sum. Factors are at least 1e-4.
    """
    pair = _pair(batch.target, outputs.reconstruction, batch.observed)
    scales = _scales(batch.target.shape[1:3])
    exponents = np.array(_SCALE_WEIGHTS[:scales]) / sum(_SCALE_WEIGHTS[:scales])
    coverage, total = _coverage(pair), jnp.float32(1.0)
    for scale, exponent in enumerate(exponents.tolist()):
        similarity = _similarity(pair)
        last = scale == scales - 1
        factor = similarity.whole if last else similarity.contrast
        total = total * jnp.maximum(factor, _SMALLEST_FACTOR) ** exponent
        pair = pair if last else _halved(pair)
    return 1.0 - _mean_over_channels(total, coverage)


def structural_similarity(target: Array, other: Array, observed: Array | None = None) -> Array:
    """Return the mean SSIM of each image, (n,), at most 1, which identical images have.

    The window is Gaussian, 11 pixels wide with a standard deviation of 1.5. Along a shorter side it
    has the largest odd width that fits, and a standard deviation in proportion. SSIM is averaged
    over all positions at which the window lies within the image, and over channels. Missing pixels
    are left out of the means and variances of a window, and a window counts by the weight of its
    observed pixels. An image without any has 1.

    Parameters
    ----------
    target, other : array of shape (n, h, w) or (n, h, w, channels)
        Images, as fractions of their range.
    observed : array of the same shape, optional
        0 marks a missing pixel, 1 any other.
    """
    pair = _pair(target, other, observed)
    return _mean_over_channels(_similarity(pair).whole, _coverage(pair))


def _pair(target: Array, other: Array, observed: Array | None) -> _Pair:
    weight = None if observed is None else _channels_first(observed)
    return _Pair(_channels_first(target), _channels_first(other), weight)


def _channels_first(cells: Array) -> Array:
    return cells[:, None] if cells.ndim == 3 else jnp.moveaxis(cells, -1, 1)


def _similarity(pair: _Pair) -> _Similarity:
    """Return the similarity by equation 13 of Wang et al. (2004)."""
    x, y = pair.target, pair.other
    weights = _window(x.shape[-2]), _window(x.shape[-1])
    moments = jnp.stack([x, y, x * x + y * y, x * y])
    if pair.weight is None:
        covered = jnp.ones(())
        mean_x, mean_y, squares, product = _filtered(moments, *weights)
    else:
        covered = _filtered(pair.weight, *weights)
        smooth = _filtered(moments * pair.weight, *weights)
        mean_x, mean_y, squares, product = smooth / jnp.maximum(covered, _TINY)
    mean_squares, mean_product = mean_x * mean_x + mean_y * mean_y, mean_x * mean_y
    covariance, variances = product - mean_product, squares - mean_squares
    contrast = (2.0 * covariance + _C2) / (variances + _C2)
    luminance = (2.0 * mean_product + _C1) / (mean_squares + _C1)
    covered = jnp.broadcast_to(covered, contrast.shape)
    total = jnp.maximum(covered.sum((-2, -1)), _TINY)
    whole, part = (
        (covered * each).sum((-2, -1)) / total for each in (luminance * contrast, contrast)
    )
    return _Similarity(whole, part)


def _filtered(images: Array, rows: Floats, columns: Floats) -> Array:
    """Filter the last two axes, (..., h, w) -> (..., h', w').

    A separable filter is two products with banded matrices, which are faster on CPUs than a
    convolution or a sum of shifted images, up to 128 pixels and more. The highest precision is
    needed for the difference of squares.
    """
    for matrix in (columns, rows):
        products = jnp.matmul(images, matrix.T, precision=jax.lax.Precision.HIGHEST)
        images = jnp.swapaxes(products, -1, -2)
    return images


def _window(side: int) -> Floats:
    """Return the window at all positions along a side, (positions, side); rows sum to 1."""
    width = min(_WINDOW, side if side % 2 else side - 1)
    offsets = np.arange(width) - width // 2
    weights = np.exp(-0.5 * np.square(offsets / (_SIGMA * width / _WINDOW)))
    matrix = np.zeros((side - width + 1, side))
    for position, row in enumerate(matrix):
        row[position : position + width] = weights / weights.sum()
    return matrix.astype(np.float32)


def _scales(size: tuple[int, ...]) -> int:
    fitting = [s for s in range(len(_SCALE_WEIGHTS)) if min(size) >> s >= _WINDOW]
    return max(1, len(fitting))


def _halved(pair: _Pair) -> _Pair:
    """Return images of half the size, means of 2 x 2 pixels; an odd row or column is left out."""
    sides = _pairs_of(pair.target.shape[-2]), _pairs_of(pair.target.shape[-1])
    if pair.weight is None:
        return _Pair(_filtered(pair.target, *sides), _filtered(pair.other, *sides), None)
    weight = _filtered(pair.weight, *sides)
    target, other = (
        _filtered(each * pair.weight, *sides) / jnp.maximum(weight, _TINY) for each in pair[:2]
    )
    return _Pair(target, other, weight)


def _pairs_of(side: int) -> Floats:
    """Return the matrix that averages pairs of neighbours, (side // 2, side)."""
    matrix = np.zeros((side // 2, side), np.float32)
    for position, row in enumerate(matrix):
        row[2 * position : 2 * position + 2] = 0.5
    return matrix


def _coverage(pair: _Pair) -> Array | None:
    """Return how many pixels each channel has, (n, channels); None if none are missing."""
    return None if pair.weight is None else pair.weight.sum((-2, -1))


def _mean_over_channels(similarity: Array, coverage: Array | None) -> Array:
    if coverage is None:
        return similarity.mean(axis=1)
    lacking = (1.0 - similarity) * coverage
    return 1.0 - lacking.sum(axis=1) / jnp.maximum(coverage.sum(axis=1), 1.0)
