"""Starts a new run, or resumes one from its checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus._version import __version__
from isthmus.core import processes
from isthmus.core.atomic_files import check_writable
from isthmus.estimators import agreement, parameter_checks
from isthmus.estimators.resolved_settings import architecture_of
from isthmus.estimators.settings_digest import digest
from isthmus.training import checkpoint
from isthmus.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.estimators.fit_rows import FitRows
    from isthmus.training.events import Observer, Snapshot

# Parameters that may change when a run is resumed, because they do not affect its results.
_IRRELEVANT = ("checkpoint", "checkpoint_every", "verbose", "unknown", "warm_start")
_LATER = {"augmentation": "auto", "importance_samples": 1}
"""Parameters that checkpoints of earlier versions do not have, and the value they stand for."""


class TrainingRun(NamedTuple):
    """The start of a run."""

    seed: int
    snapshot: Snapshot | None
    observers: list[Observer]
    optimizer_state: Sequence[NDArray[Any]] = ()
    """That of an earlier run, to go on from."""

    @property
    def seconds_before(self) -> float:
        """Duration in seconds of the epochs that earlier processes ran."""
        return sum(self.snapshot.history["seconds"]) if self.snapshot else 0.0


def open_run(
    estimator: Any,
    rows: FitRows,
    seed: int,
) -> TrainingRun:
    """Return the start of a fit, with an observer that writes checkpoints if requested.

    If the checkpoint exists and has the same settings and data, the fit resumes from it, with the
    seed of the checkpoint.

    Raises
    ------
    InvalidParameter
        The checkpoint belongs to other settings or data, or processes that train together were
        given different ones.
    InvalidArchive
        The file is damaged or is not a checkpoint.
    CannotWrite
        The file cannot be written.
    """
    agreement.check_workers()
    if estimator.checkpoint is None and processes.count() == 1:
        return TrainingRun(seed, None, [])
    settings = _digests(estimator, rows.schema, rows.matrix)
    labels = rows.labels if rows.stored_labels is None else rows.stored_labels.stored
    others: dict[str, Any] = {"labels": labels, "noisy samples": rows.inputs}
    if rows.summary is not None:
        others["rows of the parts of the data"] = np.array(rows.summary.part_rows)
    settings |= {name: digest(value) for name, value in others.items() if value is not None}
    run = TrainingRun(agreement.first_seed(seed), None, [])
    if estimator.checkpoint is not None:
        run = _with_checkpoint(estimator, run.seed, settings)
    begun = run.snapshot
    agreement.check(settings, (begun.epoch, begun.steps) if begun else (0, 0))
    return run


def _with_checkpoint(estimator: Any, seed: int, settings: dict[str, str]) -> TrainingRun:
    path = parameter_checks.path("checkpoint", estimator.checkpoint)
    check_writable(path)
    snapshot, stored = None, checkpoint.read(path)
    if stored is not None:
        snapshot, run = stored
        checkpoint.check_same_run(path, run, settings)
        seed = int(run["seed"])
    if processes.index() > 0:  # the first process writes it
        return TrainingRun(seed, snapshot, [])
    every = int(estimator.checkpoint_every)
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
