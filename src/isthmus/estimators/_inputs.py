"""What a person passes to an estimator, checked: arrays by scikit-learn's rules, tables by ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from isthmus.core.errors import InvalidData


def is_table(X: Any) -> bool:
    """Whether `X` is a DataFrame of pandas or polars, or an Arrow table."""
    return hasattr(X, "columns") or hasattr(X, "column_names")


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
    if is_table(X) and (reset or hasattr(estimator, "feature_names_in_")):
        if reset:
            _remember(estimator, _column_names(X))
        return X
    try:
        return _checked_array(estimator, X, reset=reset)
    except ValueError as error:
        raise InvalidData(str(error)) from error


def _checked_array(estimator: Any, X: Any, *, reset: bool) -> Any:
    if not is_table(X) and _dimensions(X) > 2:
        X = check_array(
            X, allow_nd=True, dtype="numeric", ensure_all_finite=False, estimator=estimator
        )
        if reset:
            _remember(estimator, None, int(np.prod(X.shape[1:])))
        return X
    return validate_data(estimator, X, reset=reset, dtype="numeric", ensure_all_finite=False)


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
    names = X.column_names if hasattr(X, "column_names") else X.columns
    return [str(name) for name in names]


def _remember(estimator: Any, names: list[str] | None, count: int = 0) -> None:
    if names is None:
        estimator.n_features_in_ = count
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
        return
    estimator.n_features_in_ = len(names)
    estimator.feature_names_in_ = np.asarray(names, dtype=object)
