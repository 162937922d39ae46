"""Checkpoints: a run that was killed goes on where its last one was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.core import artifact
from isthmus.core.artifact import Artifact
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.training.events import EpochEnd, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

KIND = "checkpoint"


class Checkpoint:
    """An observer that writes the state of a run, atomically, every so many epochs.

    Parameters
    ----------
    path : Path
        The file; the one before it stays whole until the next is complete.
    every : int
        Epochs between two writes; the last epoch is always written.
    run : dict
        What the run is: its seed and a fingerprint of settings and data.
    """

    def __init__(self, path: Path, every: int, run: dict[str, Any]) -> None:
        self._path = path
        self._every = every
        self._run = run

    def on_start(self, epochs: int, done: int) -> None:
        """Nothing to do."""

    def on_steps(self, epoch: int, share: float) -> None:
        """Nothing to do."""

    def on_epoch(self, event: EpochEnd) -> None:
        """Write the state when it is time to."""
        if event.epoch % self._every == 0 or event.epoch == event.epochs:
            write(self._path, event.snapshot(), self._run)

    def on_stop(self) -> None:
        """Nothing to do."""


def write(path: Path, snapshot: Snapshot, run: dict[str, Any]) -> None:
    """Write a snapshot; raises CannotWrite and leaves what stood there."""
    manifest = {
        "run": run,
        "epoch": snapshot.epoch,
        "best_epoch": snapshot.best_epoch,
        "best_loss": snapshot.best_loss,
        "history": snapshot.history,
    }
    artifact.write(path, Artifact(KIND, manifest, snapshot.arrays))


def read(path: Path) -> tuple[Snapshot, dict[str, Any]] | None:
    """Return the snapshot and what run it is of; None where there is no file.

    Raises
    ------
    InvalidArchive
        The file is damaged or no checkpoint.
    """
    if not path.exists():
        return None
    stored = artifact.read(path, kind=KIND)
    content = stored.manifest
    try:
        snapshot = Snapshot(
            epoch=int(content["epoch"]),
            arrays=dict(stored.arrays),
            best_epoch=int(content["best_epoch"]),
            best_loss=float(content["best_loss"]),
            history={str(k): [float(v) for v in vs] for k, vs in content["history"].items()},
        )
        return snapshot, dict(content["run"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidArchive(
            f"checkpoint {str(path)!r}",
            expected="a checkpoint's fields",
            received=f"{type(error).__name__}: {error}",
            remedy="delete the file to train from the start",
        ) from error


def check_same_run(path: Path, stored: dict[str, Any], fingerprint: str) -> None:
    """Refuse to go on from the checkpoint of another run.

    Raises
    ------
    InvalidParameter
        Settings or data differ from those that the checkpoint was made with.
    """
    if stored.get("fingerprint") != fingerprint:
        raise InvalidParameter(
            f"checkpoint {str(path)!r}",
            expected="the same settings and data as the run that wrote it",
            received="others",
            remedy="delete the file to train from the start, or name another one",
        )
