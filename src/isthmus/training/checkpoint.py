"""Checkpoints, from which an interrupted run resumes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from isthmus.core.errors import CannotWrite, InvalidArchive, InvalidParameter, TrainingWarning
from isthmus.persistence import artifact
from isthmus.persistence.artifact import Artifact
from isthmus.training.events import EpochEnd, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

KIND = "checkpoint"


class Checkpoint:
    """An observer that writes the state of a run atomically every few epochs.

    Parameters
    ----------
    path : Path
        The file; it is replaced only when the next checkpoint is complete.
    every : int
        Epochs between two writes; the last epoch is always written.
    run : dict
        Identifies the run: its seed, and digests of its settings and data.
    """

    def __init__(self, path: Path, every: int, run: dict[str, Any]) -> None:
        self._path = path
        self._every = every
        self._run = run
        self._written = False

    def on_start(self, epochs: int, done: int) -> None:
        """Nothing to do."""

    def on_steps(self, epoch: int, share: float) -> None:
        """Nothing to do."""

    def on_epoch(self, event: EpochEnd) -> None:
        """Write the state if one is due."""
        if event.epoch % self._every and not event.last:
            return
        try:
            write(self._path, event.snapshot(), self._run)
        except CannotWrite as error:
            if not self._written:  # the path never worked: fail early
                raise
            warnings.warn(f"No checkpoint: {error}", TrainingWarning, stacklevel=2)
        self._written = True

    def on_stop(self) -> None:
        """Nothing to do."""


def write(path: Path, snapshot: Snapshot, run: dict[str, Any]) -> None:
    """Write a snapshot; raises CannotWrite, which leaves an existing file unchanged."""
    manifest = {
        "run": run,
        "epoch": snapshot.epoch,
        "best_epoch": snapshot.best_epoch,
        "best_loss": snapshot.best_loss,
        "history": snapshot.history,
    }
    artifact.write(path, Artifact(KIND, manifest, snapshot.arrays))


def read(path: Path) -> tuple[Snapshot, dict[str, Any]] | None:
    """Return the snapshot and the description of its run; None if there is no file.

    Raises
    ------
    InvalidArchive
        The file is damaged or is not a checkpoint.
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
            history={str(k): list(vs) for k, vs in content["history"].items()},
        )
        return snapshot, dict(content["run"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidArchive(
            f"checkpoint {str(path)!r}",
            expected="a checkpoint's fields",
            received=f"{type(error).__name__}: {error}",
            remedy="delete the file to train from the start",
        ) from error


def check_same_run(path: Path, stored: dict[str, Any], settings: dict[str, str]) -> None:
    """Refuse to resume from the checkpoint of another run.

    Parameters
    ----------
    path : Path
        The checkpoint.
    stored : dict
        The description of the run in the file.
    settings : dict of str to str
        Digests of the settings and data of the run to resume.

    Raises
    ------
    InvalidParameter
        Settings or data differ from those of the checkpoint.
    """
    before = stored.get("settings")
    before = before if isinstance(before, dict) else {}
    differing = sorted(name for name in settings | before if settings.get(name) != before.get(name))
    if differing:
        raise InvalidParameter(
            f"checkpoint {str(path)!r}",
            expected="the same settings and data as the run that wrote it",
            received=f"another {', '.join(differing)}",
            remedy="delete the file to train from the start, or name another one",
        )
