"""Compare an autoencoder with PCA and the mean row on the same held-out rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from isthmus.core.errors import InvalidData
from isthmus.core.randomness import generator_for
from isthmus.data.reconstruction_error import row_errors
from isthmus.estimators.fitted_check import require_fitted
from isthmus.estimators.input_checks import in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = NDArray[np.float32]

MAX_FIT_CELLS = 100_000_000
"""Most cells that PCA and the mean are fitted on (400 MB), from rows drawn at random. More cells
would take minutes without a measurable change."""
MAX_TRAIN_ROWS = 10_000
"""Most training rows on which the error is computed. They suffice to see overfitting."""


@dataclass(frozen=True)
class ComparisonEntry:
    """One method's reconstruction of the held-out rows."""

    name: str
    """``"autoencoder"``, ``"pca"`` or ``"mean"``."""
    prediction: Floats
    """(n, *sample_shape), scaled units; missing cells are filled in, and NaN where no row has any.
    """
    errors: NDArray[np.float64]
    """(n,), mean squared error of each row's observed cells, scaled units."""
    code_size: int
    seconds: float
    """Time to fit."""


@dataclass(frozen=True)
class Comparison:
    """The comparison, with everything that a judgement or a report needs."""

    rows: NDArray[np.intp]
    """(n,), the rows of ``X_test`` that were evaluated."""
    target: Floats
    """(n, *sample_shape), scaled units; NaN marks a missing cell."""
    codes: NDArray[np.float64]
    """(n, latent_dim)"""
    autoencoder: ComparisonEntry
    pca: ComparisonEntry
    mean: ComparisonEntry
    n_fit: int
    """Number of rows that PCA and the mean were fitted on."""
    own_training_rows: bool
    """Whether these rows are ``X_train``; otherwise, they are the other half of ``X_test``."""
    train_errors: NDArray[np.float64] | None
    """(m,), the autoencoder's errors on training rows; None without ``X_train``."""
    seen_share: float
    """Fraction of the evaluated rows that are equal to a training row; 0 without ``X_train``."""

    @property
    def entries(self) -> tuple[ComparisonEntry, ComparisonEntry, ComparisonEntry]:
        """The entries of the autoencoder, PCA and the mean row."""
        return (self.autoencoder, self.pca, self.mean)


