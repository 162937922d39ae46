"""Starts a new run, or resumes one from its checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus._version import __version__
from isthmus.core.atomic_files import check_writable
from isthmus.estimators import parameter_checks
from isthmus.estimators.resolved_settings import architecture_of
from isthmus.estimators.settings_digest import digest
from isthmus.training import checkpoint
from isthmus.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.training.events import Observer, Snapshot

# Parameters that may change when a run is resumed, because they do not affect its results.
_IRRELEVANT = ("checkpoint", "checkpoint_every", "verbose", "unknown", "warm_start")
_LATER = {"augmentation": "auto"}
"""Parameters that checkpoints of earlier versions do not have, and the value they stand for."""


class TrainingRun(NamedTuple):
    """The start of a run."""

    seed: int
    snapshot: Snapshot | None
    observers: list[Observer]

    @property
    def seconds_before(self) -> float:
        """Duration in seconds of the epochs that earlier processes ran."""
        return sum(self.snapshot.history["seconds"]) if self.snapshot else 0.0


def open_run(
    estimator: Any,
    schema: Schema,
    matrix: Floats,
    seed: int,
    *,
    labels: Floats | None = None,
    inputs: Floats | None = None,
) -> TrainingRun:
    """Return the start of a fit, with an observer that writes checkpoints if requested.

    If the checkpoint exists and has the same settings and data, the fit resumes from it, with the
    seed of the checkpoint.

    Raises
    ------
    InvalidParameter
        The checkpoint belongs to other settings or data.
    InvalidArchive
        The file is damaged or is not a checkpoint.
    CannotWrite
        The file cannot be written.
    """
    if estimator.checkpoint is None:
        return TrainingRun(seed, None, [])
    path = parameter_checks.path("checkpoint", estimator.checkpoint)
    check_writable(path)
    every = int(estimator.checkpoint_every)
    settings = _digests(estimator, schema, matrix)
    others = {"labels": labels, "noisy samples": inputs}
    settings |= {name: digest(rows) for name, rows in others.items() if rows is not None}
    snapshot, stored = None, checkpoint.read(path)
    if stored is not None:
        snapshot, run = stored
        checkpoint.check_same_run(path, run, settings)
        seed = int(run["seed"])
    return TrainingRun(
        seed, snapshot, [Checkpoint(path, every, {"settings": settings, "seed": seed})]
    )


def _digests(estimator: Any, schema: Schema, matrix: Floats) -> dict[str, str]:
    given = {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if name not in _IRRELEVANT and not (name in _LATER and value == _LATER[name])
    }
    given |= {
        "architecture": architecture_of(estimator, schema).name,
        "estimator": type(estimator).__name__,
        "version of isthmus": __version__,
        "data": matrix,
        "columns of the data": {
            name: value for name, value in schema.to_config().items() if name not in _IRRELEVANT
        },
    }
    return {name: digest(value) for name, value in given.items()}
