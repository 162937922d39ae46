"""Opens a run: fresh, or from the checkpoint of one that was cut off."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from isthmus._version import __version__
from isthmus.estimators import _checks
from isthmus.training import checkpoint
from isthmus.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from isthmus.core.types import Floats
    from isthmus.training.events import Observer, Snapshot

# What may change between a run and its resumption without changing the bits.
_IRRELEVANT = ("checkpoint", "checkpoint_every", "verbose")


class Run(NamedTuple):
    """Where a run starts."""

    seed: int
    snapshot: Snapshot | None
    observers: list[Observer]


def open_run(estimator: Any, matrix: Floats, seed: int) -> Run:
    """Return the start of a fit, with a checkpoint observer where one was asked for.

    A checkpoint that exists is gone on from, with its own seed, when settings and data are those
    that it was made with.

    Raises
    ------
    InvalidParameter
        The checkpoint belongs to other settings or data.
    InvalidArchive
        The file is damaged or no checkpoint.
    """
    if estimator.checkpoint is None:
        return Run(seed, None, [])
    path = Path(estimator.checkpoint)
    every = _checks.count("checkpoint_every", estimator.checkpoint_every)
    fingerprint = _fingerprint(estimator, matrix)
    snapshot, stored = None, checkpoint.read(path)
    if stored is not None:
        snapshot, run = stored
        checkpoint.check_same_run(path, run, fingerprint)
        seed = int(run["seed"])
    observer = Checkpoint(path, every, {"fingerprint": fingerprint, "seed": seed})
    return Run(seed, snapshot, [observer])


def _fingerprint(estimator: Any, matrix: Floats) -> str:
    digest = hashlib.sha256(f"{__version__} {type(estimator).__name__} {matrix.shape}".encode())
    for name, value in sorted(estimator.get_params(deep=False).items()):
        if name not in _IRRELEVANT:
            digest.update(f"{name}={_described(value)};".encode())
    digest.update(np.ascontiguousarray(matrix).view(np.uint8).data)
    return digest.hexdigest()


def _described(value: Any) -> str:
    """Return a text that is the same in another process for the same setting."""
    if isinstance(value, keras.Model):
        weights = hashlib.sha256()
        for array in value.get_weights():
            weights.update(np.ascontiguousarray(array).data)
        return f"{value.__class__.__name__} {value.count_params()} {weights.hexdigest()}"
    if isinstance(value, keras.optimizers.Optimizer):
        return f"{value.__class__.__name__} {sorted(map(str, value.get_config().items()))}"
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return type(value).__name__  # its draw is the run's seed, which the checkpoint holds
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value))}"
    return repr(value)
