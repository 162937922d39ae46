"""Processes that train one model together: they have to be given the same model and data."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from isthmus.core import processes
from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS = 12  # of a hexadecimal digest: as many as a float64 holds exactly


def first_seed(seed: int) -> int:
    """Return the seed of the first process: without a random state, each has drawn its own."""
    return int(processes.gathered([seed])[0, 0])


def check(described: Mapping[str, str], begun: tuple[int, int]) -> None:
    """Check that all processes train the same run, from the same epoch.

    Parameters
    ----------
    described : mapping of str to str
        Hexadecimal digests of the settings and the data, by name.
    begun : tuple of int
        The epochs, and the steps after them, of the checkpoint that this process has read.

    Raises
    ------
    InvalidParameter
        Something differs from the first process.
    """
    numbers = [int(value[:_DIGITS], 16) for value in described.values()]
    everywhere = processes.gathered([*numbers, *begun])
    for name, column in zip([*described, "checkpoint", "checkpoint"], everywhere.T, strict=True):
        others = (column != column[0]).nonzero()[0]
        if len(others):
            raise InvalidParameter(
                f"fit in {len(column)} processes",
                expected="the same arguments and data in all of them",
                received=f"another {name} in process {others[0]} than in process 0",
                remedy="pass the same rows to each process: they share the work of every step. A "
                "checkpoint has to be a file that all of them can read",
            )


def check_workers() -> None:
    """Refuse workers of Ray Train that would each train a model of their own.

    Raises
    ------
    InvalidParameter
        The workers are several, and JAX has not joined their processes.
    """
    ray_train = sys.modules.get("ray.train")
    if ray_train is None or processes.count() > 1:
        return
    try:
        workers = ray_train.get_context().get_world_size()
    except RuntimeError:  # not in a worker
        return
    if workers > 1:
        raise InvalidParameter(
            "fit in Ray Train",
            expected=f"{workers} processes joined by jax.distributed.initialize",
            received="processes that do not know of each other, each of which would train alone",
            remedy="JaxTrainer joins them with JaxConfig(use_tpu=True) or JaxConfig(use_gpu=True), "
            "the latter also for processors, with JAX_PLATFORMS=cpu in the environment",
        )
