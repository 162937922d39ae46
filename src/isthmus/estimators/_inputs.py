"""What a person passes to an estimator, checked: arrays by scikit-learn's rules, tables by ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from isthmus.core.errors import InvalidData, SchemaMismatch
from isthmus.data.array import without_mask
from isthmus.data.frames import is_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.core.types import Floats


def checked(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return `X` as an array or a table, and with `reset` remember its columns.

    Infinities pass: the schema refuses them, and names row and column.

    Raises
    ------
    InvalidData
        What scikit-learn says of it: too few dimensions or rows, another number of columns.
    TypeError
        scikit-learn's own, for what is no array of numbers.
    """
    if X is None or isinstance(X, (str, bytes, os.PathLike)):
        raise InvalidData(
            "X",
            expected="an array, a DataFrame or an Arrow table",
            received=repr(X),
            remedy="read a file first, for example with pandas.read_csv, or use `isthmus fit FILE`",
        )
    table = is_table(X)
    if table and (reset or estimator.schema_.kind == "table"):
        if reset:
            names = _column_names(X)
            _remember(estimator, len(names), names)
        return X
    try:
        return _checked_array(estimator, X, reset=reset)
    except ValueError as error:
        if "is expecting" in str(error):
            raise SchemaMismatch(
                str(error), remedy="pass the columns that fit was given, in their order"
            ) from error
        raise InvalidData(str(error)) from error


def _checked_array(estimator: Any, X: Any, *, reset: bool) -> Any:
    X = without_mask(X)  # scikit-learn would drop it, and take what it hides for values
    if not is_table(X) and _dimensions(X) > 2:
        X = check_array(
            X, allow_nd=True, dtype="numeric", ensure_all_finite=False, estimator=estimator
        )
        if reset:
            _remember(estimator, int(np.prod(X.shape[1:])))
        return X
    return validate_data(estimator, X, reset=reset, dtype="numeric", ensure_all_finite=False)


def checked_codes(Z: Any) -> Floats:
    """Return codes as a float32 array of two dimensions; raises InvalidData."""
    try:
        wide: NDArray[np.float64] = check_array(Z, dtype=np.float64, input_name="Z")
    except ValueError as error:
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
    """Refuse labels that cannot belong to the rows."""
    if y is not None and hasattr(y, "__len__") and len(y) != n:
        raise InvalidData(
            "y",
            expected=f"one label for each of the {n} rows of X",
            received=f"{len(y)} labels",
            remedy="pass y of the same length, or leave it out",
        )


def _dimensions(X: Any) -> int:
    return int(X.ndim) if hasattr(X, "ndim") else np.asarray(X).ndim


def _column_names(X: Any) -> list[str]:
    return list(X.column_names if hasattr(X, "column_names") else X.columns)


def _remember(estimator: Any, count: int, names: list[Any] | None = None) -> None:
    """Set what scikit-learn promises; like it, keep names only where all are strings."""
    estimator.n_features_in_ = count
    if names and all(isinstance(name, str) for name in names):
        estimator.feature_names_in_ = np.asarray(names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
