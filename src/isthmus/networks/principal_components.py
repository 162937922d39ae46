"""Principal components of pictures, with mirror images where these help."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.utils.extmath import randomized_svd

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
    cells: Callable[[Floats], Any],
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
        NaN marks a missing cell. Without held-out rows, mirror images are not used.
    cells : callable
        Maps a block of rows to the cells that are analysed, (n, cells).
    components : int
        The number of components wanted.
    seed : int
        Determines which of many rows are used.
    """
    if held_out is None or len(held_out) == 0:
        return of_rows(rows, cells, components=components, seed=seed)
    rows = _at_most(rows, cells, seed)
    views = [_collected(cells, rows)]
    held = _collected(cells, held_out[: len(rows)])
    lowest = _error(views, held, components, seed)
    chosen: tuple[int, ...] = ()
    wanted = GAIN * lowest
    for axes in _MIRRORS:
        views += _mirror_images(rows, cells, axes)
        error = _error(views, held, components, seed)
        if error >= lowest:
            break
        lowest = error
        if error < wanted:  # one kind of mirror image alone may gain too little
            chosen, wanted = axes, error
    return of_rows(rows, cells, chosen, components=components, seed=seed)


def of_rows(
    rows: Floats,
    cells: Callable[[Floats], Any],
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
    rows = _at_most(rows, cells, seed)
    views = [_collected(cells, rows)]
    for axes in _MIRRORS[: len(mirrored)]:
        views += _mirror_images(rows, cells, axes)
    found = _components(np.concatenate(views), components, seed)
    return found._replace(mirrored=mirrored)


def _at_most(rows: Floats, cells: Callable[[Floats], Any], seed: int) -> Floats:
    """Return as many of the rows as the components are computed from."""
    width = _collected(cells, rows[:1]).shape[1]
    most = max(_FEWEST_ROWS, _MOST_CELLS // width)
    if len(rows) <= most:
        return rows
    return rows[generator_for(seed, "principal components").permutation(len(rows))[:most]]


def _mirror_images(
    rows: Floats, cells: Callable[[Floats], Any], axes: tuple[int, ...]
) -> list[Floats]:
    """Return the mirror images that the last of `axes` adds to those along the others."""
    flips = (axes,) if len(axes) == 1 else (axes[:1], axes)
    return [_collected(cells, np.flip(rows, each)) for each in flips]


def _error(views: list[Floats], held_out: Floats, components: int, seed: int) -> float:
    """Return the mean squared error of rows that were not used, from all views of the others."""
    if len(held_out) >= _FEW_HELD_OUT:
        return _components(np.concatenate(views), components, seed).error(held_out)
    numbers = np.arange(len(views[0]))
    errors = []
    for fold in range(min(_FOLDS, len(numbers))):
        out = numbers % _FOLDS == fold
        known = np.concatenate([view[~out] for view in views])
        if len(known):
            errors.append(_components(known, components, seed).error(views[0][out]))
    return float(np.mean(errors)) if errors else math.inf


def _components(rows: Floats, components: int, seed: int) -> PrincipalComponents:
    mean = rows.mean(axis=0)
    count = min(components, *rows.shape)
    _, values, directions = randomized_svd(rows - mean, count, n_iter=4, random_state=seed)
    deviations = values / math.sqrt(len(rows))
    kept = deviations > _SMALLEST_DEVIATION * max(deviations[0], 1e-12)
    return PrincipalComponents(
        mean, directions[kept].astype(np.float32), deviations[kept].astype(np.float32)
    )


def _collected(cells: Callable[[Floats], Any], rows: Floats) -> Floats:
    """Return the cells of rows, (n, cells); a missing cell is the mean of its column."""
    blocks = [
        np.asarray(cells(np.ascontiguousarray(rows[start : start + _BLOCK])), np.float32)
        for start in range(0, len(rows), _BLOCK)
    ]
    made = np.concatenate(blocks)
    missing = np.isnan(made)
    if missing.any():
        seen = np.maximum((~missing).sum(axis=0), 1)
        made = np.where(missing, np.where(missing, 0, made).sum(axis=0) / seen, made)
    return made.astype(np.float32, copy=False)
