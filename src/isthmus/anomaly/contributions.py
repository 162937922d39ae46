"""Which cells make a row's score, and what each would be expected to be.

The detector calls, with `cells` of its normal rows (see `CellModel`)::

    contributions(fitted, cells, matrix)  # explain: (n, columns), each row sums to its score
    cells.expected(matrix)  # expected: (n, d), standardised
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.anomaly.cell_density import CellModel
    from isthmus.core.types import Floats


class ScoreModel(Protocol):
    """What the explanations need of a fitted score; matrices are standardised, (n, d)."""

    def score(self, matrix: Floats, copies_of: Floats | None = None) -> NDArray[np.float64]:
        """Return one score per row, (n,), at least 0, higher is worse.

        `copies_of`, (n, d), are the rows of which these are changed copies: if the score compares
        with rows, it leaves them out.
        """

    def reconstruct(self, matrix: Floats) -> Floats:
        """Return what the autoencoder makes of the rows, (n, d)."""


def contributions(fitted: ScoreModel, cells: CellModel, matrix: Floats) -> NDArray[np.float64]:
    """Share each row's score out among its columns.

    A column's share goes by how surprising its cell is given the others (`CellModel.surprise`):
    a fault in one cell moves the reconstruction of many, so residuals would blame them all.

    Parameters
    ----------
    fitted : FittedScore
        Whose score is shared out.
    cells : CellModel
        Of normal rows.
    matrix : array of shape (n, d)
        Standardised rows.

    Returns
    -------
    array of shape (n, columns)
        At least 0; a row's sum is its score.
    """
    surprise = cells.surprise(matrix)
    scores = np.asarray(fitted.score(matrix), dtype=np.float64)
    shared: NDArray[np.float64] = surprise * (scores / surprise.sum(axis=1))[:, None]
    return shared
