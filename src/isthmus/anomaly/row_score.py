"""The anomaly score of a row: several measures, each compared with its values on normal rows.

No single measure is best for all data. The measures are

- the distance to the nearest normal rows, both plain and with outliers compressed
  (Ramaswamy et al., 2000),
- the same distance between the autoencoder's whitened codes,
- the norms of the whitened code and of the whitened residual (Mahalanobis, 1936), which are the
  nonlinear counterparts of Hotelling's T² and the Q statistic of process control,
- the local outlier factor (Breunig et al., 2000).

In contaminated data, anomalies are each other's nearest neighbours. More neighbours are used then,
and the local outlier factor is left out because it considers any cluster normal.

The logarithm of each measure is standardised by its spread over normal rows. The score is their
log-mean-exp, in which large values count for more: a row that one measure finds very unusual is an
anomaly, even if the other measures do not. No labels are used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from scipy.special import logsumexp

from isthmus.anomaly.nearest_neighbours import NearestNeighbours, reach_density
from isthmus.anomaly.standardization import symlog
from isthmus.core.errors import InvalidArchive, InvalidData
from isthmus.core.finite_outputs import require_finite
from isthmus.core.randomness import generator_for
from isthmus.persistence.array_checks import check_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_MOST_ROWS = 20_000
_MOST_CELLS = 20_000_000
"""Limit on the cells of the normal rows kept: fewer rows if they are wide, but at least 1,000."""
_FEWEST_ROWS = 1_000
NEAR = 3
"""Neighbours in the mean distance, if all rows are normal."""
AROUND = 20
"""Neighbours in a density, and in the mean distance if some rows are not normal."""
_SHRINKAGE = 0.01
"""Fraction of the mean variance that is added to the variance of every direction."""
_WIDEST = 512
"""With more columns, each is scaled separately and the covariance is ignored."""
TEMPERATURE = 3.0
"""Temperature of the log-mean-exp: a high one approaches the mean, a low one the maximum."""
_UPPER = 0.9
_LEAST_SPREAD = 0.05
_CHUNK = 8192


class Reconstructor(Protocol):
    """The part of the autoencoder that the score uses; matrices are standardised, (n, d)."""

    def reconstruct(self, matrix: Floats) -> Floats:
        """Return the reconstruction, (n, d)."""

    def encode(self, matrix: Floats) -> Floats:
        """Return codes, (n, latent_dim)."""

    def encode_and_reconstruct(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Return codes and reconstruction."""


@dataclass(frozen=True)
class Whitening:
    """Maps points so that their covariance is the identity, except in near-constant directions."""

    center: Floats
    """(d,)"""
    root: Floats
    """(d, d), or (d,) if each column is scaled separately."""

    @classmethod
    def fit(cls, points: Floats) -> Self:
        """Fit to points, (n, d)."""
        center = points.mean(axis=0, dtype=np.float64)
        away = points - center
        if points.shape[1] > _WIDEST:
            variance = np.square(away).mean(axis=0)
            root = 1 / np.sqrt(variance + _floor(variance))
        else:
            variance, axes = np.linalg.eigh(away.T @ away / len(points))
            variance = np.maximum(variance, 0)
            root = axes / np.sqrt(variance + _floor(variance))
        return cls(center.astype(np.float32), root.astype(np.float32))

    def __call__(self, points: Floats) -> Floats:
        """Return points whitened, (n, d)."""
        # In float32, far outliers would swamp the other columns by rounding.
        away = points.astype(np.float64) - self.center
        root = self.root.astype(np.float64)
        # Not a product of BLAS, which sums a row in an order that depends on the number of rows and
        # of threads.
        white = away * root if root.ndim == 1 else np.einsum("nd,de->ne", away, root)
        with np.errstate(over="ignore"):
            whitened: Floats = white.astype(np.float32)
        require_finite(whitened, "the anomaly score", first_row=None)
        return whitened


def _floor(variance: NDArray[np.float64]) -> float:
    return _SHRINKAGE * float(variance.mean()) or 1.0


