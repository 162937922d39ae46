"""Detection power for faults of known kind and size."""

import numpy as np
import pandas as pd
import pytest
from mahalanobis import Mahalanobis, correlated

from isthmus.anomaly.blind_spots import blind_spots
from isthmus.anomaly.cell_density import CellModel

NAMES = list("abcdef")
NORMAL = correlated(300, seed=1)


def judged(fitted, reference, **more):
    cells = CellModel.fit(reference, **more)
    threshold = float(np.quantile(fitted.score(reference), 0.99))
    return blind_spots(fitted, cells, reference, threshold=threshold, names=NAMES)


@pytest.fixture(scope="module")
def result():
    return judged(Mahalanobis(correlated(1_000), kept=2), correlated(500, seed=1))


def test_larger_faults_are_found_more_often(result):
    table = pd.DataFrame(result.to_dict())
    power = table[table.kind == "spike"].groupby("size").power.mean()
    assert power.is_monotonic_increasing
    assert power[10.0] > 0.99
    assert result.false_alarm_rate < 0.03
    assert set(table.column) == set(NAMES)
    assert table.power.between(0, 1).all()


def test_a_score_that_ignores_a_column_is_blind_there():
    class Blind(Mahalanobis):
        def score(self, matrix, copies_of=None):
            return super().score(np.where(np.arange(6) == 2, self.mean, matrix))

    blind = Blind(correlated(1_000))
    blind.inverse = np.eye(6)
    result = judged(blind, correlated(500, seed=1))
    spikes = {spot.column: spot.power for spot in result.spots if spot.size == 10}
    assert spikes["c"] < 0.05
    assert min(spikes[name] for name in "abdef") > 0.95
    assert any("detected in" in finding and " c" in finding for finding in result.findings)
    assert str(result).splitlines()[1].startswith("c ")


def test_a_network_that_repeats_everything_is_warned_of():
    result = judged(Mahalanobis(correlated(1_000), kept=6), correlated(500, seed=1))
    assert min(result.copied.values()) > 0.99
    assert "too well" in result.findings[0]
    assert str(result).splitlines()[-len(result.findings) :] == list(result.findings)


def test_a_network_with_a_bottleneck_is_not(result):
    assert max(result.copied.values()) < 0.8
    assert not any("too well" in finding for finding in result.findings)


def test_categories_are_only_swapped():
    result = judged(
        Mahalanobis(correlated(1_000)),
        correlated(500, seed=1),
        groups=[[0], [1, 2], [3], [4], [5]],
    )
    assert {spot.kind for spot in result.spots if spot.column == "b"} == {"swap"}


def test_a_fault_is_not_compared_with_the_row_it_was_put_into():
    class Nearest(Mahalanobis):
        """The distance to the nearest of the reference rows, the row itself left out."""

        def score(self, matrix, copies_of=None):
            sources = matrix if copies_of is None else copies_of
            away = np.square(matrix[:, None] - NORMAL).sum(axis=2)
            away[(sources[:, None] == NORMAL).all(axis=2)] = np.inf
            return np.sqrt(away.min(axis=1))

    result = judged(Nearest(NORMAL), NORMAL)
    powers = {(spot.kind, spot.size): [] for spot in result.spots}
    for spot in result.spots:
        powers[spot.kind, spot.size].append(spot.power)
    assert np.mean(powers["spike", 3.0]) > 0.9


def test_is_repeatable_and_bounded_for_many_columns(monkeypatch):
    monkeypatch.setattr("isthmus.anomaly.blind_spots._MOST_SCORED", 7_000)
    wide = correlated(40, columns=60)
    fitted = Mahalanobis(wide)
    scored = []

    def score(matrix, copies_of=None):
        scored.append(len(matrix))
        return Mahalanobis.score(fitted, matrix)

    fitted.score = score
    first, second = (
        blind_spots(fitted, CellModel.fit(wide), wide, threshold=1.0, seed=4) for _ in range(2)
    )
    assert first == second or str(first) == str(second)
    assert sum(scored) < 2 * 8_000
    columns = {spot.column for spot in first.spots}
    shown = [line for line in str(first).splitlines() if line.split()[0] in columns]
    assert 0 < len(shown) < len(columns)
    assert f"... and {len(columns) - len(shown)} columns" in str(first)
