"""Whether a batch is still what the detector was trained on."""

import numpy as np
import pytest
from mahalanobis import Mahalanobis, correlated

from isthmus.anomaly.cell_density import CellModel
from isthmus.anomaly.drift import drift

REFERENCE = correlated(800)
FITTED = Mahalanobis(correlated(800, seed=99))
CELLS = CellModel.fit(REFERENCE)


def test_a_shifted_column_is_named():
    batch = correlated(300, seed=1)
    batch[:, 3] += np.float32(0.5)
    result = drift(FITTED, CELLS, REFERENCE, batch, names=list("abcdef"))
    assert result.p_value < 1e-3
    assert [name for name, p in result.adjusted.items() if p < 0.05] == ["d"]
    assert str(result).startswith("Drift")
    assert str(result).splitlines()[2].startswith("d ")


def test_columns_that_no_longer_go_together_are_seen_in_the_scores():
    rng = np.random.default_rng(0)
    batch = np.column_stack([rng.permutation(column) for column in correlated(300, seed=1).T])
    result = drift(FITTED, CELLS, REFERENCE, batch)
    assert result.score < 1e-6
    assert result.p_value < 1e-5
    assert min(result.adjusted.values()) > 0.05


def test_p_values_hold_without_drift():
    rng = np.random.default_rng(0)
    few = rng.integers(4, size=(4_000, 1)) ** 2.0
    rare = rng.random((4_000, 1)) < 0.01
    rows = np.concatenate([correlated(4_000, seed=7), few, rare], axis=1).astype(np.float32)
    fitted = Mahalanobis(correlated(500, columns=8, seed=3))
    cells = CellModel.fit(rows[:100])
    overall, single = [], []
    for _ in range(150):
        part = rng.permutation(4_000)[:600]
        result = drift(fitted, cells, rows[part[:400]], rows[part[400:]])
        overall.append(result.p_value)
        single.append(list(result.columns.values()))
    # Three standard errors of a fraction of 150 above the level.
    assert np.mean(np.asarray(overall) < 0.1) < 0.1 + 3 * np.sqrt(0.09 / 150)
    assert (np.mean(np.asarray(single) < 0.1, axis=0) < 0.1 + 3 * np.sqrt(0.09 / 150)).all()


def test_a_category_that_becomes_common():
    rng = np.random.default_rng(0)
    kinds = [
        np.eye(3)[rng.choice(3, n, p=p)]
        for n, p in ((500, (0.6, 0.3, 0.1)), (200, (0.3, 0.3, 0.4)))
    ]
    old, new = (
        np.concatenate([kind, rng.normal(size=(len(kind), 1))], axis=1).astype(np.float32)
        for kind in kinds
    )
    cells = CellModel.fit(old, groups=[[0, 1, 2], [3]])
    result = drift(Mahalanobis(old), cells, old, new, names=["kind", "size"])
    assert result.columns["kind"] < 1e-6
    assert result.columns["size"] > 0.001


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_columns(value):
    old, new = correlated(200), correlated(100, seed=1)
    old[:, 0], new[:, 0] = 0, value
    result = drift(FITTED, CELLS, old, new)
    assert (result.columns["x0"] == 1) == (value == 0)
    assert value == 0 or result.columns["x0"] < 1e-6


def test_a_batch_of_one_row():
    result = drift(FITTED, CELLS, REFERENCE, correlated(1, seed=1))
    assert 0 < result.p_value <= 1


def slow_holm(values):
    """Holm, 1979: the smallest of m p-values times m, the next times m - 1, and never falling."""
    found, highest, left = {}, 0.0, dict(values)
    while left:
        name = min(left, key=left.get)
        highest = max(highest, min(1.0, left[name] * len(left)))
        found[name] = highest
        del left[name]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_several_p_values_are_corrected_as_in_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    batch = correlated(60, seed=seed + 1) + np.float32(0.4) * rng.random(6).astype(np.float32)
    result = drift(FITTED, CELLS, REFERENCE, batch, names=list("abcdef"))
    assert result.adjusted == pytest.approx(slow_holm(result.columns))
    columns = min(1.0, 6 * min(result.columns.values()))
    assert result.p_value == pytest.approx(min(1.0, 2 * min(columns, result.score)))


@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_the_p_value_of_a_column_is_the_fraction_of_shuffled_batches_that_differ_as_much(shift):
    old, new = correlated(30, seed=4), correlated(20, seed=5)
    new[:, 2] += np.float32(shift)
    found = drift(FITTED, CELLS, old, new).columns["x2"]

    def largest_gap(one, other):
        places = np.concatenate([one, other])[:, None]
        return np.abs((one <= places).mean(axis=1) - (other <= places).mean(axis=1)).max()

    together, seen = np.concatenate([old, new])[:, 2], largest_gap(old[:, 2], new[:, 2])
    rng, rounds = np.random.default_rng(0), 3_000
    larger = 0
    for _ in range(rounds):
        mixed = rng.permutation(together)
        larger += largest_gap(mixed[:30], mixed[30:]) >= seen - 1e-9
    error = np.sqrt(max(found * (1 - found), 1e-4) / rounds)
    assert larger / rounds == pytest.approx(found, abs=4 * error)
