"""Reversible scaling of columns of numbers, in float64, vectorised over columns.

Three methods:

``robust``
    z = (x − median) / s, where s is the interquartile range divided by 1.349 (the standard
    deviation of a normal column), or the standard deviation when that range is 0, or 1 for a
    constant column. Beyond |z| = 5 the scale is logarithmic, sign(z)·5·(1 + ln(|z| / 5)), so that
    an outlier neither dominates the other rows nor is clipped.
``range``
    (x − low) / (high − low), fractions of the range.
``none``
    The values unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from isthmus.core.errors import InvalidArchive, InvalidData
from isthmus.persistence.config_checks import finite_numbers, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isthmus.data.sparse_rows import SparseRows

Method = Literal["robust", "range", "none"]
Float64s = NDArray[np.float64]

KNEE = 5.0
"""Where robust scaling turns from linear to logarithmic, in standard deviations."""

BLOCK = 1 << 21
"""Cells of whole columns handled at a time; a float64 copy of one block is 16 MiB."""

ROW_BLOCK = 1 << 18
"""Cells of whole rows handled at a time: 2 MiB, which stay in the processor's cache."""

_NORMAL_IQR = 1.349
_FEW = 16
"""Partitioning finds up to this many order statistics faster than sorting."""
_LARGEST = float(np.finfo(np.float64).max)
_SMALL_SCALE = 1e-200
"""Numbers that float32 can hold, divided by a larger scale, do not overflow in float64."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """The scaling of columns and its inverse.

    Parameters
    ----------
    method : "robust", "range" or "none"
        The method, see above.
    center, scale : ndarray of float64, shape (columns,), (channels,) or (1,)
        Median and spread, or low and high − low. A single entry applies to all columns, one for
        each channel to samples whose cells are flattened with the channel last. Scales are
        positive.
    """

    method: Method
    center: Float64s
    scale: Float64s

    def forward(self, values: Float64s, columns: slice = slice(None)) -> Float64s:
        """Scale `values` of shape (n, columns) in place and return them; NaN stays NaN.

        With ``"robust"``, numbers that float32 can hold stay finite, however small the scale is.
        """
        if self.method == "none":
            return values
        center, scale = self._of(columns, values.shape[1])
        robust = self.method == "robust"
        finite = np.isfinite(values) if robust and (scale < _SMALL_SCALE).any() else None
        with np.errstate(over="ignore", invalid="ignore"):
            values -= center
            values /= scale
            if finite is not None:
                np.clip(values, -_LARGEST, _LARGEST, out=values, where=finite)
            if robust:
                compress_tails(values)
        return values

    def inverse(self, values: Float64s, columns: slice = slice(None)) -> Float64s:
        """Undo `forward`, in place; the result is finite wherever `values` are."""
        if self.method == "none":
            return values
        center, scale = self._of(columns, values.shape[1])
        if self.method == "robust":
            expand_tails(values)
        with np.errstate(over="ignore"):
            values *= scale
            values += center
        return np.clip(values, -_LARGEST, _LARGEST, out=values)

    def _of(self, columns: slice, width: int) -> tuple[Float64s, Float64s]:
        if self.center.size == 1:
            return self.center, self.scale
        center, scale = self.center[columns], self.scale[columns]
        # Once for each pixel: broadcasting over rows of few channels is several times slower.
        times = width // center.size
        return (center, scale) if times == 1 else (np.tile(center, times), np.tile(scale, times))

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description, exact to the last bit."""
        return {
            "method": self.method,
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
        }

    @classmethod
    def from_config(cls, config: Any, columns: int, channels: int = 1) -> Scaling:
        """Rebuild from the result of `to_config`, which may be untrusted.

        Parameters
        ----------
        config : object
            The description.
        columns : int
            Number of columns.
        channels : int
            Number of channels, which divides that of columns.

        Raises
        ------
        InvalidArchive
            An entry is missing, not finite, or of a wrong type or length; or a scale is not
            positive.
        """
        method: Method = one_of(config, "method", get_args(Method))
        center = finite_numbers(config, "center")
        scale = finite_numbers(config, "scale")
        sizes = (1, channels, columns)
        if center.size != scale.size or center.size not in sizes or (scale <= 0).any():
            raise InvalidArchive(
                "the archive's scaling",
                expected=f"a center and a positive scale for each of {columns} columns",
                received=f"{center.size} centers, {scale.size} scales",
                remedy="get the file again from its author",
            )
        return cls(method, center, scale)


