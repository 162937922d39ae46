import os
import signal
import threading
import time
from dataclasses import replace

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from isthmus.core.errors import TrainingDiverged, TrainingWarning
from isthmus.networks.bottlenecks import DeterministicBottleneck
from isthmus.networks.convolutional import Convolutional
from isthmus.networks.dense import Dense
from isthmus.networks.network import Network, join, join_given
from isthmus.objectives.contraction import contraction
from isthmus.objectives.objective import Metric, Objective, Term
from isthmus.objectives.reconstruction import mse
from isthmus.training.config import TrainingConfig
from isthmus.training.events import EpochEnd
from isthmus.training.loop import TrainingData, train

RNG = np.random.default_rng(0)
ROWS = (RNG.normal(size=(96, 2)) @ RNG.normal(size=(2, 5))).astype(np.float32)


def data(rows=ROWS, validation=0, columns=()):
    """Training data whose first `validation` rows are also the validation rows."""
    return TrainingData(
        rows, np.arange(len(rows)), np.arange(validation) if validation else None, columns
    )


def network(seed=0, width=5):
    return join(Dense((8,)), (width,), DeterministicBottleneck(2), values="real", seed=seed)


def recipe(**settings):
    return TrainingConfig(
        **{"epochs": 4, "batch_size": 20, "learning_rate": 0.01, "patience": None, **settings}
    )


def weights(net):
    return [np.asarray(v.value) for v in net.full.variables]


class Spy:
    def __init__(self, at=None, act=None):
        self.events, self.snapshots, self.stopped, self.at, self.act = [], {}, False, at, act

    def on_start(self, epochs, done):
        self.started = (epochs, done)

    def on_steps(self, epoch, share):
        if self.at == "steps":
            self.act()

    def on_epoch(self, event: EpochEnd):
        self.events.append(event)
        self.snapshots[event.epoch] = event.snapshot()
        if self.at == event.epoch:
            self.act()

    def on_stop(self):
        self.stopped = True


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)  # Python handles signals between bytecodes


def test_learns_and_repeats_its_bits():
    runs = []
    for _ in range(2):
        net = network()
        history = train(net, Objective(mse), data(ROWS, 9), recipe(), seed=3)
        runs.append((weights(net), history.epochs["loss"], history.epochs["val_loss"]))
    assert runs[0][1:] == runs[1][1:]
    assert all((a == b).all() for a, b in zip(runs[0][0], runs[1][0], strict=True))
    assert runs[0][1][-1] < runs[0][1][0]


def test_other_seed_other_order():
    losses = [
        train(network(), Objective(mse), data(ROWS), recipe(), seed=s).epochs["loss"]
        for s in (0, 1)
    ]
    assert losses[0] != losses[1]


def test_history_has_a_value_per_epoch():
    spy = Spy()
    history = train(network(), Objective(mse), data(ROWS, 9), recipe(), seed=0, observers=[spy])
    assert set(history.epochs) == {"epoch", "loss", "val_loss", "learning_rate", "seconds"}
    assert history.epochs["epoch"] == [1, 2, 3, 4]
    assert spy.started == (4, 0)
    assert spy.stopped
    assert [e.epoch for e in spy.events] == [1, 2, 3, 4]
    assert history.stop_reason == "finished"


def test_padding_rows_do_not_count():
    """96 rows in batches of 96 and of 40 (padded): the loss counts every row once."""
    plain = Term("plain", lambda b, o: jnp.zeros(len(b.weight)), lambda p: 0.0)
    frozen = recipe(epochs=1, optimizer="sgd", learning_rate=1e-12, schedule="constant")
    losses = []
    for size in (96, 40):
        settings = {**vars(frozen), "batch_size": size}
        net = join(
            Dense((8,), normalization="none"),
            (5,),
            DeterministicBottleneck(2),
            values="real",
            seed=0,
        )
        run = train(net, Objective(mse, (plain,)), data(ROWS), TrainingConfig(**settings), seed=0)
        losses += run.epochs["loss"]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_keeps_the_weights_of_the_best_epoch():
    spy = Spy()
    net = network()
    settings = recipe(epochs=12, learning_rate=0.5, schedule="constant", clip_norm=None)
    history = train(net, Objective(mse), data(ROWS, 30), settings, seed=0, observers=[spy])
    best = history.best_epoch
    assert best == 1 + int(np.argmin(history.epochs["val_loss"]))
    assert best < 12
    kept = net.full.trainable_variables
    for index, variable in enumerate(kept):
        expected = spy.snapshots[best].arrays[f"trainable/{index}"]
        np.testing.assert_array_equal(variable.value, expected)


@pytest.mark.parametrize("gain", [1e-6, 1.0])
def test_initial_weights_are_kept_unless_training_gains_enough(gain):
    net = network()
    before = weights(net)
    rows = replace(data(ROWS, 9), start_gain=gain)
    history = train(net, Objective(mse), rows, recipe(), seed=3)
    kept = all(np.array_equal(one, other) for one, other in zip(before, weights(net), strict=True))
    assert kept == (gain < 1)
    assert history.best_epoch == (0 if kept else 4)
    assert history.epochs["epoch"] == [1, 2, 3, 4]


