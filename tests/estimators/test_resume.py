import signal
import subprocess
import sys
import time

import keras
import pytest
from sklearn.datasets import load_iris

import isthmus as ist
from isthmus.core.errors import CannotWrite, InvalidArchive, InvalidParameter
from isthmus.persistence import artifact

IRIS = load_iris().data
SCRIPT = """
import sys
from sklearn.datasets import load_iris
import isthmus as ist
model = ist.Autoencoder(2, hidden=(8,), epochs=400, patience=None, random_state=7, verbose=0,
                        checkpoint=sys.argv[1])
model.fit(load_iris().data)
"""


def make(path, **settings):
    plain = {"hidden": (8,), "epochs": 6, "random_state": 7, "verbose": 0, "patience": None}
    return ist.Autoencoder(2, checkpoint=path, **{**plain, **settings})


def same(a, b):
    return all(
        (u == v).all()
        for u, v in zip(a.network_.full.get_weights(), b.network_.full.get_weights(), strict=True)
    )


def test_a_killed_process_is_gone_on_from(tmp_path):
    path = tmp_path / "run.checkpoint"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)])
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = artifact.read(path).manifest["epoch"]
    assert 0 < done < 400
    # The same number of epochs as the killed process: the schedule depends on it.
    resumed = make(path, epochs=400).fit(IRIS)
    assert same(resumed, make(None, epochs=400).fit(IRIS))
    assert resumed.n_iter_ == 400


def test_a_finished_run_is_not_run_again(tmp_path):
    path = tmp_path / "c"
    first = make(path).fit(IRIS)
    again = make(path).fit(IRIS)
    assert same(first, again)
    assert again.history_ == first.history_


def test_the_checkpoint_holds_the_seed_of_an_unseeded_run(tmp_path):
    first = make(tmp_path / "c", random_state=None).fit(IRIS)
    assert same(first, make(tmp_path / "c", random_state=None).fit(IRIS))


@pytest.mark.parametrize("change", [{"epochs": 7}, {"hidden": (9,)}, {"random_state": 8}])
def test_another_runs_checkpoint_is_refused(tmp_path, change):
    make(tmp_path / "c").fit(IRIS)
    with pytest.raises(InvalidParameter, match=f"received another {next(iter(change))}"):
        make(tmp_path / "c", **change).fit(IRIS)
    with pytest.raises(InvalidParameter, match=r"received another .*data"):
        make(tmp_path / "c").fit(IRIS[:100])


def pair(activation, weights=0.5):
    constant = {"kernel_initializer": keras.initializers.Constant(weights)}
    encoder = keras.layers.Dense(2, activation=activation, **constant)
    return {
        "encoder": keras.Sequential([keras.Input((4,)), encoder]),
        "decoder": keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, **constant)]),
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pair("relu"), pair("tanh")),
        (pair("relu"), pair("relu", 0.6)),
        ({"loss": keras.losses.Huber(1.0)}, {"loss": keras.losses.Huber(5.0)}),
        ({"loss": lambda t, p: (t - p) ** 2}, {"loss": lambda t, p: (t - p) ** 4}),
    ],
)
def test_what_differs_only_within_is_another_run(tmp_path, first, second):
    make(tmp_path / "c", epochs=2, **first).fit(IRIS)
    with pytest.raises(InvalidParameter, match=r"received another (decoder, )?(encoder|loss)"):
        make(tmp_path / "c", epochs=2, **second).fit(IRIS)


def test_a_run_of_the_users_own_networks_goes_on(tmp_path):
    first = make(tmp_path / "c", **pair("relu")).fit(IRIS)
    assert same(first, make(tmp_path / "c", **pair("relu")).fit(IRIS))


def test_a_damaged_checkpoint_is_refused(tmp_path):
    make(tmp_path / "c").fit(IRIS)
    blob = bytearray((tmp_path / "c").read_bytes())
    blob[-5] ^= 1
    (tmp_path / "c").write_bytes(blob)
    with pytest.raises(InvalidArchive, match="checksum"):
        make(tmp_path / "c").fit(IRIS)


def test_a_model_is_no_checkpoint(tmp_path):
    make(None).fit(IRIS).save(tmp_path / "m.isthmus")
    with pytest.raises(InvalidArchive, match="checkpoint"):
        make(tmp_path / "m.isthmus").fit(IRIS)


def test_nowhere_to_write(tmp_path):
    with pytest.raises(CannotWrite, match="existing folder"):
        make(tmp_path / "absent" / "c").fit(IRIS)


@pytest.mark.parametrize("settings", [{"epochs": 5}, {"epochs": 300, "patience": 2}])
def test_the_last_epoch_is_always_written(tmp_path, settings):
    path = tmp_path / "c"
    model = make(path, checkpoint_every=3, learning_rate=0.3, **settings).fit(IRIS)
    assert artifact.read(path).manifest["epoch"] == model.n_iter_


def test_a_checkpoint_is_no_model(tmp_path):
    make(tmp_path / "c", epochs=1).fit(IRIS)
    with pytest.raises(InvalidArchive, match=r"received a checkpoint.*Try: pass it as"):
        ist.load(tmp_path / "c")
