"""Samples for lossy coding: their types, checks and scales, and their processing in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

DTYPES = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
"""The types of samples, by their index in files."""
SECTION_CELLS = 2**22
"""Values coded at once, to limit working memory."""


def sections(rows: slice, cells: int) -> Iterator[slice]:
    """Yield the parts of a slice of samples, with `cells` values each, that are coded at once."""
    step = max(1, SECTION_CELLS // cells)
    for first in range(rows.start or 0, rows.stop, step):
        yield slice(first, min(first + step, rows.stop))


def to_dtype(values: Doubles, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return values clipped and rounded to the type of the samples."""
    if dtype == np.uint8:
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)
    largest = float(np.finfo(dtype).max)
    return np.clip(values, -largest, largest).astype(dtype)


def scales(flat: NDArray[Any]) -> tuple[Doubles, Doubles]:
    """Return the mean and range of each cell; the range is 1 if constant, and 255 for bytes."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = flat.mean(0, dtype=np.float64)
        ranges = flat.max(0).astype(np.float64) - flat.min(0)
    if flat.dtype == np.uint8:
        return mean, np.full(len(mean), 255.0)
    if not (np.isfinite(mean).all() and np.isfinite(ranges).all()):
        raise InvalidData(
            "samples to code with loss",
            expected="numbers whose sum and range float64 can represent",
            received="larger numbers",
            remedy="scale them first, or code them with max_error=",
        )
    return mean, np.where(ranges > 0, ranges, 1.0)


def check_samples(samples: Any, shape: tuple[int, ...] | None, dtype: np.dtype[Any] | None) -> None:
    """Raise InvalidData unless these are finite samples, of this shape and type if given."""
    known = isinstance(samples, np.ndarray) and samples.dtype in DTYPES
    if (
        not known
        or samples.ndim < 1
        or (dtype is not None and samples.dtype != dtype)
        or (shape is not None and samples.shape[1:] != shape)
        or (shape is None and not samples.size)
    ):
        wanted = "uint8, float32 or float64" if dtype is None else str(dtype)
        received = getattr(samples, "shape", type(samples).__name__)
        raise InvalidData(
            "samples to code with loss",
            expected=f"{wanted} of shape (n, {', '.join(map(str, shape or ('...',)))})",
            received=f"{getattr(samples, 'dtype', '')} of shape {received}",
            remedy="pass an array of bytes or floats with samples along the first axis",
        )
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise InvalidData(
            "samples to code with loss",
            expected="finite numbers",
            received="NaN or infinity",
            remedy="fill or drop them, or code them with max_error=",
        )