def test_early_stopping():
    settings = recipe(epochs=200, patience=3, learning_rate=0.3, schedule="constant")
    history = train(network(), Objective(mse), data(ROWS, 30), settings, seed=0)
    assert history.stop_reason == "early stopping"
    assert len(history.epochs["epoch"]) == history.best_epoch + 3


@pytest.mark.parametrize("at", [1, 2, 3])
def test_resumed_runs_end_with_the_bits_of_an_unbroken_one(at):
    given = data(ROWS, 9)
    whole, spy = network(), Spy()
    unbroken = train(whole, Objective(mse), given, recipe(), seed=5, observers=[spy])
    again = network(seed=9)  # its own weights must not matter
    history = train(again, Objective(mse), given, recipe(), seed=5, start=spy.snapshots[at])
    assert all((a == b).all() for a, b in zip(weights(whole), weights(again), strict=True))
    for name in ("loss", "val_loss", "learning_rate", "epoch"):
        assert history.epochs[name] == unbroken.epochs[name]


def test_ctrl_c_after_an_epoch_keeps_the_best_weights():
    spy = Spy(at=2, act=interrupt)
    net = network()
    before = signal.getsignal(signal.SIGINT)
    with pytest.warns(TrainingWarning, match="interrupted in epoch 3; the weights of epoch"):
        history = train(net, Objective(mse), data(ROWS, 9), recipe(), seed=0, observers=[spy])
    assert history.stop_reason == "interrupted"
    assert len(history.epochs["epoch"]) == 2
    assert signal.getsignal(signal.SIGINT) is before
    assert all(np.isfinite(w).all() for w in weights(net))


def test_ctrl_c_within_the_first_epoch_keeps_the_present_weights():
    net, spy = network(), Spy(at="steps", act=interrupt)
    start = weights(net)
    with pytest.warns(TrainingWarning, match="the last weights were kept"):
        history = train(net, Objective(mse), data(ROWS), recipe(), seed=0, observers=[spy])
    assert history.best_epoch == 0
    assert any((a != b).any() for a, b in zip(start, weights(net), strict=True))


def test_a_second_ctrl_c_ends_at_once_and_loses_nothing():
    def twice():
        interrupt()
        interrupt()

    net, spy = network(), Spy(at=2, act=twice)
    with pytest.warns(TrainingWarning, match="interrupted"):
        train(net, Objective(mse), data(ROWS), recipe(), seed=0, observers=[spy])
    assert spy.stopped
    assert all(np.isfinite(w).all() for w in weights(net))


def test_trains_in_a_thread():
    results = []
    thread = threading.Thread(
        target=lambda: results.append(
            train(network(), Objective(mse), data(ROWS), recipe(), seed=0)
        )
    )
    thread.start()
    thread.join()
    assert results[0].stop_reason == "finished"


def blow_up_after(progress):
    def value(batch, outputs):
        return jnp.zeros(len(batch.weight))

    return Term("bomb", value, lambda p: jnp.where(p >= progress, jnp.nan, 0.0))


def test_a_loss_that_is_not_finite_keeps_the_last_good_weights():
    objective = Objective(mse, (blow_up_after(0.6),))
    rows = ROWS.copy()
    rows[:, 3] *= 1000
    net = network()
    given = data(rows, columns=("a", "b", "c", "d", "e"))
    with pytest.warns(TrainingWarning, match=r"loss of epoch 3, batch 3 \(column 'd' reaches"):
        history = train(net, objective, given, recipe(), seed=0)
    assert history.stop_reason == "diverged"
    assert history.best_epoch == 2
    assert all(np.isfinite(w).all() for w in weights(net))


def test_a_validation_loss_that_is_not_finite_stops_too():
    rows = ROWS.copy()
    rows[0] = 3e38  # its square is infinite; it is only used for validation
    given = TrainingData(rows, np.arange(1, 96), np.arange(3))
    with pytest.raises(TrainingDiverged, match="the result of epoch 1"):
        train(network(), Objective(mse), given, recipe(), seed=0)


def test_ctrl_c_in_the_last_epoch_changes_nothing():
    spy = Spy(at=4, act=interrupt)
    history = train(network(), Objective(mse), data(ROWS, 9), recipe(), seed=0, observers=[spy])
    assert history.stop_reason == "finished"


def test_diverging_at_once_is_an_error():
    objective = Objective(mse, (blow_up_after(0.0),))
    with pytest.raises(TrainingDiverged, match=r"epoch 1, batch 1 .*Try: lower learning_rate"):
        train(network(), objective, data(ROWS), recipe(), seed=0)


