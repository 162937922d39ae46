"""Checks of the data passed to an estimator; arrays follow scikit-learn's rules."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from isthmus.core.errors import InvalidData, SchemaMismatch
from isthmus.data.array_schema import is_plain, without_mask
from isthmus.data.formats.image_arrays import form_of, with_form
from isthmus.data.frames import is_table
from isthmus.data.sources import objects, opening
from isthmus.data.sources.labelled import LabelledSource, split_table, with_labels
from isthmus.data.sources.source import BatchSource
from isthmus.data.sparse_rows import SparseRows, is_sparse
from isthmus.data.table_schema import TableSchema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema


def checked(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return `X` as an array or a table; unless `reset`, it must have the columns that `fit` saw.

    A path is read, and a sparse matrix becomes `SparseRows`. Infinities are not checked here: the
    schema refuses them and names row and column.

    Raises
    ------
    InvalidData
        scikit-learn refuses the array: too few dimensions or rows, or another number of columns.
    TypeError
        Raised by scikit-learn for data that are not an array of numbers.
    """
    if not reset and _is_as_fitted(estimator, X):
        return X
    X = opened(X, None if reset else estimator.schema_)
    if isinstance(X, BatchSource):
        raise _not_rows("more rows than fit in memory", "pass some of them")
    if X is None or isinstance(X, (str, bytes, os.PathLike)):
        raise _not_rows(repr(X), "pass the rows, or the path of a file such as 'cars.csv'")
    if isinstance(X, Iterator):
        remedy = (
            "pass a function that returns such an iterator of batches, or collect its rows first, "
            "for example with numpy.stack(list(X))"
        )
        raise _not_rows(f"an iterator ({type(X).__name__})", remedy)
    if is_table(X) and (reset or estimator.schema_.kind == "table"):
        return X
    try:
        return _checked_array(estimator, X, reset=reset)
    except ValueError as error:
        if "is expecting" in str(error):
            raise SchemaMismatch(
                str(error), remedy="pass the columns that fit was given, in the same order"
            ) from error
        raise InvalidData(" ".join(str(error).split())) from error


def opened(X: Any, schema: Schema | None = None) -> Any:
    """Return the rows of a file or another source, in memory if they fit; other data unchanged.

    Parameters
    ----------
    X : object
        What the user passed.
    schema : Schema, optional
        Determines the types of the columns of a CSV file and the conversion of images; by default
        types are inferred and images are not converted.

    Returns
    -------
    array, table or BatchSource
        As `isthmus.data.sources.opening.opened`.

    Raises
    ------
    UnreadableFile
        There is no such file, or it cannot be read.
    """
    if schema is None:
        return opening.opened(X)
    return opening.opened(X, text=schema.text_options, images=schema.image_options)


def opened_with_labels(X: Any, y: Any, schema: Schema | None = None) -> tuple[Any, Any]:
    """Return rows and labels, or a source of both and None if the rows do not fit in memory.

    Parameters
    ----------
    X : object
        What the user passed; a source may yield pairs of rows and labels.
    y : object
        Labels, or the name of their column.
    schema : Schema, optional
        As for `opened`.

    Raises
    ------
    UnreadableFile, InvalidData
        There is no such file or column, or it cannot be read.
    """
    source = objects.source_of(X) if y is None else None
    pairs = None if source is None else with_labels(source)
    if pairs is not None:
        return pairs.read_at_most(opening.MOST_BYTES_IN_MEMORY) or (pairs, None)
    rows = opened(X, schema)
    if not isinstance(y, str):
        return rows, y
    return (
        (LabelledSource(rows, y), None) if isinstance(rows, BatchSource) else split_table(rows, y)
    )


def in_memory(X: Any, schema: Schema | None = None) -> Any:
    """Return what `opened` does, for what needs all rows in memory; raises InvalidData."""
    rows = opened(X, schema)
    if isinstance(rows, BatchSource):
        raise _not_rows("more rows than fit in memory", "pass some of them")
    return rows


def _not_rows(received: str, remedy: str) -> InvalidData:
    return InvalidData(
        "X",
        expected="an array, a sparse matrix, a DataFrame, an Arrow table or a path",
        received=received,
        remedy=remedy,
    )


def _is_as_fitted(estimator: Any, X: Any) -> bool:
    """Quickly recognise plain arrays that need no further checks; this speeds up single rows."""
    return (
        is_plain(X)
        and X.ndim == 2
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
    )


def _checked_array(estimator: Any, X: Any, *, reset: bool) -> Any:
    if is_sparse(X):
        rows = SparseRows(X)
        validate_data(
            estimator, rows.by_row, reset=reset, accept_sparse="csr", ensure_all_finite=False
        )
        return rows
    X = without_mask(X)  # scikit-learn would drop the mask and use the masked values
    if not is_table(X) and _dimensions(X) > 2:
        return with_form(_as_numbers(estimator, X), form_of(X))
    return validate_data(estimator, X, reset=reset, dtype="numeric", ensure_all_finite=False)