def compress_tails(values: Float64s, columns: NDArray[np.bool_] | None = None) -> None:
    """Make values beyond the knee logarithmic, in place.

    Parameters
    ----------
    values : float64 array of shape (n, columns)
        In standard deviations.
    columns : bool array of shape (columns,), optional
        The columns to change; None: all.
    """
    tail = _tail(values, columns)
    if tail.any():
        far = KNEE * (1.0 + np.log(np.abs(values[tail]) / KNEE))
        values[tail] = np.copysign(far, values[tail])


def expand_tails(
    values: Float64s, columns: NDArray[np.bool_] | None = None, *, largest: float = 700.0
) -> None:
    """Undo `compress_tails`, in place; exponents are at most `largest`."""
    tail = _tail(values, columns)
    if tail.any():
        far = KNEE * np.exp(np.minimum(np.abs(values[tail]) / KNEE - 1.0, largest))
        values[tail] = np.copysign(far, values[tail])


def _tail(values: Float64s, columns: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    tail: NDArray[np.bool_] = np.abs(values) > KNEE
    return tail if columns is None else tail & columns


IDENTITY = Scaling("none", np.zeros(1), np.ones(1))


class ColumnStatistics(NamedTuple):
    """Statistics of columns of numbers, from one pass."""

    low: Float64s
    """(columns,), the minimum; NaN where all values are missing."""
    high: Float64s
    """(columns,), the maximum; NaN where all values are missing."""
    whole: bool
    """Whether every observed value is an integer."""


def summarise(values: NDArray[Any] | SparseRows) -> ColumnStatistics:
    """Summarise `values` of shape (n, columns), NaN for a missing cell, a block at a time."""
    low = np.full(values.shape[1], np.nan)
    high = low.copy()
    whole = True
    for rows in row_blocks(values.shape):
        block = values[rows].astype(np.float64)
        low = np.fmin(low, np.fmin.reduce(block, axis=0))
        high = np.fmax(high, np.fmax.reduce(block, axis=0))
        if whole:
            with np.errstate(invalid="ignore"):
                block -= np.rint(block)
            whole = not np.any(np.abs(block) > 0)
    return ColumnStatistics(low, high, whole)


def check_columns(
    summary: ColumnStatistics,
    values: NDArray[Any] | SparseRows,
    name: Callable[[int], str],
    *,
    besides: NDArray[np.bool_] | None = None,
) -> None:
    """Refuse columns that cannot be learned from, besides those of a mask, (columns,).

    Raises
    ------
    InvalidData
        A column is missing in every row, or contains an infinity; the message names it.
    """
    absent = np.flatnonzero(np.isnan(summary.low) & ~(False if besides is None else besides))
    if absent.size:
        names = ", ".join(name(int(i)) for i in absent[:5])
        more = f" and {absent.size - 5} more" if absent.size > 5 else ""
        raise InvalidData(
            f"column {names}{more}",
            expected="at least one value",
            received="missing (NaN) in every row",
            remedy="drop the column; there is nothing to learn from it",
        )
    infinite = np.isinf(summary.low) | np.isinf(summary.high)
    if infinite.any():
        for rows in row_blocks(values.shape):
            if np.isinf(values[rows].astype(np.float64)).any():
                raise infinity_error(values[rows], name, rows.start)


def infinity_error(
    values: NDArray[Any],
    name: Callable[[int], str],
    first_row: int = 0,
    scaled: NDArray[Any] | None = None,
) -> InvalidData:
    """Return the error that names the first infinity, or value beyond float32, in `values`.

    If float32 can hold all of them, it names the first that is infinite after scaling, in `scaled`,
    of the same shape.
    """
    with np.errstate(over="ignore"):
        large = np.isinf(values.astype(np.float64).astype(np.float32))
    if scaled is not None and not large.any():
        return _overflow_error(values, scaled, name, first_row)
    row, column = np.argwhere(large)[0]
    cell = float(values[row, column])
    return InvalidData(
        f"column {name(int(column))}, row {first_row + int(row)}",
        expected="a finite number, or NaN for a missing cell",
        received=f"{cell} (infinity)" if np.isinf(cell) else f"{cell:.6g}, too large to compute",
        remedy="replace it with NaN or the correct value",
    )


def _overflow_error(
    values: NDArray[Any], scaled: NDArray[Any], name: Callable[[int], str], first_row: int
) -> InvalidData:
    row, column = np.argwhere(np.isinf(scaled))[0]
    return InvalidData(
        f"column {name(int(column))}, row {first_row + int(row)}",
        expected="a number near the range that fit saw",
        received=f"{float(values[row, column]):.6g}, which is too large to compute after scaling",
        remedy="check the column's unit, replace the cell with NaN, or fit with scale='robust'",
    )


def fit_robust(values: NDArray[Any] | SparseRows, name: Callable[[int], str]) -> Scaling:
    """Learn robust scaling of every column of `values`, shape (n, columns); NaN is missing.

    A column without values is left unchanged.

    Raises
    ------
    InvalidData
        The spread of a column exceeds what 64-bit floats can hold.
    """
    center = np.empty(values.shape[1])
    scale = np.empty(values.shape[1])
    step = max(1, BLOCK // max(1, values.shape[0]))
    for start in range(0, values.shape[1], step):
        columns = slice(start, start + step)
        block = np.array(values[:, columns].T, dtype=np.float64, order="C")
        block[np.isnan(block).all(axis=1)] = 0.0
        with np.errstate(over="ignore"):
            center[columns], scale[columns] = _median_and_spread(block)
    _require_finite(scale, name)
    return Scaling("robust", center, scale)


def fit_range(low: Float64s, high: Float64s, name: Callable[[int], str]) -> Scaling:
    """Return the scaling of low..high to 0..1; where they are equal, the scale is 1."""
    with np.errstate(over="ignore"):
        span = high - low
    _require_finite(span, name)
    return Scaling("range", low, np.where(span > 0, span, 1.0))


def row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield slices of rows, each of about `ROW_BLOCK` cells."""
    step = max(1, ROW_BLOCK // max(1, int(np.prod(shape[1:]))))
    return (slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step))


def _median_and_spread(block: Float64s) -> tuple[Float64s, Float64s]:
    """Return median and spread of the rows of `block`, which is overwritten."""
    count = block.shape[1] - np.isnan(block).sum(axis=1)
    positions = [q * (count - 1) for q in (0.25, 0.5, 0.75)]
    needed = np.unique([np.floor(positions), np.ceil(positions)]).astype(np.intp)
    if needed.size <= _FEW:
        block.partition(needed, axis=1)
    else:
        block.sort(axis=1)
    quarter, median, three_quarters = (_value_at(block, position) for position in positions)
    spread = (three_quarters - quarter) / _NORMAL_IQR
    flat = spread == 0
    if flat.any():
        spread[flat] = _standard_deviation(block[flat] - median[flat, None], count[flat])
    return median, spread


def _value_at(block: Float64s, position: Float64s) -> Float64s:
    """Interpolate each sorted row linearly at a fractional `position`."""
    below = np.floor(position)
    rows = np.arange(len(block))
    lower = block[rows, below.astype(np.intp)]
    upper = block[rows, np.ceil(position).astype(np.intp)]
    fraction = position - below
    return np.asarray(lower * (1.0 - fraction) + upper * fraction)


def _standard_deviation(centered: Float64s, count: NDArray[np.intp]) -> Float64s:
    """Root mean square of each row, without overflow or underflow; 1 for a row of zeros."""
    centered[np.isnan(centered)] = 0.0
    largest = np.abs(centered).max(axis=1)
    unit = np.where(largest > 0, largest, 1.0)
    centered /= unit[:, None]
    deviation = unit * np.sqrt(np.einsum("ij,ij->i", centered, centered) / count)
    return np.where(deviation > 0, deviation, 1.0)


def _require_finite(scale: Float64s, name: Callable[[int], str]) -> None:
    wide = np.flatnonzero(~np.isfinite(scale))
    if wide.size:
        raise InvalidData(
            f"column {name(int(wide[0]))}",
            expected="values whose differences fit in 64-bit floats",
            received="a spread beyond 1e308",
            remedy="check the column's unit, or pass its logarithm",
        )
