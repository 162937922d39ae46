"""The rows of a page: all, or a random sample of what its size allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.core.randomness import generator_for
from isthmus.data.frames import is_table, to_arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MOST_BYTES = 14_000_000
"""Of codes and columns; as text they take a third more."""


def chosen_rows(
    rows: int, most: int, bytes_per_row: int, kept: Sequence[int] | NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the numbers of the rows to show, in ascending order.

    Parameters
    ----------
    rows : int
        How many there are.
    most : int
        How many may be shown.
    bytes_per_row : int
        Size of the codes and columns of a row.
    kept : sequence of int
        Rows that are shown in any case.
    """
    most = max(min(most, _MOST_BYTES // max(bytes_per_row, 1)), len(kept))
    if rows <= most:
        return np.arange(rows)
    wanted = np.asarray(kept, dtype=np.intp)
    is_shown = np.zeros(rows, dtype=bool)
    is_shown[wanted] = True
    others = np.flatnonzero(~is_shown)
    drawn = generator_for(0, "explorer rows").choice(others, most - len(wanted), replace=False)
    is_shown[drawn] = True
    return np.flatnonzero(is_shown)


def taken(rows: Any, chosen: NDArray[np.intp]) -> Any:
    """Return some rows of a table, an array or a list."""
    if is_table(rows):
        return to_arrow(rows).take(pa.array(chosen))
    return np.asarray(rows)[chosen]
