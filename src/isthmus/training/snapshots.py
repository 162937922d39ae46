"""Converts the state of a run to named arrays and back, and keeps the optimizer's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from isthmus.core.errors import InvalidArchive
from isthmus.core.types import TrainState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import jax
    from numpy.typing import NDArray

    from isthmus.training.events import ChunkEnd, EpochEnd

Weights = tuple[list[Any], list[Any]]
"""Trainable and other weights, in the order of a network's variables."""

_ROLES = ("trainable", "non_trainable", "optimizer", "best", "best_fixed")


def pack(state: TrainState, best: Weights) -> dict[str, NDArray[np.generic]]:
    """Copy a state and the best weights to the host, by role and position."""
    return {
        f"{role}/{index}": np.array(value)
        for role, values in zip(_ROLES, (*state, *best), strict=True)
        for index, value in enumerate(values)
    }


def unpack(
    arrays: Mapping[str, NDArray[np.generic]], like: TrainState
) -> tuple[TrainState, Weights]:
    """Undo `pack`; shapes and types are those of `like`, the state of a fresh run.

    Raises
    ------
    InvalidArchive
        An array is missing, or has another shape or type.
    """
    models = (*like, like.trainable, like.non_trainable)
    values = [_values(arrays, role, model) for role, model in zip(_ROLES, models, strict=True)]
    return TrainState(*values[:3]), (values[3], values[4])


class LastOptimizerState:
    """An observer that keeps the optimizer's state after the last complete epoch.

    Attributes
    ----------
    arrays : list of ndarray
        The state; empty before the end of an epoch.
    """

    def __init__(self) -> None:
        self.arrays: list[NDArray[Any]] = []

    def on_start(self, epochs: int, done: int) -> None:
        """Nothing to do."""

    def on_steps(self, epoch: int, share: float) -> None:
        """Nothing to do."""

    def on_chunk(self, event: ChunkEnd) -> None:
        """Nothing to do."""

    def on_epoch(self, event: EpochEnd) -> None:
        """Keep the state."""
        arrays = event.snapshot().arrays
        count = sum(name.startswith("optimizer/") for name in arrays)
        self.arrays = [arrays[f"optimizer/{index}"] for index in range(count)]

    def on_stop(self) -> None:
        """Nothing to do."""


def _values(
    arrays: Mapping[str, NDArray[np.generic]], role: str, models: Sequence[jax.Array]
) -> list[jax.Array]:
    values = []
    for index, model in enumerate(models):
        array = arrays.get(f"{role}/{index}")
        if array is None or array.shape != model.shape or array.dtype != model.dtype:
            raise InvalidArchive(
                f"the checkpoint's array {role}/{index}",
                expected=f"{model.dtype} of shape {model.shape}",
                received="none" if array is None else f"{array.dtype} of shape {array.shape}",
                remedy="delete the file to train from the start",
            )
        values.append(jnp.array(array))
    return values
