"""Repairs, against a search for one row after the other."""

import numpy as np
import pytest
from mahalanobis import Mahalanobis, correlated, with_faults

from isthmus.anomaly.cell_density import CellModel
from isthmus.anomaly.repair import repair_rows


def slow_repair(score, cells, row, most, threshold):
    """Change the first of the three least likely cells that makes the row normal, or better."""
    row, changed, order = row.copy(), [], []
    columns = [np.flatnonzero(cells.column_of == c) for c in range(cells.column_of.max() + 1)]
    for _ in range(most):
        now = score(row)
        if now <= threshold:
            break
        ignored = np.isin(np.arange(len(columns)), changed)[None]
        surprise = cells.surprise(row[None], ignored)[0]
        expected = cells.expected(row[None], ignored)[0]
        left = sorted(
            (c for c in range(len(columns)) if c not in changed), key=lambda c: -surprise[c]
        )
        tried = []
        for column in left[:3]:
            other = row.copy()
            other[columns[column]] = expected[columns[column]]
            tried.append((column, other, score(other)))
        good = [each for each in tried if each[2] <= threshold]
        better = [each for each in tried if each[2] < now]
        if not good and not better:
            break
        column, row, _ = (good or better)[0]
        changed.append(column)
        order.append(column)
    return row, order


@pytest.mark.parametrize("groups", [None, [[0], [1, 2], [3, 5], [4]]], ids=["cells", "groups"])
@pytest.mark.parametrize(("most", "quantile"), [(1, 0.9), (3, 0.9), (4, 0.2), (9, 0.0)])
def test_repairs_are_those_of_a_plain_search(groups, most, quantile):
    reference = correlated(200)
    fitted, cells = Mahalanobis(reference), CellModel.fit(reference, groups=groups, seed=0)
    threshold = float(np.quantile(fitted.score(reference), quantile))
    rows, _ = with_faults(correlated(40, seed=1), 2, size=2.0)
    rows = np.concatenate([rows, correlated(15, seed=2)])
    found = repair_rows(fitted, cells, rows, most, threshold=threshold)
    turns = []
    for place, row in enumerate(rows):
        expected, order = slow_repair(
            lambda one: fitted.score(one[None])[0], cells, row, most, threshold
        )
        assert [c for c in found.order[place] if c >= 0] == order
        assert np.flatnonzero(found.changed[place]).tolist() == sorted(order)
        np.testing.assert_allclose(found.matrix[place], expected, rtol=1e-5, atol=1e-6)
        assert found.before[place] == pytest.approx(fitted.score(row[None])[0])
        assert found.after[place] == pytest.approx(fitted.score(expected[None])[0], rel=1e-4)
        turns.append(len(order))
    assert len(set(turns)) > 1
