"""The schema of NumPy arrays: feature matrices, images and stacks of series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils import check_array

from isthmus.core.aligned_memory import ALIGNMENT, aligned_empty
from isthmus.core.errors import InvalidData, SchemaMismatch
from isthmus.core.types import ObservedRows
from isthmus.data import scaling as scalings
from isthmus.data.cell_names import cell_names
from isthmus.data.formats.image_arrays import form_of
from isthmus.data.formats.image_options import (
    AS_STORED,
    ImageForm,
    channels_of,
    conversion,
    image_kind,
    mode_name,
)
from isthmus.data.formats.text_options import DETECT
from isthmus.data.scale_mismatch import warn_of_another_scale
from isthmus.data.scaling import ColumnStatistics, Scaling
from isthmus.data.sparse_rows import SparseRows, is_sparse
from isthmus.persistence.config_checks import entry, integer, items, one_of, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from isthmus.core.types import Floats, Segment, Values
    from isthmus.data.formats.image_options import ImageOptions, PixelType

_FEWEST_PIXELS = 64
"""Fewest cells of a row of numbers that can be a flat picture."""
_MOST_CELLS = 1 << 24
"""Cells of one sample, about 4000 × 4000 pixels: an untrusted archive cannot claim more memory."""
_MOST_BANDS = 16
"""Channels of a sample that is taken for an image of several bands."""


@dataclass(frozen=True, eq=False)
class ArraySchema:
    """The schema of an array of samples.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample: ``(d,)``, ``(a, b)``, ``(a, b, c)`` or ``(a, b, c, d)``.
    values : "real" or "unit"
        Standardised columns, or fractions of a range in [0, 1]. Values outside the fitted range lie
        outside [0, 1] and are still restored exactly.
    scaling : Scaling
        The scaling of the flattened samples: by column, by channel, or one for all cells.
    dtype : "float32" or "float64"
        The type that `from_matrix` returns: float64 if the fitted array needs it.
    images : ImageForm, optional
        How the images were read, if they come from a folder.
    absent : ndarray of bool, shape (cells,), optional
        The pixels that were missing in every row of the fitted array, such as those outside a field
        of view. Nothing is known about them, so they are always missing, here and back.
    """

    sample_shape: tuple[int, ...]
    values: Values
    scaling: Scaling
    dtype: Literal["float32", "float64"]
    images: ImageForm | None = None
    absent: NDArray[np.bool_] | None = None
    kind = "array"
    segments: tuple[Segment, ...] = ()
    text_options = DETECT
    not_learned = ""

    @property
    def n_columns(self) -> int:
        """Number of cells of one sample."""
        return math.prod(self.sample_shape)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the cells of one sample in C order, see `cell_names`.

        Each call builds all names; for their number use `n_columns`.
        """
        return cell_names(self.sample_shape, colours=self.images is not None)

    @property
    def image_options(self) -> ImageOptions:
        """How to read the images of a folder, as those were that the schema was learned from."""
        return AS_STORED if self.images is None else self.images.options

    @property
    def pixel_type(self) -> PixelType | None:
        """The type of pixels that images of this range are stored with; None for other ranges."""
        if self.images is not None:
            return self.images.dtype
        if self.values != "unit" or not self.is_image:
            return None
        ranges = np.unique(np.stack([self.scaling.center, self.scaling.scale]), axis=1)
        limits = tuple(ranges[:, 0].tolist()) if ranges.shape[1] == 1 else ()
        return {(0.0, 255.0): "uint8", (0.0, 65535.0): "uint16"}.get(limits)  # type: ignore[return-value]

    @property
    def channels(self) -> int:
        """Number of channels of an image, a volume, or a series whose channels have own ranges.

        1 if there is no axis of channels, or it cannot be told from the others.
        """
        last = self.sample_shape[-1]
        ranges = self.scaling.center.size if self.scaling.method == "range" else 1
        own = len(self.sample_shape) == 2 and ranges == last
        return last if own or len(self.sample_shape) in (3, 4) else 1

    @property
    def is_image(self) -> bool:
        """Whether samples can be shown as images: (h, w), or (h, w, c) with c at most 16."""
        shape = self.sample_shape
        return len(shape) == 2 or (len(shape) == 3 and shape[-1] <= _MOST_BANDS)

    @property
    def is_volume(self) -> bool:
        """Whether samples are volumes (depth, height, width, channels)."""
        return len(self.sample_shape) == 4

    def to_matrix(self, X: Any) -> Floats:
        """Scale samples for the network.

        Parameters
        ----------
        X : array-like of shape (n, *sample_shape), or sparse matrix of shape (n, columns)
            NaN marks a missing cell. Cells that were missing in every row of `fit` are left out.

        Returns
        -------
        ndarray of float32, shape (n, *sample_shape)
            Aligned for JAX, see `aligned_empty`.

        Warns
        -----
        DataWarning
            The samples are clearly on another scale, such as pixels divided by 255.

        Raises
        ------
        SchemaMismatch
            The samples have another shape.
        InvalidData
            `X` is empty, not numeric or contains an infinity; the message names column and row.
        """
        (matrix,) = self.blocks(X)
        return matrix

    def blocks(self, X: Any, rows: int | None = None) -> Iterator[Floats]:
        """Yield the result of `to_matrix` in blocks of `rows` rows; None for a single block."""
        array = as_numbers(X)
        if array.shape[1:] != self.sample_shape:
            raise self._other_shape(array.shape[1:], form_of(X))
        self._check_pixels(form_of(X))
        low, high = (np.full(self.n_columns, np.nan, np.float32) for _ in range(2))
        step = rows or len(array)
        as_it_is = rows is None and self._is_matrix(array)
        for start in range(0, len(array), step):
            shape = (min(step, len(array) - start), self.n_columns)
            matrix = np.asarray(array).reshape(shape) if as_it_is else aligned_empty(shape)
            for part in scalings.row_blocks(matrix.shape):
                cells = array[start + part.start : start + part.stop].reshape(-1, self.n_columns)
                if not as_it_is:
                    self._scale(cells, matrix[part])
                low = np.fmin(low, np.fmin.reduce(matrix[part], axis=0))
                high = np.fmax(high, np.fmax.reduce(matrix[part], axis=0))
                if np.isinf(low).any() or np.isinf(high).any():
                    first = start + part.start
                    raise scalings.infinity_error(cells, self._name, first, matrix[part])
            yield matrix.reshape(-1, *self.sample_shape)
        if self.values == "unit" and self.scaling.center.size in (1, self.channels):
            self._compare_scales(array, low, high)

    def _scale(self, cells: NDArray[Any], matrix: Floats) -> None:
        with np.errstate(over="ignore"):
            matrix[:] = self.scaling.forward(cells.astype(np.float64))
        if self.absent is not None:
            matrix[:, self.absent] = np.nan

    def _is_matrix(self, array: Any) -> bool:
        """Whether an array is its own matrix: nobody writes to it, and JAX takes it as it is."""
        return (
            self.scaling.method == "none"
            and self.absent is None
            and type(array) is np.ndarray
            and array.dtype == np.float32
            and array.flags.c_contiguous
            and not array.flags.writeable
            and array.ctypes.data % ALIGNMENT == 0
        )

    def with_unknown(self, unknown: Any) -> ArraySchema:  # noqa: ARG002
        """Return itself: an array has no categories."""
        return self

    def unbounded(self) -> ArraySchema:
        """Return itself: numbers of arrays are not kept within the range that `fit` saw."""
        return self

    def observe(self, X: Any) -> ObservedRows:
        """Return the result of `to_matrix`, with the cells that are missing.

        An array has no cells of which `fit` cannot have seen the value.
        """
        matrix = self.to_matrix(X)
        missing = np.isnan(matrix.reshape(len(matrix), -1))
        return ObservedRows(matrix, missing, np.zeros(missing.shape, dtype=bool))

    def _compare_scales(self, array: NDArray[Any] | SparseRows, low: Floats, high: Floats) -> None:
        """Warn if the samples are on another scale; `low` and `high`, (cells,), are scaled."""
        start, end = self.scaling.center, self.scaling.center + self.scaling.scale
        ends = [self.scaling.inverse(limit.astype(np.float64)[None]) for limit in (low, high)]
        received = (float(np.fmin.reduce(ends[0], None)), float(np.fmax.reduce(ends[1], None)))
        warn_of_another_scale(array, (float(start.min()), float(end.max())), received)

    def from_matrix(self, matrix: NDArray[Any], like: Any = None) -> NDArray[Any]:
        """Return scaled values in their original units.

        Parameters
        ----------
        matrix : ndarray of shape (n, *sample_shape)
            Scaled values.
        like : ndarray, optional
            The original array; if it is of a float type, the result has the same type.

        Returns
        -------
        ndarray of shape (n, *sample_shape)
        """
        return self.from_blocks([matrix], len(matrix), like)

    def from_blocks(
        self, blocks: Iterable[NDArray[Any]], rows: int, like: Any = None
    ) -> NDArray[Any]:
        """Return what `from_matrix` does, for a matrix of `rows` rows that is given in blocks."""
        kind = getattr(like, "dtype", None)
        dtype = kind if kind in (np.float32, np.float64) else np.dtype(self.dtype)
        limit = float(np.finfo(dtype).max)
        result = np.empty((rows, self.n_columns), dtype=dtype)
        start = 0
        for block in blocks:
            flat = np.asarray(block).reshape(len(block), self.n_columns)
            place = result[start : start + len(flat)]
            for part in scalings.row_blocks(flat.shape):
                values = self.scaling.inverse(flat[part].astype(np.float64))
                place[part] = np.clip(values, -limit, limit)
            start += len(flat)
        if self.absent is not None:
            result[:, self.absent] = np.nan
        return result.reshape(rows, *self.sample_shape)

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description, exact to the last bit."""
        config = {
            "kind": self.kind,
            "sample_shape": list(self.sample_shape),
            "values": self.values,
            "dtype": self.dtype,
            "scaling": self.scaling.to_config(),
            **({} if self.images is None else {"images": self.images.to_config()}),
        }
        if self.absent is not None:
            changes = np.diff(self.absent.astype(np.int8), prepend=0, append=0)
            config["absent"] = np.flatnonzero(changes).tolist()  # starts and stops, in turn
        return config

    @classmethod
    def from_config(cls, config: Any) -> ArraySchema:
        """Rebuild from the result of `to_config`, which may be untrusted.

        Raises
        ------
        InvalidArchive
            It is not such a result.
        """
        sizes = {str(i): size for i, size in enumerate(items(config, "sample_shape")[:5])}
        shape = tuple(integer(sizes, name, 1, _MOST_CELLS) for name in sizes)
        if len(shape) not in (1, 2, 3, 4) or math.prod(shape) > _MOST_CELLS:
            refuse("sample_shape", f"one to four sizes, {_MOST_CELLS} cells at most", list(shape))
        values: Values = one_of(config, "values", ("real", "unit"))
        channels = shape[-1] if len(shape) > 1 else 1
        scaling = Scaling.from_config(entry(config, "scaling"), math.prod(shape), channels)
        if (values == "unit") != (scaling.method == "range"):
            refuse("values", "'unit' with a scaling to a range, otherwise 'real'", values)
        return cls(
            sample_shape=shape,
            values=values,
            dtype=one_of(config, "dtype", ("float32", "float64")),
            scaling=scaling,
            # Not in archives of earlier versions.
            images=ImageForm.from_config(config["images"], shape) if "images" in config else None,
            absent=_absent_from_config(config, math.prod(shape)),
        )

    def _name(self, column: int) -> str:
        return cell_name(column, self.sample_shape)

    def _check_pixels(self, form: ImageForm | None) -> None:
        """Refuse images of another depth than those of `fit`, which would be on another scale."""
        if form is not None and self.images is not None and form.dtype != self.images.dtype:
            channels = channels_of(self.sample_shape)
            raise SchemaMismatch(
                "the images",
                expected=f"the mode {mode_name(self.images.dtype, channels)}, as fit saw",
                received=mode_name(form.dtype, channels),
                remedy=conversion(self.sample_shape, self.images.dtype),
            )

    def _other_shape(self, shape: tuple[int, ...], form: ImageForm | None) -> SchemaMismatch:
        size = int(np.prod(shape))
        if form is not None and self.is_image:
            dtype = form.dtype if self.images is None else self.images.dtype
            return SchemaMismatch(
                "the images",
                expected=image_kind(self.sample_shape, dtype),
                received=image_kind(shape, form.dtype),
                remedy=conversion(self.sample_shape, dtype),
            )
        return SchemaMismatch(
            "X",
            expected=f"samples of shape {self.sample_shape}",
            received=str(shape),
            remedy=f"X.reshape(-1, {', '.join(map(str, self.sample_shape))})"
            if size == self.n_columns
            else "resize the samples to the fitted shape, or fit again with these",
        )


def _absent_from_config(config: Any, cells: int) -> NDArray[np.bool_] | None:
    """Return the mask of absent pixels, which archives without any do not have."""
    if "absent" not in config:
        return None
    ends = items(config, "absent")
    whole = all(type(end) is int for end in ends)
    if not whole or len(ends) % 2 or ends != sorted({*ends}) or not ends or ends[-1] > cells:
        refuse("absent pixels", f"starts and stops among {cells} cells", ends[:10])
    mask = np.zeros(cells, bool)
    for start, stop in zip(ends[::2], ends[1::2], strict=True):
        mask[start:stop] = True
    if ends[0] < 0 or mask.all():
        refuse("absent pixels", "pixels of which some are observed", ends[:10])
    return mask


def cell_name(column: int, sample_shape: tuple[int, ...]) -> str:
    """Name one cell of a flattened sample for a message: ``'x3'`` or ``pixel (2, 5)``."""
    if len(sample_shape) == 1:
        return f"'x{column}'"
    return f"cell {tuple(int(i) for i in np.unravel_index(column, sample_shape))}"


def as_numbers(X: Any) -> NDArray[Any] | SparseRows:
    """Return `X` as a numeric array of 2 to 5 dimensions, with scikit-learn's own messages.

    Sparse rows stay sparse.

    Raises
    ------
    InvalidData
        It is empty, complex, text or ragged, or has another number of dimensions.
    """
    if isinstance(X, SparseRows):
        return X
    if is_sparse(X):
        return SparseRows(X)
    if is_plain(X):
        plain: NDArray[Any] = X
        return plain
    try:
        array = check_array(
            without_mask(X), dtype="numeric", ensure_all_finite=False, allow_nd=True
        )
    except (ValueError, TypeError, OverflowError) as error:
        text = "string" in str(error)
        remedy = "pass numbers; pass text, categories and dates in a DataFrame" if text else ""
        raise InvalidData(str(error), remedy=remedy) from None
    if array.dtype.kind not in "biuf" or array.ndim > 5 or 0 in array.shape:
        raise InvalidData(
            "X",
            expected="a non-empty array of numbers with 2 to 5 dimensions",
            received=f"shape {array.shape} of {array.dtype}",
            remedy="make each sample a row, an image (h, w) or (h, w, channels), a volume "
            "(depth, h, w, channels), or a series",
        )
    result: NDArray[Any] = array
    return result


def is_plain(X: Any) -> bool:
    """Tell quickly whether `X` is an array of floats that scikit-learn would not change."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and 2 <= X.ndim <= 5
        and 0 not in X.shape
    )