def compare(model: Any, X_test: Any, *, X_train: Any = None) -> Comparison:
    """Reconstruct held-out rows with the autoencoder, PCA and the mean row.

    Parameters
    ----------
    model : fitted autoencoder
    X_test : array or table
        Rows that the model was not fitted on.
    X_train : array or table, optional
        The rows that the model was fitted on. PCA and the mean are fitted on them. Without them,
        PCA and the mean are fitted on half of `X_test`, and all are evaluated on the other half.

    Raises
    ------
    InvalidParameter
        The model is not fitted.
    InvalidData
        The rows differ in form from those that the model was fitted on, or there are too few.
    """
    require_fitted(model, "schema_", "a fitted autoencoder")
    target = np.asarray(model.schema_.to_matrix(in_memory(X_test, model.schema_)))
    rows = np.arange(len(target))
    if X_train is None:
        fit_rows, rows = _halves(len(target))
        fit_matrix, target = target[fit_rows], target[rows]
    else:
        fit_matrix = np.asarray(model.schema_.to_matrix(in_memory(X_train, model.schema_)))
    _check_rows(target, "X_test")
    _check_rows(fit_matrix, "X_train")
    train_errors = None if X_train is None else _errors_on(model, fit_matrix)
    seen_share = 0.0 if X_train is None else _share_seen(target, fit_matrix)
    fit_matrix = _thin(fit_matrix, MAX_FIT_CELLS // max(1, fit_matrix[0].size))

    def entry(name: str, prediction: Floats, size: int, took: float) -> ComparisonEntry:
        if model.schema_.absent is not None:
            unknown = model.schema_.absent.reshape(target.shape[1:])
            prediction = np.where(unknown, np.float32(np.nan), prediction)
        errors = row_errors(target, prediction, model.schema_.segments)
        return ComparisonEntry(name, prediction, errors, size, took)

    size = int(model.latent_dim_)
    reconstruction = np.asarray(model.reconstruct_matrix(target))
    codes = np.asarray(model.encode_matrix(target), dtype=np.float64)
    started = time.perf_counter()
    means = column_means(fit_matrix)
    mean_seconds = time.perf_counter() - started
    project, components = _fit_pca(fit_matrix, means, size)
    pca_seconds = time.perf_counter() - started
    return Comparison(
        rows=rows,
        target=target,
        codes=codes,
        autoencoder=entry("autoencoder", reconstruction, size, float(model.fit_seconds_)),
        pca=entry("pca", project(target), components, pca_seconds),
        mean=entry(
            "mean", np.broadcast_to(means.reshape(target.shape[1:]), target.shape), 0, mean_seconds
        ),
        n_fit=len(fit_matrix),
        own_training_rows=X_train is not None,
        train_errors=train_errors,
        seen_share=seen_share,
    )


def column_means(matrix: Floats) -> Floats:
    """Return the mean of every column's observed cells, flattened; 0 for a column without any."""
    flat = matrix.reshape(len(matrix), -1)
    observed = ~np.isnan(flat)
    sums = np.where(observed, flat, 0).sum(axis=0, dtype=np.float64)
    return np.asarray(sums / np.maximum(observed.sum(axis=0), 1), np.float32)


def _fit_pca(
    fit_matrix: Floats, means: Floats, size: int
) -> tuple[Callable[[Floats], Floats], int]:
    """Fit PCA; return its projection and its number of components.

    Missing cells are filled with the column's mean, which does not affect the components.
    """
    flat = _filled(fit_matrix, means)
    # n centred rows span at most n - 1 dimensions.
    components = min(size, len(flat) - 1, flat.shape[1])
    if components < 1:
        return lambda rows: np.broadcast_to(means.reshape(rows.shape[1:]), rows.shape), 0
    with np.errstate(all="ignore"):  # constant columns give 0/0 in an unused variance ratio
        pca = PCA(components, random_state=0).fit(flat)

    def project(rows: Floats) -> Floats:
        codes = pca.transform(_filled(rows, means))
        return np.asarray(pca.inverse_transform(codes), np.float32).reshape(rows.shape)

    return project, components


def _filled(matrix: Floats, means: Floats) -> Floats:
    flat = matrix.reshape(len(matrix), -1)
    missing = np.isnan(flat)
    return np.where(missing, means, flat) if missing.any() else flat


def _halves(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split n rows into two halves, reproducibly, each in its original order."""
    if n < 2:
        raise InvalidData(
            "X_test",
            expected="at least 2 rows if X_train is not given, one of them to fit PCA on",
            received=f"{n} row{'' if n == 1 else 's'}",
            remedy="pass X_train, or more rows",
        )
    order = generator_for(0, "referee halves").permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def _thin(matrix: Floats, most: int) -> Floats:
    most = max(most, 2)
    if len(matrix) <= most:
        return matrix
    chosen = generator_for(0, "referee rows").choice(len(matrix), most, replace=False)
    return matrix[np.sort(chosen)]


def _errors_on(model: Any, matrix: Floats) -> NDArray[np.float64]:
    some = _thin(matrix, MAX_TRAIN_ROWS)
    return row_errors(some, np.asarray(model.reconstruct_matrix(some)), model.schema_.segments)


def _share_seen(rows: Floats, others: Floats) -> float:
    known = {hash(row.tobytes()) for row in others}
    return sum(hash(row.tobytes()) in known for row in rows) / len(rows)


def _check_rows(matrix: Floats, name: str) -> None:
    if len(matrix) == 0 or np.isnan(matrix).all():
        raise InvalidData(
            name,
            expected="rows with at least one cell that is not missing",
            received="no rows" if len(matrix) == 0 else "only missing cells",
            remedy="pass rows to evaluate the model on",
        )
