"""How unusual a patch is among normal ones: its distance when all directions vary equally.

This is the distance of Mahalanobis (1936) with a covariance that is shrunk towards a multiple of
the identity. Only the leading directions are kept; all others share one variance, as in the
probabilistic principal components of Tipping and Bishop (1999). A patch that a principal component
analysis reconstructs badly is far in the others, one with an unusual code is far in the leading
ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from isthmus.core.errors import InvalidArchive
from isthmus.persistence.array_checks import check_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Floats

_MOST_AXES = 64
_SHRINKAGE = 0.01
"""Fraction of the mean variance that is added to the variance of every direction."""
LEAST_SQUARE = 1e-9
"""Added to squared distances, so that their logarithms are finite."""
CODE = 24
"""Largest number of components of a patch's code."""


@dataclass(frozen=True)
class PatchWhitening:
    """The distribution of normal patches.

    Parameters
    ----------
    center : float32 array of shape (cells,)
        The mean patch.
    axes : float32 array of shape (cells, k)
        Leading directions, orthonormal.
    variances : float32 array of shape (k + 1,)
        The variance along each of them, in descending order, and that of all other directions.
    """

    center: Floats
    axes: Floats
    variances: Floats

    @classmethod
    def fit(cls, patches: Floats) -> Self:
        """Fit to patches, (n, cells)."""
        center = patches.mean(axis=0, dtype=np.float64)
        away = patches - center.astype(np.float32)
        variances, axes = np.linalg.eigh((away.T @ away).astype(np.float64) / len(patches))
        variances, axes = np.maximum(variances[::-1], 0), axes[:, ::-1]
        floor = _SHRINKAGE * float(variances.mean()) or 1.0
        kept = min(_MOST_AXES, len(variances))
        rest = float(variances[kept:].mean()) if kept < len(variances) else 0.0
        return cls(
            center.astype(np.float32),
            np.ascontiguousarray(axes[:, :kept], dtype=np.float32),
            (np.append(variances[:kept], rest) + floor).astype(np.float32),
        )

    def project(self, patches: Floats) -> tuple[Floats, Floats]:
        """Return the codes along the axes, (..., k), and the squared length of what is left."""
        away: Floats = patches - self.center
        along: Floats = away @ self.axes
        if self.is_complete:
            return along, np.zeros(along.shape[:-1], dtype=np.float32)
        away -= along @ self.axes.T  # the difference of the squares would be rounding
        left: Floats = np.einsum("...i,...i", away, away)
        return along, left

    def log_distance(self, along: Floats, left: Floats) -> Floats:
        """Return the logarithm of the distance of patches that `project` returned."""
        squares = np.square(along) @ (1 / self.variances[:-1]) + left / self.variances[-1]
        logs: Floats = 0.5 * np.log(squares + np.float32(LEAST_SQUARE))
        return logs

    def code(self, along: Floats) -> Floats:
        """Return the leading components, (..., `CODE` at most), between plain and whitened.

        Divided by the fourth root of their variance, they neither let the brightness of a patch
        decide alone nor give noise as much weight as structure.
        """
        code: Floats = along[..., : self.code_size] / self.code_scale
        return code

    @property
    def code_scale(self) -> Floats:
        """What components of a code are divided by, (components,)."""
        scale: Floats = np.sqrt(np.sqrt(self.variances[: self.code_size]))
        return scale

    @property
    def is_complete(self) -> bool:
        """Whether the axes span all patches."""
        return bool(self.axes.shape[0] == self.axes.shape[1])

    @property
    def code_size(self) -> int:
        """Number of components of a code."""
        return min(CODE, int(self.axes.shape[1]))

    def to_arrays(self) -> dict[str, NDArray[np.floating]]:
        """Return the arrays for an archive."""
        return {"center": self.center, "axes": self.axes, "variances": self.variances}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.floating]], cells: int) -> Self:
        """Rebuild it from `to_arrays`, for patches of so many cells.

        Raises
        ------
        InvalidArchive
            The arrays do not describe one.
        """
        kept = min(_MOST_AXES, cells)
        check_arrays(
            arrays,
            {
                "center": ("float32", (cells,)),
                "axes": ("float32", (cells, kept)),
                "variances": ("float32", (kept + 1,)),
            },
        )
        if arrays["variances"].min() <= 0:
            raise InvalidArchive("the archive's patches", expected="variances above 0")
        return cls(arrays["center"], arrays["axes"], arrays["variances"])
