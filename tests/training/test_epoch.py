"""The compiled epoch, against a Python loop over batches."""

import numpy as np
import pytest
from plain_run import OBJECTIVE, SEED, SlowRun, assert_close, network, recipe, weights_of

from isthmus.core.types import Corrupted, Outputs
from isthmus.networks.bottlenecks import GaussianBottleneck
from isthmus.networks.dense import Dense
from isthmus.networks.network import Network, join
from isthmus.objectives.contraction import contraction
from isthmus.objectives.importance import ImportanceWeighting
from isthmus.objectives.kl import log_density_ratio, sampled_divergence
from isthmus.objectives.objective import Objective
from isthmus.objectives.reconstruction import mse
from isthmus.training.loop import TrainingData, train

RNG = np.random.default_rng(0)
ROWS = (RNG.normal(size=(50, 2)) @ RNG.normal(size=(2, 5))).astype(np.float32)
ROWS += 0.3 * RNG.normal(size=ROWS.shape).astype(np.float32)
HOLES = np.where(RNG.random(ROWS.shape) < 0.2, np.float32(np.nan), ROWS)


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("linear", {}),
        ("linear", {"optimizer": "sgd", "schedule": "constant"}),
        ("dense", {"clip_norm": 0.1, "warmup": 0.3}),
        ("dense", {"clip_norm": None, "schedule": "constant"}),
        ("batch normalization", {"optimizer": "sgd"}),
    ],
)
@pytest.mark.parametrize("matrix", [ROWS, HOLES], ids=["whole", "missing"])
def test_a_run_is_that_of_a_plain_loop(architecture, settings, matrix):
    net, config = network(architecture), recipe(**settings)
    training = np.arange(3, 44)  # two batches and a part of one
    slow = SlowRun(net, config, matrix, training)
    losses = [slow.epoch(number + 1) for number in range(config.epochs)]
    history = train(net, OBJECTIVE, TrainingData(matrix, training), config, seed=SEED)
    np.testing.assert_allclose(history.epochs["loss"], losses, rtol=1e-5)
    assert_close(weights_of(net), slow.all_weights())


def test_a_batch_taken_in_pieces_makes_the_same_steps(monkeypatch):
    net, config = network("dense"), recipe()
    slow = SlowRun(net, config, HOLES, np.arange(41))
    losses = [slow.epoch(number + 1) for number in range(config.epochs)]
    monkeypatch.setattr(Network, "rows_at_once", lambda _self, size, _codes: min(4, size))
    history = train(net, OBJECTIVE, TrainingData(HOLES, np.arange(41)), config, seed=SEED)
    np.testing.assert_allclose(history.epochs["loss"], losses, rtol=1e-5)
    assert_close(weights_of(net), slow.all_weights())


def slow_sensitivity(encoder, rows, step=1e-2):
    """The mean squared norm of the Jacobian of a code, by differences in one input at a time."""
    total = 0.0
    for cell in range(rows.shape[1]):
        moved = np.zeros(rows.shape[1], np.float32)
        moved[cell] = step
        codes = [np.asarray(encoder(given), np.float64) for given in (rows + moved, rows - moved)]
        total += float((((codes[0] - codes[1]) / (2 * step)) ** 2).sum())
    return total / len(rows)


def test_the_contraction_is_the_squared_jacobian_on_average():
    """Each epoch draws directions anew while the weights stay: the mean is the norm itself."""
    net = network("dense")
    rows = TrainingData(ROWS, np.arange(48))
    frozen = recipe(epochs=200, optimizer="sgd", learning_rate=1e-30, schedule="constant")
    plain, both = (
        np.array(train(net, Objective(mse, penalties), rows, frozen, seed=SEED).epochs["loss"])
        for penalties in ((), (contraction(0.5),))
    )
    drawn = (both - plain) / 0.5
    expected = slow_sensitivity(net.encoder, ROWS[:48])
    error = drawn.std() / np.sqrt(len(drawn))
    assert error < 0.02 * expected
    assert drawn.mean() == pytest.approx(expected, abs=4 * error)


def test_the_loss_is_restricted_to_the_cells_that_a_corruption_counts():
    counted = (np.arange(5) % 2).astype(np.float32)

    def hide(key, inputs):
        return Corrupted(0 * inputs, 0 * inputs + counted)

    net = network("dense")
    frozen = recipe(epochs=1, optimizer="sgd", learning_rate=1e-30, schedule="constant")
    outputs = np.asarray(net.full(0 * ROWS[:48])["reconstruction"])
    rows = TrainingData(HOLES, np.arange(48))
    loss = train(net, OBJECTIVE, rows, frozen, seed=SEED, corruption=hide).epochs["loss"]
    where = ~np.isnan(HOLES[:48]) & (counted == 1)
    squares = np.where(where, np.square(outputs - HOLES[:48]), 0).sum(axis=1)
    assert loss[0] == pytest.approx((squares / np.maximum(where.sum(axis=1), 1)).mean(), rel=1e-5)


@pytest.mark.parametrize("rows_at_once", [20, 4], ids=["whole", "in pieces"])
def test_the_bound_of_several_codes_is_that_of_a_slow_estimate(monkeypatch, rows_at_once):
    """Each epoch draws codes anew while the weights stay, so the mean over epochs is exact."""
    monkeypatch.setattr(
        Network, "rows_at_once", lambda _self, size, _codes: min(rows_at_once, size)
    )
    net = join(Dense((6,)), (5,), GaussianBottleneck(2), values="real", seed=1)
    frozen = recipe(
        epochs=50, batch_size=20, optimizer="sgd", learning_rate=1e-30, schedule="constant"
    )
    goal = Objective(
        mse, (sampled_divergence(1.0, cells=5),), weighting=ImportanceWeighting(3, cells=5)
    )
    rows = TrainingData(ROWS, np.arange(41))  # with rows of padding
    losses = np.array(train(net, goal, rows, frozen, seed=SEED).epochs["loss"])
    repeated = np.tile(ROWS[:41], (600, 1))
    noise = RNG.normal(size=(600 * 41, 2)).astype(np.float32)
    made = Outputs(**net.full([repeated, noise]))
    log_weights = log_density_ratio(made, noise)
    log_weights -= 5 * np.square(made.reconstruction - repeated).mean(axis=1)
    bounds = np.logaddexp.reduce(log_weights.reshape(200, 3, 41), axis=1) - np.log(3)
    error = losses.std() / np.sqrt(len(losses)) + bounds.mean(axis=1).std() / 5 / np.sqrt(200)
    assert losses.mean() == pytest.approx(-bounds.mean() / 5, abs=4 * error)
