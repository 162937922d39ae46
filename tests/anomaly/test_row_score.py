"""The score of a row, against its measures written out for one row after the other."""

import math

import numpy as np
import pytest

from isthmus.anomaly.row_score import RowScore
from isthmus.core.errors import InvalidData

EPSILON = float(np.finfo(np.float32).eps)


class Linear:
    """Stands for an autoencoder: three columns to two and back, not quite the same."""

    down = np.array([[1.0, 0.2], [-0.5, 1.0], [0.3, 0.8]], np.float32)
    up = np.array([[0.7, -0.2, 0.1], [0.1, 0.6, 0.4]], np.float32)

    def encode(self, matrix):
        return matrix @ self.down

    def reconstruct(self, matrix):
        return matrix @ self.down @ self.up

    def encode_and_reconstruct(self, matrix):
        return self.encode(matrix), self.reconstruct(matrix)


def rows_of(seed, n=60):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 3)) * [1, 1, 0.3]
    rows[:, 2] += rows[:, 0]
    rows[:3] = rows[3:6]  # some twice
    return rows.astype(np.float32)


# --- the measures, of one row -----------------------------------------------------------------


def compressed(row):
    return [math.copysign(math.log(1 + abs(x)), x) for x in row]


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


class Spread:
    """Distances in units of a covariance, to which a hundredth of the mean variance is added."""

    def __init__(self, points):
        points = np.array(points, dtype=np.float64)
        self.mean = sum(points) / len(points)
        covariance = sum(np.outer(p - self.mean, p - self.mean) for p in points) / len(points)
        size = len(self.mean)
        self.inverse = np.linalg.inv(covariance + 0.01 * np.trace(covariance) / size * np.eye(size))

    def between(self, a, b):
        away = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
        return math.sqrt(away @ self.inverse @ away)


def nearest(row, others, count, away=distance):
    """Numbers of the nearest of `others`, a dict by number, and their distances."""
    found = sorted((away(row, other), number) for number, other in others.items())[:count]
    return [number for _, number in found], [d for d, _ in found]


def slow_measures(matrix, held_out, rows, *, contaminated, copies_of=None):
    network = Linear()
    seen = [row for number, row in enumerate(matrix) if number not in held_out]

    def residual(row):
        return np.subtract(compressed(row), compressed(network.reconstruct(row)))

    codes = Spread([network.encode(row) for row in seen])
    residuals = Spread([residual(row) for row in seen])
    kept = dict(enumerate(sorted({tuple(row.tolist()) for row in matrix})))
    squashed = {number: compressed(row) for number, row in kept.items()}
    encoded = {n: network.encode(np.array(row, np.float32)) for n, row in kept.items()}

    def without(points, left_out):
        return {number: point for number, point in points.items() if number != left_out}

    def own_number(row):
        return next((n for n, other in kept.items() if other == tuple(row.tolist())), None)

    around = {n: nearest(row, without(kept, n), 20) for n, row in kept.items()}

    def density(found):
        """Breunig et al., 2000, definition 6: of reachability distances, definition 5."""
        reach = [max(d, around[n][1][-1]) for n, d in zip(*found, strict=True)]
        return len(reach) / sum(reach)

    measures = []
    for place, row in enumerate(rows):
        itself = own_number(row if copies_of is None else copies_of[place])
        count = 20 if contaminated else 3
        found = nearest(row, without(kept, itself), 20)
        values = [
            np.mean(found[1][:count]),
            np.mean(nearest(compressed(row), without(squashed, itself), count)[1]),
            np.mean(
                nearest(network.encode(row), without(encoded, itself), count, codes.between)[1]
            ),
            codes.between(network.encode(row), codes.mean),
            residuals.between(residual(row), residuals.mean),
        ]
        if not contaminated:
            own = density(found)
            values.append(np.mean([density(around[n]) / own for n in found[0]]))  # definition 7
        measures.append([math.log(max(value, EPSILON)) for value in values])
    return np.array(measures)


def slow_scores(matrix, held_out, rows, *, contaminated, copies_of=None):
    calibration = slow_measures(matrix, held_out, matrix[held_out], contaminated=contaminated)
    logs = slow_measures(matrix, held_out, rows, contaminated=contaminated, copies_of=copies_of)
    scores = []
    for row in logs:
        terms = []
        for measure, value in enumerate(row):
            usual = np.median(calibration[:, measure])
            spread = max(np.quantile(calibration[:, measure], 0.9) - usual, 0.05)
            terms.append(math.exp((value - usual) / spread / 3))
        mean = 3 * math.log(sum(terms) / len(terms))
        scores.append(math.log(1 + math.exp(mean)) if mean < 500 else mean)
    return np.array(scores)


def fitted(matrix, held_out, *, contaminated):
    return RowScore.fit(Linear(), matrix, held_out=held_out, contaminated=contaminated, seed=0)


@pytest.mark.parametrize("contaminated", [False, True], ids=["normal", "contaminated"])
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_a_plain_loop(contaminated, seed):
    matrix, held_out = rows_of(seed), np.arange(0, 60, 4)
    score, calibration = fitted(matrix, held_out, contaminated=contaminated)
    rows = np.concatenate([matrix[:8], rows_of(seed + 9, 12), 40 * rows_of(seed + 7, 4)])
    expected = slow_scores(matrix, held_out, rows, contaminated=contaminated)
    np.testing.assert_allclose(score.score(rows), expected, rtol=2e-4)
    own = slow_scores(matrix, held_out, matrix[held_out], contaminated=contaminated)
    np.testing.assert_allclose(calibration, own, rtol=2e-4)


def test_changed_copies_are_not_compared_with_what_they_were():
    matrix, held_out = rows_of(0), np.arange(0, 60, 4)
    score, _ = fitted(matrix, held_out, contaminated=False)
    changed = matrix[10:20].copy()
    changed[:, 1] += np.float32(0.05)
    expected = slow_scores(matrix, held_out, changed, contaminated=False, copies_of=matrix[10:20])
    found = score.score(changed, copies_of=matrix[10:20])
    np.testing.assert_allclose(found, expected, rtol=2e-4)
    assert (found > score.score(changed)).mean() > 0.5


def test_rows_that_are_all_alike_have_no_neighbours():
    with pytest.raises(InvalidData) as caught:
        fitted(np.ones((20, 3), np.float32), np.arange(5), contaminated=False)
    assert caught.value.received == "n_samples=20, all identical"