def test_missing_cells_are_neither_learned_nor_counted():
    rows = ROWS.copy()
    rows[::2, 1] = np.nan
    net = network()
    history = train(net, Objective(mse), data(rows, 20), recipe(epochs=60), seed=0)
    # If they were learned as zeros, the column's reconstruction would shrink by half.
    rebuilt = np.asarray(net.full(np.nan_to_num(rows))["reconstruction"])[1::2, 1]
    assert np.polyfit(ROWS[1::2, 1], rebuilt, 1)[0] > 0.8
    assert np.isfinite(history.epochs["loss"]).all()


def test_contraction_shrinks_the_jacobian():
    norms = []
    plain = Dense((8,), normalization="none")
    for penalties in ((), (contraction(10.0),)):
        net = join(plain, (5,), DeterministicBottleneck(2), values="real", seed=0)
        train(net, Objective(mse, penalties), data(ROWS), recipe(epochs=30), seed=0)
        x = jnp.asarray(ROWS[:20])
        moved = net.encoder(x + 0.01) - net.encoder(x)
        norms.append(float(jnp.square(jnp.asarray(moved)).sum()))
    assert norms[1] < 0.5 * norms[0]


def test_contraction_of_a_convolutional_network_learns():
    images = np.random.default_rng(0).normal(size=(32, 4, 4, 1)).astype("float32")
    net = join(Convolutional((4,)), (4, 4, 1), DeterministicBottleneck(2), values="real", seed=0)
    run = train(net, Objective(mse, (contraction(0.1),)), data(images), recipe(), seed=0)
    assert np.isfinite(run.epochs["loss"]).all()


def test_regularisers_of_the_users_layers_count():
    def pair(strength):
        encoder = keras.Sequential(
            [
                keras.Input((5,)),
                keras.layers.Dense(
                    2,
                    kernel_regularizer=keras.regularizers.L2(strength),
                    kernel_initializer=keras.initializers.Ones(),
                ),
            ]
        )
        decoder = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(5, kernel_initializer="ones")]
        )
        return join_given(encoder, decoder, DeterministicBottleneck(2))

    frozen = recipe(epochs=1, optimizer="sgd", learning_rate=1e-12, schedule="constant")
    losses = [
        train(pair(s), Objective(mse), data(ROWS), frozen, seed=0).epochs["loss"][0]
        for s in (0.0, 1.0)
    ]
    assert losses[1] - losses[0] == pytest.approx(10.0, rel=1e-4)


def test_watching_a_run_does_not_change_its_bits():
    many = np.repeat(ROWS, 40, axis=0)
    nets = [network(), network()]
    spies = [[], [Spy()]]
    for net, observers in zip(nets, spies, strict=True):
        train(
            net,
            Objective(mse),
            data(many),
            recipe(batch_size=16, epochs=2),
            seed=0,
            observers=observers,
        )
    assert all((a == b).all() for a, b in zip(weights(nets[0]), weights(nets[1]), strict=True))


LABELS = np.where(np.arange(96) % 3 == 0, np.nan, np.arange(96)).astype(np.float32)


def test_metrics_are_means_over_the_rows_that_have_labels():
    """Labels stay with their rows, whatever the order, padding and pieces of the batches."""
    metric = Metric("label", lambda batch, _: batch.y)
    pairing = Metric("wrong", lambda batch, _: jnp.abs(batch.target[:, 0] - batch.y))
    rows = ROWS.copy()
    rows[:, 0] = np.arange(96)
    labelled = TrainingData(rows, np.arange(90), np.arange(90, 96), labels=LABELS)
    frozen = recipe(epochs=2, optimizer="sgd", learning_rate=1e-12, schedule="constant")
    run = train(network(), Objective(mse, (), (metric, pairing)), labelled, frozen, seed=0)
    assert run.epochs["label"] == pytest.approx([np.nanmean(LABELS[:90])] * 2)
    assert run.epochs["val_label"] == pytest.approx([np.nanmean(LABELS[90:])] * 2)
    assert run.epochs["wrong"] == run.epochs["val_wrong"] == [0, 0]


def test_metrics_of_a_batch_taken_in_pieces(monkeypatch):
    monkeypatch.setattr(Network, "rows_at_once", lambda _self, size, _codes: min(8, size))
    labelled = TrainingData(ROWS, np.arange(96), labels=LABELS)
    metric = Metric("label", lambda batch, _: batch.y)
    settings = recipe(epochs=1, batch_size=32)
    run = train(network(), Objective(mse, (), (metric,)), labelled, settings, seed=0)
    assert run.epochs["label"] == pytest.approx([np.nanmean(LABELS)])


def test_no_row_with_a_label_no_metric():
    labels = LABELS.copy()
    labels[90:] = np.nan
    labelled = TrainingData(ROWS, np.arange(90), np.arange(90, 96), labels=labels)
    metric = Metric("label", lambda batch, _: batch.y)
    run = train(network(), Objective(mse, (), (metric,)), labelled, recipe(), seed=0)
    assert "val_label" not in run.epochs
    assert len(run.epochs["label"]) == 4
