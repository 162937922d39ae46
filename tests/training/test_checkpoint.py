import shutil

import numpy as np
import pytest

from isthmus.core.errors import CannotWrite, TrainingWarning
from isthmus.training import checkpoint
from isthmus.training.checkpoint import Checkpoint
from isthmus.training.events import EpochEnd, Snapshot


def end_of(epoch, last=False):
    history = {"epoch": list(range(1, epoch + 1)), "seconds": [0.1] * epoch, "loss": [0.5] * epoch}
    return EpochEnd(
        epoch,
        10,
        0.5,
        None,
        last,
        lambda: Snapshot(epoch, {"trainable/0": np.ones(3)}, 1, 0.5, history),
    )


def epoch_in(path):
    snapshot, _ = checkpoint.read(path)
    return snapshot.epoch


def test_writes_every_so_many_epochs_and_the_last(tmp_path):
    path = tmp_path / "c"
    observer = Checkpoint(path, 3, {"seed": 0})
    seen = []
    for epoch in range(1, 9):
        observer.on_epoch(end_of(epoch, last=epoch == 8))
        seen.append(epoch_in(path) if path.exists() else 0)
    assert seen == [0, 0, 3, 3, 3, 6, 6, 8]


def test_a_folder_that_goes_away_costs_the_checkpoint_and_not_the_training(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    observer = Checkpoint(folder / "c", 1, {"seed": 0})
    observer.on_epoch(end_of(1))
    shutil.rmtree(folder)
    with pytest.warns(TrainingWarning, match="No checkpoint.*existing folder"):
        observer.on_epoch(end_of(2))


def test_a_path_that_never_worked_is_an_error_at_once(tmp_path):
    with pytest.raises(CannotWrite):
        Checkpoint(tmp_path / "absent" / "c", 1, {"seed": 0}).on_epoch(end_of(1))


def test_read_gives_back_what_was_written(tmp_path):
    snapshot = end_of(4).snapshot()
    checkpoint.write(tmp_path / "c", snapshot, {"seed": 7})
    again, run = checkpoint.read(tmp_path / "c")
    assert run == {"seed": 7}
    assert again.history == snapshot.history
    assert (again.epoch, again.best_epoch, again.best_loss) == (4, 1, 0.5)
    np.testing.assert_array_equal(again.arrays["trainable/0"], snapshot.arrays["trainable/0"])
    assert checkpoint.read(tmp_path / "other") is None
