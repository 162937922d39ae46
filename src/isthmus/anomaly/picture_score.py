"""The anomaly map of a picture: several measures of its patches, each compared with normal ones.

The measures of a patch are, for patches of several sizes (`picture_grid`),

- its distance from the mean in a whitened space (`patch_whitening`), in the picture and in what the
  autoencoder leaves over: high if it has structure that normal patches lack,
- the same with the opposite sign: high if it lacks structure that normal patches have,
- the distance of its code to the nearest in a memory of normal patches (`patch_memory`),

and, if the encoder has convolutions, the whitened distance of their features, as in PaDiM (Defard
et al., 2021). What is expected of each measure may depend on the place or on the look of the patch
(`expected_levels`).

Each measure is divided by what it reaches at most in a typical normal picture, so that one with
heavy tails does not raise the alarms alone. They are joined by a power mean, which is close to the
largest of them. A picture's score is the maximum of its map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from scipy.ndimage import gaussian_filter

from isthmus.anomaly.expected_levels import ExpectedLevels
from isthmus.anomaly.patch_memory import coreset, nearest_distance
from isthmus.anomaly.patch_whitening import PatchWhitening
from isthmus.core.errors import InvalidArchive
from isthmus.core.finite_outputs import require_finite
from isthmus.persistence.array_checks import check_arrays
from isthmus.persistence.prefixes import outside_prefixes, with_prefix, without_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from isthmus.anomaly.picture_grid import PatchSize, PictureGrid
    from isthmus.anomaly.picture_space import PictureBlock, PictureSpace
    from isthmus.core.types import Floats

_PATCHES = 40_000
"""Patches that a distribution is fitted to."""
_CANDIDATES, _MEMORY = 12_000, 2_000
_POWER = 4
"""Of the mean over measures: large ones count most, and a point where many are large counts more
than one where a few are, however strong the defect is."""
_UPPER = 0.9
_LEAST_SPREAD = 0.02
_LEAST_TOP = 0.5
MOST_MISSING = 0.25
"""A point is left out if a larger fraction of the pixels around it is missing."""
BLURRED = 1
"""In points of the grid: what a patch lacks is taken from around it, too."""
_LEVELS, _FEATURES = "levels/", "features/"


class MeasuredPatches(NamedTuple):
    """What was measured at the points of some pictures."""

    measures: Floats
    """(n, rows, columns, measures)"""
    looks: Floats
    """(n, rows, columns, components), codes of the largest patches."""
    missing: NDArray[np.bool_] | None
    """(n, rows, columns), points to leave out."""


@dataclass(frozen=True, eq=False)
class PictureScore:
    """A fitted score.

    Parameters
    ----------
    space : PictureSpace
        Converts pictures.
    whitenings : sequence of (PatchWhitening, PatchWhitening)
        For each size of patches, those of pictures and of residuals.
    memories : sequence of float32 arrays of shape (m, components)
        Codes of normal patches, for each size.
    features : PatchWhitening or None
        That of the encoder's features.
    levels : ExpectedLevels
        What the measures are on normal pictures.
    tops : float32 array of shape (measures,)
        How far above its expectation each measure is at most in a typical normal picture.
    center, scale : float
        Median of the maximum of normal pictures, and the distance from there to its upper decile.
    """

    space: PictureSpace
    whitenings: Sequence[tuple[PatchWhitening, PatchWhitening]]
    memories: Sequence[Floats]
    features: PatchWhitening | None
    levels: ExpectedLevels
    tops: Floats
    center: float
    scale: float

    @classmethod
    def fit(cls, space: PictureSpace, trained: Floats, reference: Floats, rng: Generator) -> Self:
        """Fit the score.

        Parameters
        ----------
        space : PictureSpace
        trained : array of shape (n, *sample_shape)
            Normal pictures, in the autoencoder's units; it may have been trained on them.
        reference : array of shape (m, *sample_shape)
            At least two more, which it was not trained on.
        rng : Generator
            Chooses patches.
        """
        sizes = space.grid.sizes
        seen, unseen = (_sampled(space, part, rng) for part in (trained, reference))
        whitenings = [
            (PatchWhitening.fit(seen.pictures[i]), PatchWhitening.fit(unseen.residuals[i]))
            for i in range(len(sizes))
        ]
        memories = []
        for (whitening, _), patches in zip(whitenings, seen.pictures, strict=True):
            some = patches[rng.permutation(len(patches))[:_CANDIDATES]]
            codes = whitening.code(whitening.project(some)[0])
            memories.append(coreset(np.ascontiguousarray(codes, dtype=np.float32), _MEMORY, rng))
        features = None if unseen.features is None else PatchWhitening.fit(unseen.features)
        fitted = cls(space, whitenings, memories, features, None, np.ones(1), 0.0, 1.0)  # type: ignore[arg-type]
        return fitted._with_levels(reference, rng)

    def _with_levels(self, reference: Floats, rng: Generator) -> Self:
        """Return the score with levels, tops, center and scale of normal pictures."""
        parts = [self._measured(block) for block in self.space.blocks(reference)]
        measures = np.concatenate([part.measures for part in parts])
        looks = np.concatenate([part.looks for part in parts])
        levels = ExpectedLevels.fit(measures, looks, rng)
        highest = [levels.excess(p.measures, p.looks).max(axis=(1, 2)) for p in parts]
        tops = np.maximum(np.median(np.concatenate(highest), axis=0), _LEAST_TOP)
        raw = replace(self, levels=levels, tops=tops.astype(np.float32), center=0.0, scale=1.0)
        maxima = np.concatenate([raw._joined(part).max(axis=(1, 2)) for part in parts])
        center = float(np.median(maxima))
        scale = max(float(np.quantile(maxima, _UPPER)) - center, _LEAST_SPREAD)
        return replace(raw, center=center, scale=scale)

    def maps(self, matrix: Floats) -> NDArray[np.float64]:
        """Return the anomaly map of pictures, (n, h, w), above 0; NaN where pixels are missing.

        The maximum of a typical normal picture is about 0.7, and it is 1.3 in one of ten.

        Parameters
        ----------
        matrix : array of shape (n, *sample_shape)
            In the autoencoder's units.
        """
        found = np.empty((len(matrix), self.space.grid.height, self.space.grid.width))
        start = 0
        for block in self.space.blocks(matrix):
            joined = self._joined(self._measured(block))
            values = np.logaddexp(0, (joined - self.center) / self.scale)
            require_finite(values, "the anomaly map", start)
            if block.missing is not None:
                values[block.missing] = np.nan
            found[start : start + len(values)] = values
            start += len(values)
        return found

    def _measured(self, block: PictureBlock) -> MeasuredPatches:
        """Return the measures of some pictures before they are compared."""
        distances: list[Floats] = []
        memory: list[Floats] = []
        looks = np.empty(0, dtype=np.float32)
        for place, size in enumerate(self.space.grid.sizes):
            pictures, residuals = self.whitenings[place]
            along, left = pictures.project(self.space.grid.patches(block.pictures, size))
            looks = pictures.code(along)
            memory.append(_sparsely(self.memories[place], looks))
            distances.append(pictures.log_distance(along, left))
            patches = self.space.grid.patches(block.residuals, size)
            distances.append(residuals.log_distance(*residuals.project(patches)))
        lacking = [-gaussian_filter(each, (0, BLURRED, BLURRED)) for each in distances]
        more = []
        if self.features is not None and block.features is not None:
            more = [self.features.log_distance(*self.features.project(block.features))]
        missing = None
        if block.missing is not None:
            missing = self.space.grid.share_of(block.missing) > MOST_MISSING
        measures = np.stack([*distances, *lacking, *memory, *more], axis=3)
        return MeasuredPatches(measures.astype(np.float32, copy=False), looks, missing)

    def _joined(self, found: MeasuredPatches) -> NDArray[np.float64]:
        """Return the joint measure of pixels, (n, h, w), where 1 is a normal picture's maximum."""
        excess = self.levels.excess(found.measures, found.looks) / self.tops
        powers = np.power(np.maximum(excess, 0), _POWER, dtype=np.float64)
        joint = np.power(powers.mean(axis=3), 1 / _POWER)
        if found.missing is not None:
            joint[found.missing] = 0
        blur = self.space.grid.stride / 2
        pixels: NDArray[np.float64] = gaussian_filter(
            self.space.grid.to_pixels(joint), (0, blur, blur)
        )
        return pixels

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays for an archive."""
        found: dict[str, NDArray[np.generic]] = {
            "usual": self.space.usual,
            "tops": self.tops,
            "maxima": np.array([self.center, self.scale]),
            **with_prefix(self.levels.to_arrays(), _LEVELS),
        }
        for place, whitenings in enumerate(self.whitenings):
            found[f"memory{place}"] = self.memories[place]
            for name, whitening in zip(_FAMILIES, whitenings, strict=True):
                found |= with_prefix(whitening.to_arrays(), f"{name}{place}/")
        if self.features is not None:
            found |= with_prefix(self.features.to_arrays(), _FEATURES)
        return found

    @classmethod
    def from_arrays(cls, space: PictureSpace, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Rebuild the score from `to_arrays`.

        Raises
        ------
        InvalidArchive
            The arrays do not describe such a score.
        """
        grid = space.grid
        cells = [size.side**2 * grid.bands for size in grid.sizes]
        whitenings = []
        prefixes = [_LEVELS, *([_FEATURES] if space.channels else [])]
        for place, count in enumerate(cells):
            names = [f"{name}{place}/" for name in _FAMILIES]
            parts = [PatchWhitening.from_arrays(without_prefix(arrays, n), count) for n in names]
            whitenings.append((parts[0], parts[1]))
            prefixes += names
        features = None
        if space.channels:
            features = PatchWhitening.from_arrays(without_prefix(arrays, _FEATURES), space.channels)
        count = 5 * len(cells) + (features is not None)
        own = outside_prefixes(arrays, *prefixes)
        _check_own(own, count, [pair[0].code_size for pair in whitenings], grid.bands)
        levels = ExpectedLevels.from_arrays(
            without_prefix(arrays, _LEVELS), grid.shape, count, whitenings[-1][0].code_size
        )
        memories = [own[f"memory{place}"] for place in range(len(cells))]
        center, scale = map(float, own["maxima"])
        return cls(space, whitenings, memories, features, levels, own["tops"], center, scale)


