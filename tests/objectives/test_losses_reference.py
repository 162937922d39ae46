"""Losses of cells and columns, likelihoods and penalties, against loops over cells in Python."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from isthmus.core.types import Batch, Outputs, Segment
from isthmus.objectives.catalogue import LOSSES, PENALTIES
from isthmus.objectives.kl import divergence, kl
from isthmus.objectives.likelihood import LIKELIHOODS
from isthmus.objectives.objective import Objective
from isthmus.objectives.supervision import cross_entropy, hits, squared_error

SEGMENTS = (
    Segment("a", "numeric", 0, 1),
    Segment("b", "categorical", 1, 4),
    Segment("c", "binary", 4, 5),
    Segment("d", "numeric", 5, 6),
    Segment("e", "categorical", 6, 8),
)
CELLS = SEGMENTS[-1].stop
MISSING = [False, True]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def softmax(logits):
    whole = sum(math.exp(x) for x in logits)
    return [math.exp(x) / whole for x in logits]


def table_rows(rng, logits):
    """Rows of a table's matrix, and the values that logits stand for."""
    target, made = rng.normal(size=logits.shape), logits.copy()
    for row in range(len(logits)):
        for s in SEGMENTS:
            cells = slice(s.start, s.stop)
            if s.kind == "binary":
                target[row, cells] = rng.integers(2)
                made[row, cells] = sigmoid(logits[row, s.start])
            elif s.kind == "categorical":
                target[row, cells] = np.eye(s.stop - s.start)[rng.integers(s.stop - s.start)]
                made[row, cells] = softmax(logits[row, cells])
    return target, made


