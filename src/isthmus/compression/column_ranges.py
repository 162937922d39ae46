"""Ranges of columns, computed batch by batch, and the error bounds relative to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from isthmus.compression.table_rows import TableRows
from isthmus.core.errors import InvalidData, InvalidParameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.row_codec import RowCodec


_LARGEST = float(np.finfo(np.float64).max)


def merged_limits(limits: Any, rows: RowCodec, part: Any) -> Any:
    """Update minima and maxima with more rows: (2, ranges), or dict by column."""
    found = rows.ranges(part)
    if isinstance(rows, TableRows):
        own = {n: found[:, j] for j, n in enumerate(rows.names) if n in rows.lossy}
        if limits is None:
            return own
        if not isinstance(limits, dict) or set(limits) != set(own):
            raise InvalidData("X", expected="batches of the same columns", received="other columns")
        return {name: _joined(limits[name], own[name]) for name in own}
    if limits is None:
        return found
    if isinstance(limits, dict) or limits.shape != found.shape:
        raise InvalidData("X", expected="batches of rows of one shape", received="another shape")
    return _joined(limits, found)


def _joined(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack([np.fmin(a[0], b[0]), np.fmax(a[1], b[1])])


def range_widths(limits: Any) -> Any:
    """Return the maximum minus the minimum of each range; 0 if it has no finite value."""
    if limits is None:
        return None
    if isinstance(limits, dict):
        return {name: float(range_widths(each)) for name, each in limits.items()}
    return np.nan_to_num(limits[1] - limits[0], nan=0.0, posinf=0.0)


def bounds_for(
    rows: RowCodec, max_error: float, ranges: dict[str, float] | NDArray[np.float64] | None
) -> tuple[float, ...]:
    """Return the error bound of each column.

    Parameters
    ----------
    rows : RowCodec
    max_error : float
        The error bound of every value, or its fraction of `ranges` if given.
    ranges : array of shape (ranges,), dict by column, or None
        The ranges that `fit` learned.

    Raises
    ------
    InvalidParameter
        `fit` found no range for some of the columns.
    """
    columns = len(rows.layout.dtypes)
    if isinstance(rows, TableRows):
        moved = set(rows.lossy)
        if ranges is None:
            return tuple(max_error if name in moved else 0.0 for name in rows.names)
        if not isinstance(ranges, dict) or not moved <= set(ranges):
            _refuse_columns(ranges)
        return tuple(
            _rounded_down(max_error * ranges[n]) if n in moved else 0.0 for n in rows.names
        )
    if ranges is None:
        return (float(max_error),) * columns
    if isinstance(ranges, dict) or len(ranges) not in (1, columns):
        _refuse_columns(ranges)
    with np.errstate(over="ignore"):
        bounds = np.broadcast_to(max_error * ranges, columns)
    return tuple(map(_rounded_down, bounds.tolist()))


def _rounded_down(bound: float) -> float:
    """Return a bound rounded down to six digits, as files store it: at most 1e-5 of it smaller.

    It is finite, even if a fraction of a range is not.
    """
    bound = min(bound, _LARGEST)
    short = float(f"{bound:.6g}")
    return short if short <= bound else float(f"{bound * (1 - 5e-6):.6g}")


def _refuse_columns(ranges: Any) -> NoReturn:
    raise InvalidParameter(
        "X",
        expected=f"the {len(ranges)} columns whose ranges fit learned",
        received="other columns",
        remedy="fit the codec to data of this kind",
    )