def without_mask(X: Any) -> Any:
    """Return a masked array as a plain one, NaN where it is masked; anything else unchanged.

    scikit-learn and `numpy.asarray` drop the mask and so expose masked values. Integers and
    booleans become float64 if a cell is masked.
    """
    if not isinstance(X, np.ma.MaskedArray) or X.dtype.kind == "V":
        return X
    if not np.ma.getmaskarray(X).any():
        return X.data
    kind = X.dtype.kind
    plain = np.array(X.data, dtype=X.dtype if kind in "fc" else "d" if kind in "biu" else object)
    plain[np.ma.getmaskarray(X)] = np.nan
    return plain


def infer_array(X: Any, scale: str, *, series: bool = False) -> ArraySchema:
    """Learn the schema of an array; `scale` and `series` as for `infer_schema`."""
    array = as_numbers(X)
    shape = array.shape[1:]
    if math.prod(shape) > _MOST_CELLS:
        raise InvalidData(
            "X",
            expected=f"samples of at most {_MOST_CELLS} cells",
            received=f"shape {shape}",
            remedy="downscale the samples, or cut them into parts",
        )
    flat = array if isinstance(array, SparseRows) else array.reshape(len(array), -1)

    def name(column: int) -> str:
        return cell_name(column, shape)

    summary = scalings.summarise(flat)
    channels = shape[-1] if len(shape) in (3, 4) or (series and len(shape) == 2) else 1
    absent = _absent_pixels(array, summary, channels)
    scalings.check_columns(summary, flat, name, besides=absent)
    limits = _limits(array, summary, channels) if scale == "auto" else None
    if scale == "range":
        limits = _extremes(summary, channels) if array.ndim > 2 else _of_columns(summary)
    if limits is not None:
        scaling = scalings.fit_range(*limits, name)
    else:
        scaling = scalings.IDENTITY if scale == "none" else scalings.fit_robust(flat, name)
    small = array.dtype == np.float32 or array.dtype.itemsize <= 2
    return ArraySchema(
        sample_shape=shape,
        values="unit" if limits is not None else "real",
        scaling=scaling,
        dtype="float32" if small else "float64",
        images=form_of(X),
        absent=absent,
    )


