"""Which cells contribute to a row's anomaly score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.cell_density import CellModel
    from isthmus.core.types import Floats


class ScoreModel(Protocol):
    """The part of a fitted score that explanations use; matrices are standardised, (n, d)."""

    def score(self, matrix: Floats, copies_of: Floats | None = None) -> NDArray[np.float64]:
        """Return one score per row, (n,), at least 0; higher is worse.

        If the rows are modified copies, `copies_of`, (n, d), holds the originals. A score that
        compares rows with training rows excludes them.
        """

    def reconstruct(self, matrix: Floats) -> Floats:
        """Return the autoencoder's reconstruction, (n, d)."""


def contributions(
    fitted: ScoreModel,
    cells: CellModel,
    matrix: Floats,
    *,
    absent: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Divide each row's score among its columns.

    Each column's contribution is proportional to how unlikely its cell is given the others
    (`CellModel.surprise`). Residuals cannot be used for this, because a fault in one cell changes
    the reconstruction of many.

    Parameters
    ----------
    fitted : ScoreModel
        The score to divide.
    cells : CellModel
        Cell densities of normal rows.
    matrix : array of shape (n, d)
        Standardised rows.
    absent : bool array of shape (d,), optional
        Pixels of which nothing is known; they contribute nothing.

    Returns
    -------
    array of shape (n, columns)
        At least 0; each row sums to its score.
    """
    surprise = cells.surprise(matrix)
    if absent is not None:
        surprise = np.where(absent, 0.0, surprise)
    scores = np.asarray(fitted.score(matrix), dtype=np.float64)
    parts: NDArray[np.float64] = surprise * (scores / surprise.sum(axis=1))[:, None]
    return parts
