"""Checkpoints, from which an interrupted run resumes."""

from __future__ import annotations

import math
import time
import warnings
from typing import TYPE_CHECKING, Any

from isthmus.core.errors import CannotWrite, InvalidArchive, InvalidParameter, TrainingWarning
from isthmus.persistence import artifact, config_checks
from isthmus.persistence.artifact import Artifact
from isthmus.training.events import ChunkEnd, EpochEnd, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

KIND = "checkpoint"
_FIELDS = ("run", "epoch", "best_epoch", "best_loss", "history")
_WITHIN_EPOCH = ("steps", "totals")
_MOST_EPOCHS = 2**31 - 1
_MOST_STEPS = 2**53

SECONDS_WITHIN_EPOCH = 60.0
"""Time between two writes within an epoch."""


class Checkpoint:
    """An observer that writes the state of a run atomically every few epochs.

    Parameters
    ----------
    path : Path
        The file; it is replaced only when the next checkpoint is complete.
    every : int
        Epochs between two writes; the last epoch is always written. With rows that are read while
        training, it also writes within an epoch, once a minute.
    run : dict
        Identifies the run: its seed, and digests of its settings and data.
    """

    def __init__(self, path: Path, every: int, run: dict[str, Any]) -> None:
        self._path = path
        self._every = every
        self._run = run
        self._written = False
        self._last = time.monotonic()

    def on_start(self, epochs: int, done: int) -> None:
        """Nothing to do."""

    def on_steps(self, epoch: int, share: float) -> None:
        """Nothing to do."""

    def on_chunk(self, event: ChunkEnd) -> None:
        """Write the state if some time has passed."""
        if time.monotonic() - self._last >= SECONDS_WITHIN_EPOCH:
            self._write(event.snapshot())

    def on_epoch(self, event: EpochEnd) -> None:
        """Write the state if one is due."""
        if event.epoch % self._every == 0 or event.last:
            self._write(event.snapshot())

    def _write(self, snapshot: Snapshot) -> None:
        try:
            write(self._path, snapshot, self._run)
        except CannotWrite as error:
            if not self._written:  # the path never worked: fail early
                raise
            warnings.warn(f"No checkpoint: {error}", TrainingWarning, stacklevel=2)
        self._written = True
        self._last = time.monotonic()

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
    if snapshot.steps:
        manifest |= {"steps": snapshot.steps, "totals": list(snapshot.totals)}
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
    try:
        within = _WITHIN_EPOCH if "steps" in stored.manifest else ()
        content = config_checks.entries(stored.manifest, (*_FIELDS, *within), "checkpoint")
        _check(content)
    except InvalidArchive as error:
        remedy = "delete the file to train from the start"
        raise error.about(f"checkpoint {str(path)!r}", remedy=remedy) from error
    snapshot = Snapshot(
        epoch=content["epoch"],
        arrays=dict(stored.arrays),
        best_epoch=content["best_epoch"],
        best_loss=float(content["best_loss"]),
        history=content["history"],
        steps=content.get("steps", 0),
        totals=tuple(map(float, content.get("totals", ()))),
    )
    return snapshot, content["run"]


def _check(content: dict[str, Any]) -> None:
    """Check the fields of a checkpoint; raises InvalidArchive."""
    epoch = config_checks.integer(content, "epoch", 0, _MOST_EPOCHS)
    config_checks.integer(content, "best_epoch", 0, epoch)
    if not _is_number(content["best_loss"]) or math.isnan(content["best_loss"]):
        config_checks.refuse("best_loss", "a number", content["best_loss"])
    if "steps" in content:
        _check_begun(content)
    history = content["history"]
    if not isinstance(history, dict) or not all(isinstance(v, list) for v in history.values()):
        config_checks.refuse("history", "a list for each figure", history)
    for name in ("epoch", "seconds"):
        if len(history.get(name, ())) != epoch:
            config_checks.refuse("history", f"{epoch} numbers in {name!r}", history)
    for name, values in history.items():
        if len(values) > epoch or not all(map(_is_number, values)):
            config_checks.refuse(f"history of {name!r}", f"at most {epoch} numbers", values)
    run = content["run"]
    if not isinstance(run, dict):
        config_checks.refuse("run", "a JSON object", run)
    config_checks.integer(run, "seed", 0, 2**32 - 1)
    settings = run.get("settings", {})
    if not isinstance(settings, dict):
        config_checks.refuse("run's settings", "a JSON object", settings)


def _check_begun(content: dict[str, Any]) -> None:
    """Check what a checkpoint says of an epoch that is not complete."""
    config_checks.integer(content, "steps", 1, _MOST_STEPS)
    totals = config_checks.items(content, "totals")
    if len(totals) < 2 or len(totals) % 2 or not all(map(_is_number, totals)):
        config_checks.refuse("totals", "pairs of numbers", totals)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) <= _MOST_EPOCHS)


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
    before = stored.get("settings", {})
    differing = sorted(name for name in settings | before if settings.get(name) != before.get(name))
    if differing:
        raise InvalidParameter(
            f"checkpoint {str(path)!r}",
            expected="the same settings and data as the run that wrote it",
            received=f"another {', '.join(differing)}",
            remedy="delete the file to train from the start, or name another one",
        )
