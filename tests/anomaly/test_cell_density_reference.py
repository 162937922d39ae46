"""Surprise, expected values and contributions, against kernels written out cell by cell."""

import math

import numpy as np
import pytest

from isthmus.anomaly import cell_density
from isthmus.anomaly.cell_density import CellModel
from isthmus.anomaly.contributions import contributions


def kernel(x, y):
    """Gaussian, half a standard deviation wide, 1 at its centre."""
    return math.exp(-0.5 * sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / 0.5**2)


def weights(row, rows, column, groups, ignored, temperature):
    """How alike each normal row is in the other columns; no column counts for less than 1/20."""
    power = max(1.0, temperature * math.sqrt(len(groups)))
    found = []
    for other in rows:
        product = 1.0
        for number, cells in enumerate(groups):
            if number != column and not ignored[number]:
                product *= 0.95 * kernel(row[cells], other[cells]) + 0.05
        found.append(product ** (1 / power))
    return found


def normal_density(x, centre, width):
    return math.exp(-0.5 * ((x - centre) / width) ** 2) / (width * math.sqrt(2 * math.pi))


def marginal_density(x, values):
    """Kernels on all values of a column, as wide as half the distance of near ones."""
    values, n = sorted(values), len(values)
    reach = max(2, int(math.sqrt(n)) // 2)
    total = 0.0
    for place, centre in enumerate(values):
        spread = values[min(place + reach, n - 1)] - values[max(place - reach, 0)]
        total += normal_density(x, centre, max(spread / 2, 0.02))
    return total / n


def slow_surprise(row, rows, groups, ignored):
    found = []
    for column, cells in enumerate(groups):
        alike = weights(row, rows, column, groups, ignored, 0.35)
        own = [kernel(row[cells], other[cells]) for other in rows]
        conditional = sum(w * k for w, k in zip(alike, own, strict=True)) / sum(alike)
        if len(cells) == 1:
            x = row[cells[0]]
            fault = 1 / (math.pi * 3 * (1 + (x / 3) ** 2))  # Cauchy's density
            unseen = 1e-3 / (3 * (1 + (x / 3) ** 2)) ** 2
            conditional /= 0.5 * math.sqrt(2 * math.pi)
            marginal = marginal_density(x, [other[cells[0]] for other in rows])
        else:
            fault = 1 / len(cells)
            unseen = 1e-3 * fault
            marginal = sum(own) / len(own)
        density = 0.95 * conditional + 0.05 * marginal + unseen
        found.append(math.log(1 + fault / density))
    return found


def slow_expected(row, rows, groups, ignored):
    found = [math.nan] * len(row)
    for column, cells in enumerate(groups):
        alike = weights(row, rows, column, groups, ignored, 0.35 / 2)
        if len(cells) == 1:
            values = [other[cells[0]] for other in rows]
            mean = sum(w * v for w, v in zip(alike, values, strict=True)) / sum(alike)
            found[cells[0]] = mean
            continue
        votes = {}
        for w, other in zip(alike, rows, strict=True):
            kind = tuple(other[cells])
            votes[kind] = votes.get(kind, 0.0) + w
        for cell, value in zip(cells, max(votes, key=votes.get), strict=True):
            found[cell] = value
    return found


def table(n, seed):
    """Two numbers and a category that hang together, and a number by itself."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=n)
    first = kind - 1 + 0.4 * rng.normal(size=n)
    second = first + 0.4 * rng.normal(size=n)
    columns = [first, *(np.eye(3)[kind].T * 2 - 0.7), second, rng.normal(size=n)]
    return np.stack(columns, axis=1).astype(np.float32)


GROUPS = {
    "numbers": [[0], [1], [2], [3], [4], [5]],
    "a category": [[0], [1, 2, 3], [4], [5]],
    "a category that is not together": [[4], [3, 1, 2], [5], [0]],
}


@pytest.mark.parametrize("chunk", [None, 100], ids=["at once", "in parts"])
@pytest.mark.parametrize("leave_out", [False, True], ids=["all cells", "some ignored"])
@pytest.mark.parametrize("groups", GROUPS.values(), ids=list(GROUPS))
def test_cells_are_judged_as_in_a_plain_loop(groups, leave_out, chunk, monkeypatch):
    if chunk is not None:
        monkeypatch.setattr(cell_density, "_CHUNK", chunk)
    reference, rows = table(40, 0), table(9, 1)
    rows[3, 0] += 4
    rows[4, 5] -= 20
    model = CellModel.fit(reference, groups=groups, seed=0)
    ignored = np.zeros((9, len(groups)), bool)
    if leave_out:
        ignored[np.arange(9), np.arange(9) % len(groups)] = True
    given = ignored if leave_out else None
    surprise, expected = model.surprise(rows, given), model.expected(rows, given)
    cells = [sorted(group) for group in groups]
    normal = reference.astype(np.float64)
    for place, row in enumerate(rows.astype(np.float64)):
        slow = slow_surprise(row, normal, cells, ignored[place])
        np.testing.assert_allclose(surprise[place], slow, rtol=2e-4)
        slow = slow_expected(row, normal, cells, ignored[place])
        np.testing.assert_allclose(expected[place], slow, rtol=1e-4, atol=1e-5)


def test_contributions_are_shares_by_surprise():
    class Length:
        def score(self, matrix, copies_of=None):
            return np.linalg.norm(matrix, axis=1)

        def reconstruct(self, matrix):
            return matrix

    reference, rows = table(40, 0), table(9, 1)
    groups = GROUPS["a category"]
    model = CellModel.fit(reference, groups=groups, seed=0)
    found = contributions(Length(), model, rows)
    for place, row in enumerate(rows.astype(np.float64)):
        parts = slow_surprise(row, reference.astype(np.float64), groups, [False] * 4)
        score = math.sqrt(sum(x * x for x in row))
        expected = [score * part / sum(parts) for part in parts]
        np.testing.assert_allclose(found[place], expected, rtol=2e-4)
