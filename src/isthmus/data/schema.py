"""Schemas: the map between the user's data and the matrix that a network sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter
from isthmus.data.array_schema import ArraySchema, infer_array
from isthmus.data.frames import is_table
from isthmus.data.scaling import Scaling
from isthmus.data.table_schema import TableSchema, infer_table
from isthmus.persistence.config_checks import one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from isthmus.core.types import Floats, ObservedRows, Segment, Values
    from isthmus.data.formats.image_options import ImageOptions, PixelType
    from isthmus.data.formats.text_options import TextOptions
    from isthmus.data.unseen_values import Unknown

Scale = Literal["auto", "range", "robust", "none"]


@runtime_checkable
class Schema(Protocol):
    """The map between the user's data and the network's float32 matrix, in both directions.

    Implemented by `ArraySchema` (arrays) and `TableSchema` (tables).
    """

    @property
    def kind(self) -> str:
        """``"array"`` or ``"table"``."""

    @property
    def values(self) -> Values:
        """``"real"`` standardised, ``"unit"`` fractions in [0, 1], ``"mixed"`` per segment."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one row of the matrix."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """A table's columns in the order of the matrix; empty for arrays."""

    @property
    def not_learned(self) -> str:
        """A table's columns that are not learned, with reasons; empty if there are none."""

    @property
    def n_columns(self) -> int:
        """Number of the user's columns; cheaper than `columns`, which makes every name."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the user's columns, for messages and reports."""

    @property
    def text_options(self) -> TextOptions:
        """How to read the columns from a CSV file."""

    @property
    def image_options(self) -> ImageOptions:
        """How to read the images of a folder."""

    @property
    def pixel_type(self) -> PixelType | None:
        """The type of the pixels of images that are written; None if samples are no images."""

    @property
    def absent(self) -> NDArray[np.bool_] | None:
        """Which pixels of images were missing in every row, (cells,); None if none were."""

    @property
    def channels(self) -> int:
        """Number of channels of an image or a series; 1 without an axis of channels."""

    @property
    def is_image(self) -> bool:
        """Whether samples can be shown as images."""

    def to_matrix(self, X: Any) -> Floats:
        """Return X scaled, (n, *sample_shape); NaN marks a missing cell."""

    def with_unknown(self, unknown: Unknown) -> Schema:
        """Return the schema with another way to treat values that `fit` did not see."""

    def unbounded(self) -> Schema:
        """Return the schema by which numbers are restored whatever values `fit` saw."""

    def observe(self, X: Any) -> ObservedRows:
        """Return what `to_matrix` does, with the cells that are missing or were never seen."""

    def from_matrix(self, matrix: Any, like: Any = None) -> Any:
        """Return scaled values in the user's container, units, names and types."""

    def blocks(self, X: Any, rows: int | None = None) -> Iterator[Floats]:
        """Yield the result of `to_matrix` in blocks of `rows` rows; None for a single block."""

    def from_blocks(self, blocks: Iterable[Any], rows: int, like: Any = None) -> Any:
        """Return what `from_matrix` does, for a matrix of `rows` rows that is given in blocks."""

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description, exact to the last bit."""


def infer_schema(
    X: Any, *, scale: str = "auto", unknown: Unknown = "warn", series: bool = False
) -> Schema:
    """Learn the schema of training data.

    Parameters
    ----------
    X : array-like, pandas or polars DataFrame, or pyarrow Table
        Arrays have 2 to 5 dimensions; missing cells are NaN or null.
    scale : "auto", "range", "robust" or "none"
        "auto" scales images, bytes and values in [0, 1] to fractions of a range, and standardises
        other columns robustly. "range" scales to fractions of min..max of each channel of images
        (n, h, w, channels), of the whole array for images (n, h, w), and of each column otherwise;
        "robust" standardises, "none" leaves numbers unchanged. With "auto", images of bytes share
        the range from 0 to 255. Other images do if all channels reach more than half of it in whole
        numbers, or share the range from 0 to 1 if all reach more than half of that.
    unknown : "warn" or "error"
        Whether a category of a table that `X` does not have is later a missing cell, with a
        warning, or refused.
    series : bool
        Whether an array of 3 dimensions is (n, time, channels), not images (n, h, w): then each
        channel has its own range.

    Raises
    ------
    InvalidParameter
        `scale` is something else.
    InvalidData
        The data cannot be learned from; the message names the column.
    """
    if not isinstance(scale, str) or scale not in get_args(Scale):
        raise InvalidParameter(
            "scale",
            expected=f"one of {', '.join(map(repr, get_args(Scale)))}",
            received=repr(scale),
            remedy=nearest(str(scale), list(get_args(Scale))) or "leave scale at 'auto'",
        )
    if is_table(X):
        return infer_table(X, scale, unknown)
    return infer_array(X, scale, series=series)


def as_fractions(schema: Schema) -> Schema:
    """Return the schema of unscaled numbers, all of them within [0, 1], with values ``"unit"``.

    Numbers stay as they are: they are fractions of the range from 0 to 1.
    """
    scaling = Scaling("range", np.zeros(1), np.ones(1))
    if isinstance(schema, TableSchema):
        return replace(schema, scaling=scaling)
    if isinstance(schema, ArraySchema):
        return replace(schema, scaling=scaling, values="unit")
    raise AssertionError("there is no other kind of schema")


def schema_from_config(config: Any) -> Schema:
    """Rebuild a schema from the result of `to_config`, which may come from an untrusted file.

    Raises
    ------
    InvalidArchive
        An entry is missing, of a wrong type, or contradicts another.
    """
    kind = one_of(config, "kind", ("array", "table"))
    return TableSchema.from_config(config) if kind == "table" else ArraySchema.from_config(config)