_FAMILIES = ("pictures", "residuals")


class SampledPatches(NamedTuple):
    """Random patches of normal pictures, for each size (n, cells)."""

    pictures: list[Floats]
    residuals: list[Floats]
    features: Floats | None


def _sampled(space: PictureSpace, matrix: Floats, rng: Generator) -> SampledPatches:
    """Return random patches of pictures, of every size from the same points."""
    grid = space.grid
    total = grid.shape[0] * grid.shape[1]
    each = min(total, -(-_PATCHES // len(matrix)))
    order = rng.permutation(len(matrix))[: max(1, _PATCHES // each)]
    parts: list[list[list[Floats]]] = []
    features = []
    for block in space.blocks(matrix[np.sort(order)]):
        picked = [rng.choice(total, each, replace=False) for _ in block.pictures]
        own = [
            [_at(grid, pictures, size, picked) for size in grid.sizes]
            for pictures in (block.pictures, block.residuals)
        ]
        parts.append(own)
        if block.features is not None:
            flat = block.features.reshape(len(picked), total, -1)
            features.append(np.concatenate([f[p] for f, p in zip(flat, picked, strict=True)]))
    joined = [
        [np.concatenate([part[kind][i] for part in parts]) for i in range(len(grid.sizes))]
        for kind in (0, 1)
    ]
    return SampledPatches(joined[0], joined[1], np.concatenate(features) if features else None)


def _at(
    grid: PictureGrid, pictures: Floats, size: PatchSize, picked: Sequence[NDArray[np.intp]]
) -> Floats:
    patches = grid.patches(pictures, size)
    flat = patches.reshape(len(pictures), -1, patches.shape[3])
    return np.concatenate([own[points] for own, points in zip(flat, picked, strict=True)])


def _sparsely(memory: Floats, codes: Floats) -> Floats:
    """Return log distances to the memory, (n, rows, columns), from every second point."""
    sparse = codes[:, ::2, ::2]
    distances = nearest_distance(memory, sparse.reshape(-1, codes.shape[3]))
    dense = np.log(distances).reshape(sparse.shape[:3])
    dense = np.repeat(np.repeat(dense, 2, axis=1), 2, axis=2)
    return dense[:, : codes.shape[1], : codes.shape[2]]


def _check_own(
    arrays: Mapping[str, NDArray[np.generic]], measures: int, codes: Sequence[int], bands: int
) -> None:
    expected: dict[str, tuple[str, tuple[int | None, ...]]] = {
        "usual": ("float32", (bands,)),
        "tops": ("float32", (measures,)),
        "maxima": ("float64", (2,)),
    }
    expected |= {f"memory{place}": ("float32", (None, size)) for place, size in enumerate(codes)}
    check_arrays(arrays, expected)
    longest = max(len(arrays[f"memory{place}"]) for place in range(len(codes)))
    positive = min(float(arrays["tops"].min()), float(arrays["maxima"][1])) > 0
    if not positive or longest > _MEMORY:
        raise InvalidArchive(
            "the archive's score",
            expected=f"positive scales, and memories of at most {_MEMORY:,} patches",
            received="other values",
        )
