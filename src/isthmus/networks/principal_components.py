"""Principal components of pictures, with mirror images where these help.

The principal components of pictures and their mirror images are each symmetric or antisymmetric. So
they are computed from the symmetric and the antisymmetric part of each picture, which have half as
many cells, and mirror images are never made.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from isthmus.core.randomness import generator_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.core.types import Floats

_MOST_CELLS = 2**25
"""Cells of the rows that components are computed from, 128 MiB."""
_FEWEST_ROWS = 1024
_BLOCK = 512
_SMALLEST_DEVIATION = 1e-4
GAIN = 0.99
"""What is added to plain principal components, mirror images or training, must reduce the error of
the held-out rows at least to this fraction."""
_MIRRORS = ((2,), (1, 2))
"""Left and right, then also up and down."""
_FEW_HELD_OUT, _FOLDS = 100, 5
_WIDTH, _ITERATIONS = 2, 8
"""Of the subspace iteration: vectors for each that is wanted, and products."""
_HALF = np.float32(math.sqrt(0.5))


class PrincipalComponents(NamedTuple):
    """The leading principal components of rows."""

    mean: Floats
    """(cells,)"""
    directions: Floats
    """(components, cells), orthonormal. There may be fewer than were asked for."""
    deviations: Floats
    """(components,), the standard deviations along the directions, descending and > 0."""
    mirrored: tuple[int, ...] = ()
    """The axes along which mirror images of the rows were added."""

    def error(self, rows: Floats) -> float:
        """Return the mean squared error of rows (n, cells) after projection."""
        away = rows - self.mean
        away -= (away @ self.directions.T) @ self.directions
        return float(np.square(away).mean())


def choose(
    rows: Floats,
    held_out: Floats | None,
    shrunk: Callable[[Floats], Any],
    *,
    components: int,
    seed: int,
) -> PrincipalComponents:
    """Return principal components of pictures, or of them and their mirror images.

    With few pictures, mirror images improve the estimate if their kind has no left and right.
    Whether that is so is decided by the error on held-out rows. If these are few, it is decided by
    cross-validation on all rows.

    Parameters
    ----------
    rows, held_out : float32 arrays of shape (n, height, width) or (n, height, width, channels)
        NaN marks a missing cell. Without held-out rows, mirror images are not used, and rows may
        have any shape.
    shrunk : callable
        Maps a block of rows to the pictures that are analysed, which may be smaller.
    components : int
        The number of components wanted.
    seed : int
        Determines which of many rows are used.
    """
    if held_out is None or len(held_out) == 0:
        return of_rows(rows, shrunk, components=components, seed=seed)
    pictures = _analysed(rows, shrunk, seed)
    held = _collected(shrunk, held_out[: len(rows)])
    # Most products are small: other threads would wait for the next one, at full load.
    with threadpool_limits(1):
        return _best(pictures, held, components, seed)


def of_rows(
    rows: Floats,
    shrunk: Callable[[Floats], Any],
    mirrored: tuple[int, ...] = (),
    *,
    components: int,
    seed: int,
) -> PrincipalComponents:
    """Return the principal components of pictures and their mirror images along some axes.

    Parameters
    ----------
    mirrored : tuple of int
        (), (2,) or (1, 2). The other parameters are those of `choose`.
    """
    pictures = _analysed(rows, shrunk, seed)
    with threadpool_limits(1):
        return _components(pictures, mirrored, components, seed)


def _best(pictures: Floats, held: Floats, components: int, seed: int) -> PrincipalComponents:
    best = _components(pictures, (), components, seed)
    lowest = _error(best, pictures, held, components, seed)
    wanted = GAIN * lowest
    for axes in _MIRRORS:
        found = _components(pictures, axes, components, seed)
        error = _error(found, pictures, held, components, seed)
        if error >= lowest:
            break
        lowest = error
        if error < wanted:  # one kind of mirror image alone may gain too little
            best, wanted = found, error
    return best


def _analysed(rows: Floats, shrunk: Callable[[Floats], Any], seed: int) -> Floats:
    """Return as many pictures as the components are computed from."""
    most = max(_FEWEST_ROWS, _MOST_CELLS // _collected(shrunk, rows[:1]).size)
    if len(rows) > most:
        rows = rows[generator_for(seed, "principal components").permutation(len(rows))[:most]]
    return _collected(shrunk, rows)


def _collected(shrunk: Callable[[Floats], Any], rows: Floats) -> Floats:
    """Return the pictures of rows; a missing cell is the mean of its column."""
    blocks = [
        np.asarray(shrunk(np.ascontiguousarray(rows[start : start + _BLOCK])), np.float32)
        for start in range(0, len(rows), _BLOCK)
    ]
    made = np.concatenate(blocks)
    missing = np.isnan(made)
    if missing.any():
        seen = np.maximum((~missing).sum(axis=0), 1)
        made = np.where(missing, np.where(missing, 0, made).sum(axis=0) / seen, made)
    return made.astype(np.float32, copy=False)


def _error(
    found: PrincipalComponents, pictures: Floats, held_out: Floats, components: int, seed: int
) -> float:
    """Return the mean squared error of other rows than those of the components."""
    if len(held_out) >= _FEW_HELD_OUT:
        return found.error(_flat(held_out))
    numbers = np.arange(len(pictures))
    errors = []
    for fold in range(min(_FOLDS, len(numbers))):
        out = numbers % _FOLDS == fold
        if not out.all():
            of_others = _components(pictures[~out], found.mirrored, components, seed)
            errors.append(of_others.error(_flat(pictures[out])))
    return float(np.mean(errors)) if errors else math.inf


def _components(
    pictures: Floats, mirrored: tuple[int, ...], components: int, seed: int
) -> PrincipalComponents:
    parts = _parts(pictures, mirrored)
    # An antisymmetric part of a picture has the opposite sign in its mirror image, so the mean of
    # both is 0.
    means = [np.zeros(part.shape[1:], np.float32) for part in parts]
    means[0] = parts[0].mean(axis=0)
    found = [
        _leading(_flat(part - mean), components, seed)
        for part, mean in zip(parts, means, strict=True)
    ]
    directions = [
        _as_pictures(own.reshape(len(own), *means[index].shape), index, means, mirrored)
        for index, (_, own) in enumerate(found)
    ]
    deviations = np.concatenate([own for own, _ in found])
    order = np.argsort(-deviations, kind="stable")[:components]
    order = order[deviations[order] > _SMALLEST_DEVIATION * max(deviations.max(), 1e-12)]
    mean = _as_pictures(means[0][None], 0, means, mirrored)
    return PrincipalComponents(
        mean.ravel(), _flat(np.concatenate(directions))[order], deviations[order], mirrored
    )


def _leading(rows: Floats, components: int, seed: int) -> tuple[Floats, Floats]:
    """Return the largest standard deviations of rows (n, cells) around 0, and their directions.

    The directions are those of the smaller one of the matrices of products of rows and of columns.
    Since squares of small deviations are lost in the rounding errors of such a matrix, deviations
    are computed from the rows again, within the space of the directions (Rayleigh-Ritz).

    Returns
    -------
    tuple of ndarray
        Standard deviations (components,) and orthonormal directions (components, cells).
    """
    wide = rows.shape[0] < rows.shape[1]
    products = rows @ rows.T if wide else rows.T @ rows
    vectors = _eigenvectors(products, min(components, len(products)), seed)
    basis = np.linalg.qr(rows.T @ vectors if wide else vectors)[0]
    _, values, turned = np.linalg.svd(np.linalg.qr(rows @ basis, mode="r"), full_matrices=False)
    deviations = (values / math.sqrt(len(rows))).astype(np.float32)
    return deviations, turned @ basis.T


def _eigenvectors(matrix: Floats, count: int, seed: int) -> Floats:
    """Return eigenvectors of the largest eigenvalues of a positive matrix, (side, count).

    Subspace iteration with twice as many vectors: the number of products is fixed, which that of
    the Lanczos method is not. Where eigenvalues are close, as with noise, what is left over is at
    most 0.05 % more than with exact eigenvectors.
    """
    vectors: Floats
    width = _WIDTH * count
    if width >= len(matrix):
        vectors = np.linalg.eigh(matrix)[1]
        return vectors[:, len(matrix) - count :]
    basis = generator_for(seed, "subspace").standard_normal((len(matrix), width), np.float32)
    for _ in range(_ITERATIONS):
        basis = np.linalg.qr(matrix @ basis)[0]
    turned = np.linalg.eigh(basis.T @ (matrix @ basis))[1]
    vectors = basis @ turned[:, width - count :]
    return vectors


def _parts(pictures: Floats, axes: tuple[int, ...]) -> list[Floats]:
    """Return the symmetric and antisymmetric parts of pictures along axes.

    The first is symmetric along all axes. Together the parts have the cells of a picture, and they
    are an orthonormal transformation of it.
    """
    parts = [pictures]
    for axis in axes:
        parts = [half for part in parts for half in _halves(part, axis)]
    return parts


def _halves(pictures: Floats, axis: int) -> tuple[Floats, Floats]:
    """Return the symmetric part, with the middle cells of an odd side, and the antisymmetric."""
    side = pictures.shape[axis]
    first, middle, last = np.split(pictures, [side // 2, side - side // 2], axis)
    last = np.flip(last, axis)
    return np.concatenate([_HALF * (first + last), middle], axis), _HALF * (first - last)


def _whole(symmetric: Floats, antisymmetric: Floats, axis: int) -> Floats:
    """Return the pictures of which these are the parts."""
    even, middle = np.split(symmetric, [antisymmetric.shape[axis]], axis)
    last = np.flip(even - antisymmetric, axis)
    return np.concatenate([_HALF * (even + antisymmetric), middle, _HALF * last], axis)


def _as_pictures(part: Floats, index: int, like: list[Floats], axes: tuple[int, ...]) -> Floats:
    """Return the pictures whose part of this index is `part`, and whose others are 0.

    Parameters
    ----------
    like : list of ndarray
        An array of the shape of each part.
    """
    parts = [np.zeros((len(part), *each.shape), np.float32) for each in like]
    parts[index] = part
    for axis in reversed(axes):
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [_whole(even, odd, axis) for even, odd in pairs]
    return parts[0]


def _flat(pictures: Floats) -> Floats:
    return pictures.reshape(len(pictures), -1)
