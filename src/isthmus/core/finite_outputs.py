"""A check that what a model computed is finite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from numpy.typing import NDArray


def require_finite(outputs: NDArray[Any], what: str, first_row: int | None = 0) -> None:
    """Refuse outputs that overflowed.

    Parameters
    ----------
    outputs : array of floats, shape (n, ...)
        One output for each row.
    what : str
        What they are, for the message.
    first_row : int or None
        The number of the first row, for the message; None if it is unknown.

    Raises
    ------
    InvalidData
        An output is NaN or infinite; the message names its row, if known.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # A sum is faster than a mask, but may overflow where no output does.
        if np.isfinite(outputs.sum()) or np.isfinite(outputs).all():
            return
    row = int(np.argwhere(~np.isfinite(outputs))[0][0])
    raise InvalidData(
        what if first_row is None else f"{what} for row {first_row + row}",
        expected="finite numbers",
        received="NaN or infinity, because numbers became too large",
        remedy="check the rows for values far beyond those that fit saw; if all rows fail, the "
        "model's weights are too large: fit again, or get the file again from its author",
    )