def checked_codes(Z: Any, shape: tuple[int, ...]) -> Floats:
    """Return codes as a float32 array of two dimensions; raises InvalidData.

    Parameters
    ----------
    Z : object
        Codes as vectors, or each in its own shape.
    shape : tuple of int
        The shape of one code.
    """
    if len(shape) > 1 and shape_of(Z)[1:] == shape:
        Z = np.asarray(Z).reshape(len(Z), -1)
    try:
        wide: NDArray[np.float64] = check_array(Z, dtype=np.float64, input_name="Z")
    except (ValueError, TypeError) as error:
        raise InvalidData(str(error)) from error
    if np.abs(wide).max(initial=0) > np.finfo(np.float32).max:
        raise InvalidData(
            "codes",
            expected="numbers that float32 can hold",
            received=f"{np.abs(wide).max():.3g}",
            remedy="pass what transform returned",
        )
    return wide.astype(np.float32)


def check_length(y: Any, n: int) -> None:
    """Refuse labels whose number differs from the number of rows."""
    if y is not None and hasattr(y, "__len__") and len(y) != n:
        raise InvalidData(
            "y",
            expected=f"one label for each of the {n} rows of X",
            received=f"{len(y)} labels",
            remedy="pass y of the same length, or leave it out",
        )


def refuse_samples(y: Any, X: Any) -> None:
    """Refuse samples where labels are expected, unless they are `X` itself, which is the target.

    Raises
    ------
    InvalidData
        `y` has the shape of `X`, with more than one cell per row.
    """
    if y is not X and has_samples(y) and shape_of(y) == shape_of(X):
        raise InvalidData(
            "y",
            expected="labels, one for each row of X, or None",
            received=f"samples of the shape of X, {shape_of(y)}, which would be ignored",
            remedy="leave y out; to learn clean samples from noisy ones, "
            "use DenoisingAutoencoder().fit(noisy, clean)",
        )


def has_samples(y: Any) -> bool:
    """Whether each row of `y` has several cells, so that it can be no vector of labels."""
    shape = shape_of(y)
    return len(shape) > 1 and math.prod(shape[1:]) > 1


def target_of(estimator: Any, X: Any, y: Any) -> Any:
    """Return the clean samples `y` of pairs, or `X` if `y` is None or labels.

    Parameters
    ----------
    estimator : isthmus estimator
        For messages of scikit-learn.
    X : array, SparseRows or table
        The noisy samples, as `checked` returns them.
    y : object
        What the user passed, which may be a path.

    Raises
    ------
    InvalidData
        The clean samples differ from `X` in their number, their shape or their container.
    """
    y = opened(y)
    if not has_samples(y) and not (shape_of(y) == shape_of(X) and len(shape_of(y)) > 1):
        return X
    y = SparseRows(y) if is_sparse(y) else without_mask(y)
    if is_table(y) != is_table(X):
        raise _no_pair(f"X as {type(X).__name__} and y as {type(y).__name__}", "pass both alike")
    if shape_of(y) != shape_of(X):
        shapes = f"X of shape {shape_of(X)} and y of shape {shape_of(y)}"
        raise _no_pair(shapes, "pass one clean sample per row of X, in the same order")
    if is_table(y) or isinstance(y, SparseRows):
        return y
    return _as_numbers(estimator, y)


def _as_numbers(estimator: Any, X: Any) -> Any:
    """Return an array of any number of dimensions as scikit-learn checks it."""
    return check_array(
        X, allow_nd=True, dtype="numeric", ensure_all_finite=False, estimator=estimator
    )


def _no_pair(received: str, remedy: str) -> InvalidData:
    return InvalidData(
        "X and y",
        expected="pairs: noisy samples as X and clean samples of the same shape as y",
        received=received,
        remedy=remedy,
    )


def shape_of(X: Any) -> tuple[int, ...]:
    """Return the shape of an array, a sparse matrix, a table or a nested list; () of others."""
    if isinstance(X, (str, os.PathLike)):
        return ()
    try:
        return tuple(X.shape if hasattr(X, "shape") else np.asarray(X).shape)
    except ValueError:  # a ragged list
        return ()


def _dimensions(X: Any) -> int:
    return int(X.ndim) if hasattr(X, "ndim") else np.asarray(X).ndim


def remember_columns(estimator: Any, schema: Schema) -> None:
    """Set scikit-learn's attributes of the columns; as there, only if all names are strings."""
    estimator.n_features_in_ = schema.n_columns
    if isinstance(schema, TableSchema) and all(c.label == "text" for c in schema.fields):
        estimator.feature_names_in_ = np.asarray(schema.columns, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
