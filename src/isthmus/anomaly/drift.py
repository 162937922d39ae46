"""Drift: whether a new batch still follows the distribution of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.cell_density import CellModel
    from isthmus.anomaly.contributions import ScoreModel
    from isthmus.core.types import Floats

_FEW_VALUES = 10
"""Columns with at most this many distinct values are compared by their counts."""
_LEAST_EXPECTED = 5.0
"""Expected count below which the chi-square approximation fails, so values are pooled."""
_EXACT_BELOW = 10_000
_SHOWN = 10
_ALPHA = 0.05


@dataclass(frozen=True)
class Drift:
    """Whether a batch differs from the reference. ``str()`` gives a plain table."""

    p_value: float
    """Overall p-value. Without drift it is below alpha with probability at most alpha, however the
    columns depend on each other."""
    columns: Mapping[str, float]
    """The p-value of each column on its own."""
    adjusted: Mapping[str, float]
    """The columns' p-values after Holm's correction: small values show which columns changed."""
    score: float
    """The p-value of the anomaly scores, which can detect changes that no single column shows."""
    n_reference: int
    n_rows: int

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the table as columns: ``pandas.DataFrame(result.to_dict())``."""
        return {
            "column": list(self.columns),
            "p_value": list(self.columns.values()),
            "adjusted": list(self.adjusted.values()),
        }

    def __str__(self) -> str:
        verdict = "Drift" if self.p_value < _ALPHA else "No sign of drift"
        changed = sum(p < _ALPHA for p in self.adjusted.values())
        lines = [
            f"{verdict}: p = {self.p_value:.2g}, {self.n_rows} new rows against "
            f"{self.n_reference}. "
            f"Anomaly scores: p = {self.score:.2g}; {changed} of {len(self.columns)} columns "
            "changed.",
            f"{'column':24} {'p':>9} {'adjusted':>9}",
        ]
        least = sorted(self.columns, key=self.columns.__getitem__)[:_SHOWN]
        lines += [
            f"{name[:24]:24} {self.columns[name]:9.2g} {self.adjusted[name]:9.2g}" for name in least
        ]
        return "\n".join(lines)


def drift(
    fitted: ScoreModel,
    cells: CellModel,
    reference: Floats,
    matrix: Floats,
    *,
    names: Sequence[str] | None = None,
) -> Drift:
    """Compare a batch with normal rows: each column, and the anomaly scores.

    Columns are compared by the two-sample Kolmogorov-Smirnov test; categories and columns with few
    distinct values by the chi-square test of their counts. The overall p-value is twice the smaller
    of two: that of the scores, and the columns' smallest after Bonferroni's correction, which is
    valid under any dependence.

    Parameters
    ----------
    fitted : ScoreModel
        The score to compare.
    cells : CellModel
        Says which columns of the matrix form one table column.
    reference : array of shape (n, d)
        Normal rows, standardised, that the score was not fitted on; it is lower on the rows that
        it was fitted on.
    matrix : array of shape (m, d)
        The batch, standardised.
    names : sequence of str, optional
        Column names. None: ``x0``, ``x1``, ...
    """
    names = names or [f"x{column}" for column in range(len(cells.columns))]
    single = np.asarray([_column_test(reference[:, own], matrix[:, own]) for own in cells.columns])
    score = _kolmogorov_smirnov(fitted.score(reference), fitted.score(matrix))
    overall = min(1.0, 2 * min(score, len(single) * float(single.min())))
    return Drift(
        overall,
        dict(zip(names, single.tolist(), strict=True)),
        dict(zip(names, _holm(single).tolist(), strict=True)),
        score,
        len(reference),
        len(matrix),
    )


def _column_test(reference: Floats, batch: Floats) -> float:
    if reference.shape[1] > 1:
        return _chi_square(*_category_numbers(reference, batch))
    old, new = reference[:, 0], batch[:, 0]
    # Decide by the reference: a batch must not turn a continuous column into a discrete one.
    if len(np.unique(old)) <= _FEW_VALUES and len(np.unique(new)) <= 2 * _FEW_VALUES:
        return _chi_square(*_category_numbers(reference, batch))
    return _kolmogorov_smirnov(old, new)


def _kolmogorov_smirnov(old: NDArray[Any], new: NDArray[Any]) -> float:
    # The exact distribution is for small samples; for large ones it is slow and may overflow.
    method = "exact" if len(old) * len(new) < _EXACT_BELOW else "asymp"
    return float(ks_2samp(old, new, method=method).pvalue)


def _category_numbers(
    reference: Floats, batch: Floats
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the category numbers of the reference, (n,), and of the batch, (m,)."""
    _, category = np.unique(np.concatenate([reference, batch]), axis=0, return_inverse=True)
    return category.reshape(-1)[: len(reference)], category.reshape(-1)[len(reference) :]


def _chi_square(old: NDArray[np.intp], new: NDArray[np.intp]) -> float:
    """Return the p-value of the chi-square test; the rarest values are pooled to make it valid."""
    size = max(old.max(), new.max()) + 1
    table = np.stack([np.bincount(old, minlength=size), np.bincount(new, minlength=size)])
    table = table[:, np.argsort(table.sum(axis=0), kind="stable")]
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    pooled = int((expected < _LEAST_EXPECTED).sum())
    while 0 < pooled < size and expected[:pooled].sum() < _LEAST_EXPECTED:
        pooled += 1
    if pooled:
        head = table[:, :pooled].sum(axis=1, keepdims=True)
        table = np.concatenate([head, table[:, pooled:]], axis=1)
    if table.shape[1] < 2:
        return 1.0
    if table.shape[1] == 2:
        return float(fisher_exact(table).pvalue)
    return float(chi2_contingency(table).pvalue)


def _holm(single: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Holm's (1979) adjusted p-values."""
    order = np.argsort(single)
    factors = len(single) - np.arange(len(single))
    adjusted = np.empty_like(single)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(single[order] * factors))
    return adjusted
