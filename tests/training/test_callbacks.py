"""Keras callbacks run between epochs; what could not run is refused."""

import keras
import numpy as np
import pytest
from keras import callbacks

import isthmus as ist
from isthmus.core.errors import InvalidParameter

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
QUICK = {"latent_dim": 2, "hidden": (8,), "epochs": 4, "random_state": 0, "verbose": 0}


def fitted(given, **settings):
    return ist.Autoencoder(**QUICK | settings).fit(X, callbacks=given)


class Recorder(callbacks.Callback):
    """Records what is called, and with which figures and rates."""

    def on_train_begin(self, logs=None):
        self.calls = ["train begin"]
        self.rates, self.logs = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"begin {epoch}")
        self.rates.append(float(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(f"end {epoch}")
        self.logs.append(logs)

    def on_train_end(self, logs=None):
        self.calls.append("train end")


def test_epochs_are_reported_and_nothing_else_changes():
    recorder = Recorder()
    model = fitted(recorder)
    epochs = [call for i in range(4) for call in (f"begin {i}", f"end {i}")]
    assert recorder.calls == ["train begin", *epochs, "train end"]
    assert recorder.params["epochs"] == 4
    assert [logs["val_loss"] for logs in recorder.logs] == model.history_["val_loss"]
    assert 0 < recorder.rates[0] < max(recorder.rates)
    plain = fitted(None)
    np.testing.assert_allclose(model.transform(X), plain.transform(X), atol=1e-5)
    assert plain.history_["learning_rate"] == model.history_["learning_rate"]


@pytest.mark.parametrize(
    "optimizer", ["adam", "sgd", keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.01)]
)
def test_a_scheduler_changes_the_rate_that_steps_take(optimizer):
    settings = {"optimizer": optimizer, "schedule": "constant", "patience": None}
    settings["validation_fraction"] = 0
    rates = [0.01, 0.0, 0.0, 0.02]
    weights = []

    class Weights(Recorder):
        def on_epoch_end(self, epoch, logs=None):
            weights.append(logs["loss"])

    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rates[epoch])
    model = fitted([scheduler, Weights()], **settings)
    np.testing.assert_allclose(model.history_["learning_rate"], rates, rtol=1e-6)
    # Without a rate the weights stay, so that the loss of the rows does, too.
    assert weights[1] == pytest.approx(weights[2], rel=1e-6)
    assert weights[0] != pytest.approx(weights[1], rel=1e-3)
    # The same rates from an optimizer give the same weights.
    whole = fitted(
        callbacks.LearningRateScheduler(lambda epoch, rate: 0.01), **settings | {"epochs": 2}
    )
    again = fitted(None, **settings | {"epochs": 2, "optimizer": optimizer, "learning_rate": 0.01})
    np.testing.assert_allclose(whole.transform(X), again.transform(X), atol=1e-5)


def test_a_rate_that_is_set_once_stays():
    class Halve(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate.assign(0.125)

    rates = fitted(Halve()).history_["learning_rate"]
    assert rates[2:] == [0.125, 0.125]
    assert rates[:2] == fitted(None).history_["learning_rate"][:2]


def test_plateaus_reduce_the_rate():
    reduce = callbacks.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.5, min_delta=100)
    rates = fitted(reduce, schedule="constant", patience=None).history_["learning_rate"]
    np.testing.assert_allclose(rates, [0.005, 0.005, 0.0025, 0.00125])


def test_callbacks_stop_the_run():
    stop = callbacks.EarlyStopping(monitor="loss", patience=1, min_delta=100)
    model = fitted([stop])
    assert model.stop_reason_ == "callback"
    assert model.n_iter_ == 2
    codes = [f.code for f in ist.referee(model, X).findings]
    assert "stopped_by_callback" in codes


def test_a_log_is_written(tmp_path):
    model = fitted([callbacks.CSVLogger(tmp_path / "log.csv")])
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,val_loss"
    assert float(lines[-1].split(",")[1]) == pytest.approx(model.history_["loss"][-1])


def test_lambdas_and_every_estimator():
    seen = []
    log = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    settings = {**QUICK, "epochs": 1}
    ist.DenoisingAutoencoder(**settings).fit(X, callbacks=log)
    ist.SupervisedAutoencoder(**settings).fit(X, np.arange(60) % 2, callbacks=[log])
    ist.VariationalAutoencoder(**settings, free_bits=1.0).fit(X, callbacks=(log,))
    assert seen == [0, 0, 0]


class OnBatches(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise AssertionError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (OnBatches(), "one compiled program.*on_train_batch_end"),
        (callbacks.LambdaCallback(on_train_batch_begin=print), "on_train_batch_begin"),
        (callbacks.ModelCheckpoint("m.keras"), "checkpoint='run.checkpoint'"),
        (callbacks.TerminateOnNaN(), "leave it out"),
        (3, "expected a keras.callbacks.Callback or a list"),
        ([print], "expected a keras.callbacks.Callback or a list"),
        (callbacks.EarlyStopping(monitor="loss", restore_best_weights=True), "model.get_weights"),
        (callbacks.LearningRateScheduler(lambda epoch: -1.0), "learning rates that are finite"),
    ],
)
def test_what_cannot_work_is_refused(given, message):
    model = ist.Autoencoder(**QUICK)
    with pytest.raises(InvalidParameter, match=message):
        model.fit(X, callbacks=given)
    assert not hasattr(model, "network_")


def test_a_schedule_or_a_checkpoint_excludes_callbacks(tmp_path):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    with pytest.raises(InvalidParameter, match="a schedule of its own"):
        fitted(Recorder(), optimizer=keras.optimizers.Adam(schedule))
    with pytest.raises(InvalidParameter, match="callbacks with a checkpoint"):
        fitted(Recorder(), checkpoint=tmp_path / "c")