@dataclass(frozen=True)
class RowScore:
    """A fitted score.

    Parameters
    ----------
    network : Reconstructor
        The autoencoder.
    rows : float32 array of shape (m, d)
        Distinct normal rows, standardised.
    codes : Whitening
        Whitens codes.
    residuals : Whitening
        Whitens residuals of compressed rows.
    center, scale : float64 array of shape (measures,)
        Median of each measure's logarithm, and the distance from there to its upper decile.
    contaminated : bool
        Whether some of the rows may be anomalies.
    """

    network: Reconstructor
    rows: Floats
    codes: Whitening
    residuals: Whitening
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    contaminated: bool

    @classmethod
    def fit(
        cls,
        network: Reconstructor,
        matrix: Floats,
        *,
        held_out: NDArray[np.intp],
        contaminated: bool,
        seed: int,
    ) -> tuple[Self, NDArray[np.float64]]:
        """Fit the score; return it with the scores of the held-out rows, (held out,).

        Parameters
        ----------
        network : Reconstructor
            Trained on rows that are not held out.
        matrix : array of shape (n, d)
            Normal rows, standardised. If there are very many, a random sample is kept.
        held_out : array of int
            Indices of the rows that the network was not trained on.
        contaminated : bool
            Whether some of the rows may be anomalies.
        seed : int
            Seeds the sample.
        """
        rows = distinct_rows(matrix, seed)
        unseen = matrix[held_out]
        # A covariance overfits its own rows, so held-out rows, which represent new ones, are
        # excluded.
        training = matrix[np.delete(np.arange(len(matrix)), held_out)[:_MOST_ROWS]]
        codes, rebuilt = network.encode_and_reconstruct(training)
        residuals = symlog(training) - symlog(rebuilt)
        fitted = cls(
            network,
            rows,
            codes=Whitening.fit(codes),
            residuals=Whitening.fit(residuals),
            center=np.zeros(1),
            scale=np.ones(1),
            contaminated=contaminated,
        )
        logs = fitted._logs(unseen)
        center = np.median(logs, axis=0)
        scale = np.maximum(np.quantile(logs, _UPPER, axis=0) - center, _LEAST_SPREAD)
        scored = replace(fitted, center=center, scale=scale)
        # The searches do not depend on these two, and are not prepared again.
        scored.__dict__.update(
            {name: fitted.__dict__[name] for name in _SEARCHES & vars(fitted).keys()}
        )
        return scored, scored._joined(logs)

    def score(self, matrix: Floats, copies_of: Floats | None = None) -> NDArray[np.float64]:
        """Return the score of standardised rows, (n,), above 0; higher is worse.

        If the rows are modified copies of training rows, pass the originals as `copies_of`, (n, d),
        to exclude them as neighbours. Otherwise a row with a fault would be close to the same row
        without it.

        The score is log(1 + exp(z)), where `z` is the mean of the measures: about 0.7 for a typical
        normal row, 1.3 at the upper decile of normal rows, and roughly `z` beyond that.
        """
        scores = np.empty(len(matrix))
        for start in range(0, len(matrix), _CHUNK):
            part = slice(start, start + _CHUNK)
            source = None if copies_of is None else copies_of[part]
            scores[part] = self._joined(self._logs(matrix[part], source))
        return scores

    def reconstruct(self, matrix: Floats) -> Floats:
        """Return the autoencoder's reconstruction of standardised rows, (n, d)."""
        return self.network.reconstruct(matrix)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays for an archive."""
        whitenings = {
            f"{name}_{part}": getattr(getattr(self, name), part)
            for name in _WHITENINGS
            for part in ("center", "root")
        }
        measures = {"measures_center": self.center, "measures_scale": self.scale}
        flag = {"contaminated": np.array([self.contaminated])}
        return {"rows": self.rows, **whitenings, **measures, **flag}

    @classmethod
    def from_arrays(
        cls, network: Reconstructor, arrays: Mapping[str, np.ndarray], *, width: int, code: int
    ) -> Self:
        """Rebuild the score from `to_arrays`, for `width` columns and codes of size `code`.

        Raises
        ------
        InvalidArchive
            The arrays do not describe such a score.
        """
        expected: dict[str, tuple[str, tuple[int | None, ...]]] = {
            "rows": ("float32", (None, width)),
            "measures_center": ("float64", (None,)),
            "measures_scale": ("float64", (None,)),
            "contaminated": ("bool", (1,)),
        }
        for name, size in (("codes", code), ("residuals", width)):
            expected[f"{name}_center"] = ("float32", (size,))
            expected[f"{name}_root"] = ("float32", (size, size) if size <= _WIDEST else (size,))
        check_arrays(arrays, expected)
        contaminated = bool(arrays["contaminated"][0])
        center, scale = arrays["measures_center"], arrays["measures_scale"]
        fits = len(center) == len(scale) == _MEASURES - contaminated and scale.min() > 0
        # Each row is compared with all of them.
        if not 2 <= len(arrays["rows"]) <= _MOST_ROWS or not fits:
            raise InvalidArchive(
                "the archive's score",
                expected=f"2 to {_MOST_ROWS:,} rows, and a scale above 0 for each measure",
                received=f"{len(arrays['rows']):,} rows, and {len(scale)} scales",
            )
        codes, residuals = (
            Whitening(arrays[f"{name}_center"], arrays[f"{name}_root"]) for name in _WHITENINGS
        )
        return cls(network, arrays["rows"], codes, residuals, center, scale, contaminated)

    def _joined(self, logs: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.logaddexp(0, _mean((logs - self.center) / self.scale))

    def _logs(self, matrix: Floats, copies_of: Floats | None = None) -> NDArray[np.float64]:
        """Return the logarithm of each measure of each row, (n, measures)."""
        near = AROUND if self.contaminated else NEAR
        codes, rebuilt = self.network.encode_and_reconstruct(matrix)
        codes, compressed = self.codes(codes), symlog(matrix)
        residuals = self.residuals(compressed - symlog(rebuilt))
        itself = None if copies_of is None else self._near_rows.find(copies_of, 1).itself
        neighbours = self._near_rows.find(matrix, AROUND, itself)
        distances = (
            neighbours.distances[:, :near],
            self._near_compressed.find(compressed, near, neighbours.itself).distances,
            self._near_codes.find(codes, near, neighbours.itself).distances,
        )
        measures = [nearest.mean(axis=1) for nearest in distances]
        measures += [np.linalg.norm(part.astype(np.float64), axis=1) for part in (codes, residuals)]
        if not self.contaminated:
            radius, around = self.radius_and_density
            density = reach_density(neighbours, radius)
            measures.append(around[neighbours.points].mean(axis=1) / density)
        stacked: NDArray[np.float64] = np.stack(measures, axis=1)
        return np.log(np.maximum(stacked, float(np.finfo(np.float32).eps)))

    @cached_property
    def _near_rows(self) -> NearestNeighbours:
        return NearestNeighbours(self.rows)

    @cached_property
    def _near_compressed(self) -> NearestNeighbours:
        return NearestNeighbours(symlog(self.rows))

    @cached_property
    def _near_codes(self) -> NearestNeighbours:
        return NearestNeighbours(self.codes(self.network.encode(self.rows)))

    @cached_property
    def radius_and_density(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The distance from each row to its farthest neighbour, and the row's density."""
        neighbours = self._near_rows.find(self.rows, AROUND)
        radius = neighbours.distances[:, -1]
        return radius, reach_density(neighbours, radius)


def _mean(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-mean-exp at `TEMPERATURE`, (n, measures) -> (n,)."""
    total: NDArray[np.float64] = logsumexp(z / TEMPERATURE, axis=1) - np.log(z.shape[1])
    return TEMPERATURE * total


_WHITENINGS = ("codes", "residuals")
_MEASURES = 6
_SEARCHES = {"_near_rows", "_near_compressed", "_near_codes", "radius_and_density"}
"""What `RowScore` computes once."""


def distinct_rows(matrix: Floats, seed: int) -> Floats:
    """Return the distinct rows, sorted, of a random sample if there are too many to keep."""
    kept = min(_MOST_ROWS, max(_FEWEST_ROWS, _MOST_CELLS // matrix.shape[1]))
    if len(matrix) > kept:
        matrix = matrix[np.sort(generator_for(seed, "kept rows").permutation(len(matrix))[:kept])]
    rows = np.unique(matrix, axis=0)
    if len(rows) < 2:
        raise InvalidData(
            "X",
            expected="at least 2 different rows",
            received=f"n_samples={len(matrix)}, all identical",
            remedy="pass more rows",
        )
    return rows