def _absent_pixels(
    array: NDArray[Any] | SparseRows, summary: ColumnStatistics, channels: int
) -> NDArray[np.bool_] | None:
    """Return which pixels of pictures are missing in every row, (cells,); None if none are.

    Columns of other arrays, and whole channels, are refused instead, because they can be dropped.
    Rows are pictures if they have at least 64 cells that fill a range of pictures.

    Raises
    ------
    InvalidData
        A channel is missing in every row.
    """
    absent = np.isnan(summary.low)
    if not absent.any() or absent.all():
        return None
    if array.ndim == 2 and (array.shape[1] < _FEWEST_PIXELS or not _limits(array, summary, 1)):
        return None
    lost = np.flatnonzero(absent.reshape(-1, channels).all(axis=0))
    if lost.size:
        raise InvalidData(
            f"channel {', '.join(map(str, lost[:5]))}",
            expected="at least one value",
            received="missing (NaN) in every pixel of every row",
            remedy="drop the channel; there is nothing to learn from it",
        )
    return absent


def _limits(
    array: NDArray[Any] | SparseRows, summary: ColumnStatistics, channels: int
) -> tuple[Any, Any] | None:
    """Choose the range whose fractions are learned, or None to standardise the columns.

    Channels with ranges of their own count alike in the loss, whatever their units. Those of an
    ordinary picture share the natural range of their type, which keeps colours in proportion: that
    of bytes, or 0 to 1 or 0 to 255 if each channel fills more than half of it.
    """
    low, high = _extremes(summary, channels)
    bytes_range, unit_range = (np.zeros(1), np.full(1, 255.0)), (np.zeros(1), np.ones(1))
    # Bytes that are all 0 or 1 are masks; if all are 0, they may be black images.
    if array.dtype == np.uint8 and high.max() != 1:
        return bytes_range
    alike = channels == 1
    if low.min() >= 0 and high.max() <= 1 and (alike or high.min() > 0.5):
        return unit_range
    in_bytes = summary.whole and low.min() >= 0 and high.min() > 128 and high.max() <= 255
    if array.ndim > 2:
        return bytes_range if in_bytes and not alike else (low, high)
    return bytes_range if in_bytes and array.shape[1] >= _FEWEST_PIXELS else None


def _extremes(summary: ColumnStatistics, channels: int) -> tuple[Any, Any]:
    """Return the minimum and the maximum of each channel, (channels,)."""
    low, high = (limit.reshape(-1, channels) for limit in (summary.low, summary.high))
    return np.fmin.reduce(low, axis=0), np.fmax.reduce(high, axis=0)


def _of_columns(summary: ColumnStatistics) -> tuple[Any, Any]:
    """Return the minimum and the maximum of each column; 0 where it has no value."""
    return np.nan_to_num(summary.low), np.nan_to_num(summary.high)
