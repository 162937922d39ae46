"""What a measure of patches is on normal pictures, so that it can be compared with it.

What is normal may depend on where a patch is, if all pictures show the same object in the same
place, and on what it looks like: at an edge, every measure is larger than on plain ground. For each
measure, one of three expectations is chosen: the same value everywhere, one value for each place,
or the mean of the patches that look alike. The choice is the one with the smallest squared error on
normal pictures from which the expectation was not taken; no anomalies are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.ndimage import gaussian_filter

from isthmus.anomaly.patch_memory import mean_of_nearest
from isthmus.core.errors import InvalidArchive
from isthmus.persistence.array_checks import check_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import Generator
    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_EVERYWHERE, _PLACE, _LOOK = range(3)
_LOOKS = 2000
"""Patches that are remembered with their measures."""
ALIKE = 8
"""How many patches of the same look are averaged."""
_BLUR = 0.7
"""Of the values by place, in points of the grid."""
_LEAST_SPREAD = 0.3
"""Least spread at a place, as a fraction of that everywhere: few pictures may agree by chance."""
_SMALLEST = 0.02
"""Least spread everywhere: measures are logarithms. Patches of few pictures are all equally far
from their mean, and any others would seem to be extremely far."""


@dataclass(frozen=True)
class ExpectedLevels:
    """The expected values of measures, and their spread.

    Parameters
    ----------
    choice : int64 array of shape (measures,)
        Which expectation each measure has.
    everywhere : float32 array of shape (2, measures)
        Mean and standard deviation of a measure over all places.
    places : float32 array of shape (2, rows, columns, measures)
        The same for each place.
    looks : float32 array of shape (m, d)
        What some normal patches look like.
    levels : float32 array of shape (m, measures)
        Their measures.
    """

    choice: NDArray[np.int64]
    everywhere: Floats
    places: Floats
    looks: Floats
    levels: Floats

    @classmethod
    def fit(cls, measures: Floats, looks: Floats, rng: Generator) -> Self:
        """Fit to normal pictures.

        Parameters
        ----------
        measures : array of shape (n, rows, columns, measures)
            At least two pictures.
        looks : array of shape (n, rows, columns, d)
            What the same patches look like.
        rng : Generator
            Chooses the patches that are remembered.
        """
        count = measures.shape[-1]
        errors = np.zeros((3, count))
        for part in (slice(0, None, 2), slice(1, None, 2)):
            other = slice(1 - part.start, None, 2)
            half = cls._of(measures[part], looks[part], rng)
            for kind in range(3):
                trial = cls(np.full(count, kind), *half)
                away = measures[other] - trial._expected(looks[other])
                errors[kind] += np.square(away, dtype=np.float64).mean(axis=(0, 1, 2))
        return cls(errors.argmin(axis=0), *cls._of(measures, looks, rng))

    @staticmethod
    def _of(
        measures: Floats, looks: Floats, rng: Generator
    ) -> tuple[Floats, Floats, Floats, Floats]:
        flat = measures.reshape(-1, measures.shape[-1])
        seen = looks.reshape(len(flat), -1)
        everywhere = np.stack([flat.mean(axis=0), np.maximum(flat.std(axis=0), _SMALLEST)])
        places = np.stack([measures.mean(axis=0), measures.std(axis=0)])
        places = gaussian_filter(places, (0, _BLUR, _BLUR, 0))
        places[1] = np.maximum(places[1], _LEAST_SPREAD * everywhere[1])
        # The same number is kept of any pictures, so that loaded files have bounded costs.
        kept = rng.permutation(len(flat))[:_LOOKS]
        parts = (everywhere, places, seen[kept], flat[kept])
        return tuple(np.ascontiguousarray(each, dtype=np.float32) for each in parts)  # type: ignore[return-value]

    def excess(self, measures: Floats, looks: Floats) -> Floats:
        """Return how far measures are above what is expected, (n, rows, columns, measures)."""
        away = measures - self._expected(looks)
        scaled: Floats = away / self.spread
        return scaled

    @property
    def spread(self) -> Floats:
        """The spread of measures, (rows, columns, measures)."""
        spread: Floats = np.where(self.choice == _PLACE, self.places[1], self.everywhere[1])
        return spread

    @property
    def fixed(self) -> Floats:
        """What is expected without regard to looks, (rows, columns, measures)."""
        fixed: Floats = np.where(self.choice == _PLACE, self.places[0], self.everywhere[0])
        return fixed

    @property
    def by_look(self) -> NDArray[np.intp]:
        """Which measures are expected by the looks of patches."""
        return np.flatnonzero(self.choice == _LOOK)

    def _expected(self, looks: Floats) -> Floats:
        expected = np.broadcast_to(self.fixed, (len(looks), *self.fixed.shape))
        chosen = self.by_look
        if len(chosen):
            expected = expected.copy()
            expected[..., chosen] = self._of_alike(looks, chosen)
        return expected

    def _of_alike(self, looks: Floats, chosen: NDArray[np.intp]) -> Floats:
        """Return the mean of patches that look alike, at every second point to save time."""
        sparse = looks[:, ::2, ::2]
        near = min(ALIKE, len(self.looks) - 1)
        flat = sparse.reshape(-1, looks.shape[-1])
        means = mean_of_nearest(self.looks, self.levels[:, chosen], flat, near)
        dense = means.reshape(*sparse.shape[:3], -1)
        dense = np.repeat(np.repeat(dense, 2, axis=1), 2, axis=2)
        return dense[:, : looks.shape[1], : looks.shape[2]]

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays for an archive."""
        names = ("choice", "everywhere", "places", "looks", "levels")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[np.generic]],
        shape: tuple[int, int],
        measures: int,
        look: int,
    ) -> Self:
        """Rebuild them from `to_arrays`.

        Parameters
        ----------
        arrays : mapping of str to ndarray
        shape : (int, int)
            Rows and columns of the grid.
        measures, look : int
            The number of measures, and of components of a look.

        Raises
        ------
        InvalidArchive
            The arrays do not describe such levels.
        """
        check_arrays(
            arrays,
            {
                "choice": ("int64", (measures,)),
                "everywhere": ("float32", (2, measures)),
                "places": ("float32", (2, *shape, measures)),
                "looks": ("float32", (None, look)),
                "levels": ("float32", (None, measures)),
            },
        )
        levels = cls(**arrays)  # type: ignore[arg-type]
        known = np.isin(levels.choice, (_EVERYWHERE, _PLACE, _LOOK)).all()
        spreads = min(levels.everywhere[1].min(), levels.places[1].min())
        size = len(levels.looks)
        if not (known and spreads > 0 and 2 <= size == len(levels.levels) <= _LOOKS):
            raise InvalidArchive(
                "the archive's levels",
                expected=f"spreads above 0, and measures of 2 to {_LOOKS:,} patches",
                received="other values",
            )
        return levels