class Case:
    """Rows of one of three kinds, and what a network could have made of them."""

    def __init__(self, seed, values, n, *, missing, shape=(CELLS,)):
        rng = np.random.default_rng(seed)
        logits = 2 * rng.normal(size=(n, CELLS))
        if values == "mixed":
            target, made = table_rows(rng, logits)
        elif values == "unit":
            target, made = rng.random((n, CELLS)), np.vectorize(sigmoid)(logits)
        else:
            target, made = rng.normal(size=(n, CELLS)), logits
        seen = np.ones((n, CELLS))
        if missing:
            for s in SEGMENTS:
                seen[rng.random(n) < 0.3, s.start : s.stop] = 0
            if n > 1:
                seen[0] = 0  # nothing is known of it
        inputs = (rng.random((n, CELLS)) < target) * seen  # as the corruption "binarize" draws
        weight = np.ones(n)
        weight[n // 2 + 1 :] = 0  # padding
        self.target, self.made, self.logits = target * seen, made, logits
        self.seen, self.inputs, self.weight = seen.astype(bool), inputs, weight

        def array(matrix):
            return jnp.asarray(np.reshape(matrix, (n, *shape)), jnp.float32)

        self.batch = Batch(
            array(inputs),
            array(self.target),
            jnp.asarray(weight, jnp.float32),
            array(seen) if missing else None,
        )
        code = jnp.asarray(rng.normal(size=(n, 3)), jnp.float32)
        self.outputs = Outputs(code, array(made), None if values == "real" else array(logits))

    def rows(self):
        """Target, reconstruction, and the cells that are there, of one row after the other."""
        for t, x, seen in zip(self.target, self.made, self.seen, strict=True):
            yield t.tolist(), x.tolist(), np.flatnonzero(seen).tolist()


CELL_OR_COLUMN_LOSSES = [name for name, loss in LOSSES.items() if not loss.images]


def entropy(t, p):
    return -t * math.log(p) - (1 - t) * math.log(1 - p)


def huber(away):
    return away**2 / 2 if abs(away) <= 1 else abs(away) - 0.5


CELL_LOSSES = {
    "mse": lambda t, x: (x - t) ** 2,
    "mae": lambda t, x: abs(x - t),
    "huber": lambda t, x: huber(x - t),
    "charbonnier": lambda t, x: math.sqrt((x - t) ** 2 + 1e-6) - 1e-3,
    "bce": entropy,
}


def column_losses(t, x, seen):
    """The loss of each column that is there, in units of what a guess costs."""
    for s in SEGMENTS:
        if s.start not in seen:
            continue
        if s.kind == "numeric":
            yield (x[s.start] - t[s.start]) ** 2
        elif s.kind == "binary":
            yield entropy(t[s.start], x[s.start]) / math.log(2)
        else:
            cells = range(s.start, s.stop)
            yield -sum(t[c] * math.log(x[c]) for c in cells) / math.log(len(cells))


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def slow_loss(name, case):
    if name == "mixture":
        return [mean(column_losses(*row)) for row in case.rows()]
    of = CELL_LOSSES[name]
    return [mean(of(t[c], x[c]) for c in seen) for t, x, seen in case.rows()]


def values_of(name):
    return {"bce": "unit", "bernoulli": "unit", "binarized": "unit", "mixture": "mixed"}.get(
        name, "real"
    )


@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("missing", MISSING, ids=["whole", "missing"])
@pytest.mark.parametrize("name", CELL_OR_COLUMN_LOSSES)
def test_losses(name, missing, n):
    for seed in range(3):
        case = Case(seed, values_of(name), n, missing=missing)
        expected = slow_loss(name, case)
        for outputs in (case.outputs, case.outputs._replace(logits=None)):
            found = LOSSES[name](SEGMENTS)(case.batch, outputs)
            np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("missing", MISSING, ids=["whole", "missing"])
@pytest.mark.parametrize("name", CELL_LOSSES)
def test_losses_of_pictures_are_those_of_their_pixels(name, missing):
    case = Case(3, values_of(name), 5, missing=missing, shape=(2, 2, 2))
    found = LOSSES[name](())(case.batch, case.outputs)
    np.testing.assert_allclose(found, slow_loss(name, case), rtol=2e-5, atol=1e-6)


# --- likelihoods ------------------------------------------------------------------------------


def gauss(t, x, variance):
    return (x - t) ** 2 / (2 * variance) + math.log(2 * math.pi * variance) / 2


def best_variance(case, cells):
    """The mean square of the errors of the rows that count: what makes them likeliest."""
    squares = [
        (x[c] - t[c]) ** 2
        for (t, x, seen), weight in zip(case.rows(), case.weight, strict=True)
        for c in seen
        if weight and c in cells
    ]
    return max(sum(squares) / max(len(squares), 1), 1e-6)


def slow_likelihood(name, case, variance):
    numeric = {s.start for s in SEGMENTS if s.kind == "numeric"}
    if variance is None and name in ("gaussian", "mixture"):
        variance = best_variance(case, numeric if name == "mixture" else range(CELLS))
    binary = {s.start for s in SEGMENTS if s.kind == "binary"}
    found = []
    for row, (t, x, seen) in enumerate(case.rows()):
        total = 0.0
        for c in seen:
            if name == "bernoulli":
                total += entropy(t[c], x[c])
            elif name == "binarized":
                total += entropy(case.inputs[row, c], x[c])
            elif name == "mse" and variance is None:
                total += (x[c] - t[c]) ** 2
            elif name in ("gaussian", "mse") or c in numeric:
                total += gauss(t[c], x[c], variance)
            elif c in binary:
                total += entropy(t[c], x[c])
            else:
                total -= t[c] * math.log(x[c])
        found.append(total / CELLS)
    return found


@pytest.mark.parametrize("variance", [None, 0.3])
@pytest.mark.parametrize("missing", MISSING, ids=["whole", "missing"])
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_likelihoods(name, missing, variance):
    for seed in range(3):
        for n in (1, 7):
            case = Case(seed, values_of(name), n, missing=missing)
            found = LIKELIHOODS[name].make(SEGMENTS, variance)(case.batch, case.outputs)
            expected = slow_likelihood(name, case, variance)
            np.testing.assert_allclose(found, expected, rtol=3e-5, atol=2e-6)


# --- penalties --------------------------------------------------------------------------------


def posterior(seed, n):
    rng = np.random.default_rng(seed)
    means, logs = rng.normal(size=(2, n, 3))
    given = [jnp.asarray(values, jnp.float32) for values in (means, logs)]
    cells = jnp.zeros((n, 4))
    return means, logs, Outputs(given[0], cells, mean=given[0], log_variance=given[1])


def slow_kl(mean, log_variance):
    """From the formula for two normal densities, the second of mean 0 and deviation 1."""
    deviation = math.exp(log_variance / 2)
    return math.log(1 / deviation) + (deviation**2 + mean**2) / 2 - 0.5


@pytest.mark.parametrize("free", [0.0, 0.4])
@pytest.mark.parametrize("n", [1, 6])
def test_divergences(n, free):
    for seed in range(4):
        means, logs, outputs = posterior(seed, n)
        weight = np.ones(n)
        weight[4:] = 0
        batch = Batch(outputs.reconstruction, outputs.reconstruction, jnp.asarray(weight))
        expected = [
            [slow_kl(m, v) for m, v in zip(*row, strict=True)]
            for row in zip(means.tolist(), logs.tolist(), strict=True)
        ]
        np.testing.assert_allclose(kl(outputs), expected, rtol=1e-5, atol=1e-6)
        counted = [row for row, w in zip(expected, weight, strict=True) if w]
        total = sum(max(free, mean(row[d] for row in counted)) for d in range(3))
        value = divergence(1.0, cells=4, free_bits=free).value(batch, outputs)
        found = float((value * weight).sum() / weight.sum())
        assert found == pytest.approx(total / 4, rel=1e-5)


def test_an_objective_is_the_sum_of_its_terms():
    case = Case(0, "real", 6, missing=True)
    outputs = case.outputs._replace(sensitivity=jnp.arange(6.0))
    weights = {"l1": 0.3, "contraction": 0.7}
    assert set(weights) == set(PENALTIES)
    penalties = tuple(PENALTIES[name](weight) for name, weight in weights.items())
    found = Objective(LOSSES["mse"](()), penalties)(case.batch, outputs, jnp.float32(0.5))
    codes = np.asarray(outputs.code, np.float64).tolist()
    expected = [
        loss + 0.3 * mean(map(abs, code)) + 0.7 * row
        for row, (loss, code) in enumerate(zip(slow_loss("mse", case), codes, strict=True))
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# --- labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_terms_of_labels(seed):
    rng = np.random.default_rng(seed)
    response = rng.normal(size=(8, 4))
    classes = rng.integers(4, size=8).astype(float)
    targets = rng.normal(size=(8, 4))
    classes[2], targets[2], targets[5, 1] = np.nan, np.nan, np.nan
    cells = jnp.zeros((8, 3))
    outputs = Outputs(cells, cells, response=jnp.asarray(response, jnp.float32))

    def batch(y):
        return Batch(cells, cells, jnp.ones(8), y=jnp.asarray(y, jnp.float32))

    entropies, right, squares = [], [], []
    for row in range(8):
        chances = softmax(response[row].tolist())
        known = [t for t in range(4) if not math.isnan(targets[row, t])]
        labelled = not math.isnan(classes[row])
        entropies.append(-math.log(chances[int(classes[row])]) if labelled else math.nan)
        best = chances.index(max(chances))
        right.append(float(best == classes[row]) if labelled else math.nan)
        squares.append(
            mean((response[row, t] - targets[row, t]) ** 2 for t in known) if known else math.nan
        )
    np.testing.assert_allclose(cross_entropy(batch(classes), outputs), entropies, rtol=1e-5)
    np.testing.assert_array_equal(hits(batch(classes), outputs), right)
    np.testing.assert_allclose(squared_error(batch(targets), outputs), squares, rtol=1e-5)
