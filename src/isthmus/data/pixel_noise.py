"""Estimates the noise of pictures from the pictures themselves, and adds more of the same.

With independent Gaussian noise of known deviation, a network can learn from noisy pictures alone
what it would learn from clean targets (Pang et al., 2021, "Recorrupted-to-recorrupted"). It sees
every pixel, unlike one that predicts hidden pixels (`isthmus.data.hidden_pixels`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.types import Corrupted
from isthmus.data.scaling import Scaling

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from isthmus.core.types import Corruption
    from isthmus.data.array_schema import ArraySchema

_SIDES = (7, 5, 3)
"""Sides of the squares that are compared, the largest of which there are enough."""
_MOST_SQUARES = 40_000
_FEWEST_SQUARES_A_PIXEL = 20
_FEWEST_TO_PART = 5_000
_BINS = 4
"""Directions of least variance, and ranges of brightness, in which the noise is compared."""

# Limits of what counts as Gaussian noise of one deviation. Measured with 8 sets of pictures:
# Gaussian noise of 0.1 and 0.2 had ratios of at most 1.2 and an excess kurtosis of at most 4.3.
_MOST_AT_ENDS = 0.01
_LARGEST_RATIO = 1.5
_LARGEST_KURTOSIS = 8.0

ADDED = 0.3
"""Deviation of the noise that is added, relative to that of the pictures."""


@dataclass(frozen=True)
class PixelNoise:
    """Gaussian noise of pictures, by channel, and the range of the pictures without it.

    Parameters
    ----------
    deviation : ndarray of shape (channels,)
        Its standard deviation.
    low, high : ndarray of shape (channels,)
        The range of a linear estimate of the pictures without noise.
    """

    deviation: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def estimate(pictures: NDArray[Any]) -> PixelNoise | None:
    """Estimate independent Gaussian noise; None if there seems to be none of that kind.

    The squares of a picture vary in fewer directions than they have pixels, so the variance in the
    direction of least variance is that of the noise (Pyatykh et al., 2013, "Image noise level
    estimation by principal component analysis"). Detail adds to it, so the squares are divided into
    quarters by how much they vary in other directions, and the least variance counts. The range is
    that of the Wiener filter by the same covariance.

    Noise is not taken for Gaussian if many pixels have the lowest or highest value, as after
    clipping or with salt and pepper, if it is much stronger in some ranges of brightness, as that
    of photon counts, or if its tails are heavy.

    Parameters
    ----------
    pictures : ndarray of shape (n, height, width) or (n, height, width, channels)
        NaN marks a missing pixel.
    """
    channels = pictures[..., None] if pictures.ndim == 3 else pictures
    found = [_of_channel(channels[..., index]) for index in range(channels.shape[-1])]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    return PixelNoise(*np.array(known).T)


def narrowed(schema: ArraySchema, noise: PixelNoise) -> ArraySchema:
    """Return the schema with the range of the pictures without noise, unless it is that of a type.

    The range of noisy pictures grows with their number, as extremes of the noise become larger.
    """
    scaling = schema.scaling
    by_type = (scaling.center == 0).all() and np.isin(scaling.scale, (1.0, 255.0, 65535.0)).all()
    if scaling.method != "range" or by_type:
        return schema
    low, high = noise.low, noise.high
    if scaling.center.size == 1:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    low = np.maximum(low, scaling.center)
    high = np.minimum(high, scaling.center + scaling.scale)
    return replace(schema, scaling=Scaling("range", low, high - low))


def scaled(noise: PixelNoise, schema: ArraySchema) -> NDArray[np.float64] | None:
    """Return the deviation of the noise in scaled units; None if pixels have scales of their own.

    Returns
    -------
    ndarray of shape (channels,) or None
    """
    if schema.scaling.method == "robust":
        return None
    unscaled = schema.scaling.method == "none"
    scale = np.ones(1) if unscaled else schema.scaling.scale
    result: NDArray[np.float64] = noise.deviation / scale
    return result


def recorrupted(deviation: NDArray[np.float64]) -> Corruption:
    """Return a corruption that adds noise to inputs, and to targets what makes them independent.

    With normal z of the deviation of the pictures' noise, the noise of ``y + a z`` and that of
    ``y - z / a`` are independent, so the mean squared error between an output for the first and the
    second differs by a constant from that between the output and the clean picture (Pang et al.,
    2021, theorem 1). Every picture is seen with z and with -z: the large but opposite noise of the
    two targets then cancels, up to what the difference of the outputs brings. For small a, it is
    the risk estimate of Stein (1981) with its divergence along a random direction.

    Parameters
    ----------
    deviation : ndarray of shape (1,) or (channels,)
        That of the pictures' noise, in scaled units.
    """
    scale = jnp.asarray(deviation, jnp.float32)

    def corrupt(key: jax.Array, inputs: jax.Array) -> Corrupted:
        z = scale * jax.random.normal(key, inputs.shape, inputs.dtype)
        added, other = ADDED * z, z / ADDED
        return Corrupted(
            jnp.concatenate([inputs + added, inputs - added]),
            target=jnp.concatenate([inputs - other, inputs + other]),
        )

    return corrupt


def _of_channel(pictures: NDArray[Any]) -> tuple[float, float, float] | None:
    """Return the deviation of the noise and the range of a channel, (n, height, width)."""
    if _share_at_ends(pictures) > _MOST_AT_ENDS:
        return None
    squares = _squares(pictures)
    if squares is None:
        return None
    mean = squares.mean(axis=0)
    squares = squares - mean
    least, weights, energy = _least_directions(squares)
    quarters = _mean_squares(least[:, 0], energy)
    few = len(squares) < _FEWEST_TO_PART  # the least of four would be too small by chance
    variance = float(np.mean(quarters)) if few else min(quarters)
    # Rounded pictures without noise have directions of almost no variance.
    if variance <= 1e-6 * squares.var():
        return None
    middle = squares.shape[1] // 2
    covariance = squares.T @ squares / len(squares)
    signal = covariance[middle].copy()
    signal[middle] -= variance
    filtering = np.linalg.solve(covariance, signal)
    smooth = squares @ filtering + mean[middle]
    if not _is_gaussian(least, weights, smooth):
        return None
    left = float(np.sqrt(variance * np.square(filtering).sum()))
    return float(np.sqrt(variance)), _lowest(smooth, left), -_lowest(-smooth, left)


def _lowest(values: NDArray[np.float64], deviation: float) -> float:
    """Return the lowest of `values` less what noise of this deviation adds to it.

    The lowest of n normal values is about ``sqrt(2 log(n))`` deviations below their mean; n is here
    the number of values that may be as low because of noise. One deviation is left as a margin,
    because outputs that are fractions cannot leave the range.
    """
    lowest = values.min()
    near = lowest + deviation * np.sqrt(2 * np.log(len(values)))
    count = int((values <= near).sum())
    return float(lowest + deviation * (np.sqrt(2 * np.log(count)) - 1))


def _least_directions(
    squares: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return squares (n, pixels) along the directions of least variance.

    The directions are those of the other half of the squares, because few squares have some of too
    little variance by chance.

    Returns
    -------
    tuple of ndarray
        Coordinates (n, directions), weights (halves, pixels, directions), and how much each square
        varies in all other directions, (n,), which is independent of Gaussian noise in these.
    """
    halves = np.array_split(squares, 2)
    turned, weights = [], []
    for half, other in (halves, halves[::-1]):
        directions = np.linalg.eigh(other.T @ other)[1]
        turned.append(half @ directions)
        weights.append(directions[:, :_BINS])
    both = np.concatenate(turned)
    return both[:, :_BINS], np.array(weights), np.square(both[:, _BINS:]).sum(axis=1)


def _mean_squares(values: NDArray[np.float64], by: NDArray[np.float64]) -> list[float]:
    """Return the mean square of `values`, (n,), in each quarter of the rows in the order `by`."""
    order = np.argsort(by)
    return [float(np.square(values[part]).mean()) for part in np.array_split(order, _BINS)]


def _share_at_ends(pictures: NDArray[Any]) -> float:
    """Return the fraction of pixels that have the lowest or the highest value."""
    low, high = np.nanmin(pictures), np.nanmax(pictures)
    return float(np.mean((pictures == low) | (pictures == high)))


def _squares(pictures: NDArray[Any]) -> NDArray[np.float64] | None:
    """Return squares at random places, (count, pixels), without those that have missing pixels."""
    rng = np.random.default_rng(0)
    for side in _SIDES:
        if min(pictures.shape[1:]) < side:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(pictures, (side, side), axis=(1, 2))
        count = int(np.prod(windows.shape[:3]))
        chosen = np.arange(count)
        if count > _MOST_SQUARES:
            chosen = np.sort(rng.integers(0, count, _MOST_SQUARES))
        found = windows[np.unravel_index(chosen, windows.shape[:3])]
        squares: NDArray[np.float64] = found.reshape(len(found), -1).astype(np.float64)
        squares = squares[~np.isnan(squares).any(axis=1)]
        if len(squares) >= _FEWEST_SQUARES_A_PIXEL * side**2:
            return squares
    return None


def _is_gaussian(
    least: NDArray[np.float64], weights: NDArray[np.float64], smooth: NDArray[np.float64]
) -> bool:
    """Whether noise in the directions of least variance has one deviation and no heavy tails.

    A sum of independent cells with weights w has an excess kurtosis smaller by the sum of w**4.
    """
    squares = np.square(least)
    kurtosis = np.square(squares).mean(axis=0) / np.square(squares.mean(axis=0)) - 3
    shares = (weights**4).sum(axis=1).mean(axis=0)
    if (kurtosis / shares).min() > _LARGEST_KURTOSIS:
        return False
    strength = _mean_squares(np.sqrt(squares.mean(axis=1)), smooth)
    return bool(max(strength) <= _LARGEST_RATIO**2 * min(strength))
